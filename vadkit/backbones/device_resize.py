"""Resize pictures on any torch device, in the whole numbers of the CPU's resize: equal to it bit by bit.

Legend: ``n`` pictures and channels, ``h`` height, ``w`` width, ``k`` pixels that one output pixel depends on.

torch resizes uint8 pictures on the CPU as Pillow does: first along rows, then along columns, with weights rounded to
whole parts of a power of two, and the result of each half rounded to a grey level. On CUDA it has no such form, and
float weights would differ by a level here and there. The same sums are computed here by ``k`` gathers per half.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

MOST_BITS = 22  # of a weight's fraction
WEIGHT_BITS = 15  # of a weight and its sign, as the CPU's vector instructions take them
CUBIC = -0.5  # slope of the bicubic kernel at distance 1; OpenCV's is -0.75
BYTES = 1 << 28  # of sums that are held at once; pictures are resized in groups


def _triangle(x: float) -> float:
    return max(0.0, 1.0 - abs(x))


def _cubic(x: float) -> float:
    x = abs(x)
    if x < 1:
        return ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * CUBIC if x < 2 else 0.0


KERNELS: dict[str, tuple[Callable[[float], float], int]] = {"bilinear": (_triangle, 2), "bicubic": (_cubic, 4)}


@dataclass(frozen=True)
class Taps:
    """How one axis is resized: output i is the sum over k of ``weights[k, i]`` times input ``places[k, i]``.

    Attributes:
        places: int64 (k, m), positions in the input.
        weights: int32 (k, m), in units of ``2 ** -bits``; 0 where an output needs fewer.
    """

    places: Tensor
    weights: Tensor
    bits: int


@lru_cache(maxsize=64)
def taps(old: int, new: int, resize: str, device: torch.device) -> Taps:
    """Return how ``new`` pixels are computed from ``old`` ones; kept, because sending it there waits for the device."""
    kernel, width = KERNELS[resize]
    scale = old / new
    support, inverse = (width * 0.5 * scale, 1 / scale) if scale >= 1 else (width * 0.5, 1.0)
    starts, rows = [], []
    for i in range(new):
        centre = scale * (i + 0.5)
        first = max(int(centre - support + 0.5), 0)
        count = min(int(centre + support + 0.5), old) - first
        row = [kernel((j + first - centre + 0.5) * inverse) for j in range(count)]
        total = sum(row)
        starts.append(first)
        rows.append([weight / total for weight in row] if total else row)
    bits = _fraction_bits(max(max(row) for row in rows))
    most = max(map(len, rows))
    whole = [[int(weight * (1 << bits) + math.copysign(0.5, weight)) for weight in row] for row in rows]
    weights = torch.tensor([row + [0] * (most - len(row)) for row in whole], dtype=torch.int32).T.contiguous()
    places = torch.tensor(starts)[None] + torch.arange(most)[:, None]
    return Taps(places.clamp(max=old - 1).to(device), weights.to(device), bits)


def _fraction_bits(largest: float) -> int:
    """Return how many bits of fraction a weight has, so that the largest still fits."""
    bits = 0
    while bits < MOST_BITS and int(0.5 + largest * (1 << (bits + 1))) < 1 << WEIGHT_BITS:
        bits += 1
    return bits


def resize_on_device(x: Tensor, size: tuple[int, int], resize: str) -> Tensor:
    """Take uint8 (n, c, h, w), return uint8 (n, c, *size), on the device of ``x``."""
    for dim in (3, 2):
        if x.shape[dim] != size[dim - 2]:
            x = _along(x, dim, taps(x.shape[dim], size[dim - 2], resize, x.device))
    return x


def _along(x: Tensor, dim: int, axis: Taps) -> Tensor:
    weights = axis.weights if dim == 3 else axis.weights[:, :, None]
    each = x[0].numel() // x.shape[dim] * axis.places.shape[1] * 8
    parts = x.split(max(1, BYTES // each))
    return torch.cat([_sums(part, dim, axis.places, weights, axis.bits) for part in parts])


def _sums(x: Tensor, dim: int, places: Tensor, weights: Tensor, bits: int) -> Tensor:
    """Return the weighted sums, rounded to grey levels; they fit into 32 bits."""
    total = x.index_select(dim, places[0]).to(torch.int32).mul_(weights[0]).add_(1 << (bits - 1))
    for place, weight in zip(places[1:], weights[1:]):
        total.add_(x.index_select(dim, place).to(torch.int32).mul_(weight))
    return total.bitwise_right_shift_(bits).clamp_(0, 255).to(torch.uint8)
