"""What a device can do: a large matrix product and a large copy, timed between the figures that they are limits of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

SIDES = {"cpu": 1536, "cuda": 8192}  # of the square matrices
COPIES = {"cpu": 1 << 26, "cuda": 1 << 30}  # bytes; more than a cache holds
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}  # of the product; the others multiply float32


@dataclass(frozen=True)
class Peaks:
    """Work whose time says how fast the device multiplies and moves memory."""

    product: Callable[[], object]
    flops: float
    copy: Callable[[], object]
    bytes: float  # read and written


def peaks(device: torch.device, precision: str) -> Peaks:
    """Return a large product in ``precision`` and a large copy on ``device``."""
    side, size = (table.get(device.type, table["cpu"]) for table in (SIDES, COPIES))
    one = torch.ones(side, side, device=device, dtype=TYPES.get(precision, torch.float32))
    result = torch.empty_like(one)
    source = torch.ones(size // 4, device=device)
    target = torch.empty_like(source)
    return Peaks(lambda: torch.mm(one, one, out=result), 2.0 * side**3, lambda: target.copy_(source), 2.0 * size)
