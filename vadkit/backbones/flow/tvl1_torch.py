"""TV-L1 optical flow in plain torch, many pairs at once: runs on any device, and is what the kernels are held to.

The same algorithm, settings and pyramid as ``tvl1_numba``. Every pair stops at its own iteration: one that
has stopped is frozen by a mask on the device. The host checks only every few iterations whether all have
stopped, so that the device rarely waits.

Legend: ``n`` pairs, ``h`` rows, ``w`` columns; ``u`` (n, 2, h, w) flow, x to the right and y down, pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vadkit.backbones.flow.settings import TvL1Settings, taps

PIXELS = 1 << 23  # of all pairs of one batch together; about 400 bytes each
CHECK_EVERY = 5  # iterations between checks whether all pairs have stopped
EDGE = 4  # zeros around planes that are resampled: anything further out is read there
BICUBIC = -0.75  # OpenCV's; the slope of the kernel at distance 1
Solve = Callable[[Tensor, Tensor, Tensor, TvL1Settings], Tensor]
TINY = float(np.finfo(np.float32).eps)  # squared gradients below this count as this
# The shortest networks that put three and five values in order: these pairs are exchanged in turn.
SORT = {
    3: [(0, 1), (1, 2), (0, 1)],
    5: [(0, 1), (3, 4), (2, 4), (2, 3), (0, 3), (0, 2), (1, 4), (1, 3), (1, 2)],
}


@torch.no_grad()
def tvl1_pairs(frames: Tensor, settings: TvL1Settings) -> Tensor:
    """Return the flow (n, 2, h, w) between consecutive ``frames`` (n + 1, h, w) on their device, in one batch."""
    return coarse_to_fine(frames, settings, _level)


def coarse_to_fine(frames: Tensor, settings: TvL1Settings, solve: Solve) -> Tensor:
    """Return the flow as ``tvl1_pairs`` does; ``solve`` improves the flow of one level, given both images."""
    sizes = settings.sizes(frames.shape[1], frames.shape[2])
    pyramid = [frames.float()[:, None]]
    for size in sizes[1:]:
        pyramid.append(_resize(pyramid[-1], size, (1 / settings.step, 1 / settings.step)))
    u = frames.new_zeros((len(frames) - 1, 2, *sizes[-1]), dtype=torch.float32)
    for size, level in zip(reversed(sizes), reversed(pyramid)):
        if u.shape[2:] != size:
            ratios = (u.shape[2] / size[0], u.shape[3] / size[1])
            u = _resize(u, size, ratios) * (1 / settings.step)
        u = solve(level[:-1], level[1:], u, settings)
    return u


def _resize(x: Tensor, size: tuple[int, int], scales: tuple[float, float]) -> Tensor:
    """Return planes (n, c, h, w) at another size; see ``settings.taps``."""
    for dim, new, scale in ((3, size[1], scales[1]), (2, size[0], scales[0])):
        along = taps(x.shape[dim], new, scale)
        low, high, part = (torch.from_numpy(array).to(x.device) for array in (along.low, along.high, along.part))
        part = part if dim == 3 else part[:, None]
        x = x.index_select(dim, low) * (1 - part) + x.index_select(dim, high) * part
    return x


def _level(first: Tensor, second: Tensor, u: Tensor, settings: TvL1Settings) -> Tensor:
    """Return the flow of one level. The dual fields live as long as the level."""
    planes = torch.cat([second, gradient(second)], 1)
    duals = Duals.zeros(u)
    for _ in range(settings.warps):
        fixed = _warp(planes, first, u)
        going = torch.ones((len(u), 1, 1, 1), dtype=torch.bool, device=u.device)
        for _ in range(settings.outer):
            if settings.median > 1:
                u = torch.where(going, _median(u, settings.median), u)
            u, going = _inner_loop(u, duals, fixed, going, settings)
            if not going.any():
                break
    return u


def gradient(image: Tensor) -> Tensor:
    """Return the centred gradient (n, 2, h, w), x then y, of ``image`` (n, 1, h, w); the border is repeated."""
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    across = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    return torch.cat([across, padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]], 1) * 0.5


@dataclass
class Duals:
    """The dual fields of both flow components: ``x`` (n, 2, h, w + 1) and ``y`` (n, 2, h + 1, w).

    Column 0 of ``x`` and row 0 of ``y`` stay zero, so that the divergence at the border needs no test.
    """

    x: Tensor
    y: Tensor

    @staticmethod
    def zeros(u: Tensor) -> Duals:
        n, _, h, w = u.shape
        return Duals(u.new_zeros((n, 2, h, w + 1)), u.new_zeros((n, 2, h + 1, w)))

    def divergence(self) -> Tensor:
        return (self.x[..., 1:] - self.x[..., :-1]) + (self.y[..., 1:, :] - self.y[..., :-1, :])

    def ascend(self, u: Tensor, ratio: float, going: Tensor) -> None:
        """Move the fields of the pairs that are ``going`` towards the gradient of the flow."""
        dx, dy = F.pad(u.diff(dim=3), (0, 1)), F.pad(u.diff(dim=2), (0, 0, 0, 1))
        scale = torch.sqrt(dx * dx + dy * dy).mul_(ratio).add_(1)
        for field, slope in ((self.x[..., 1:], dx), (self.y[..., 1:, :], dy)):
            field.copy_(torch.where(going, torch.add(field, slope, alpha=ratio).div_(scale), field))


@dataclass(frozen=True)
class Fixed:
    """What is constant within a warp.

    Attributes:
        gradient: of the resampled second image (n, 2, h, w).
        inverse: its squared length, inverted (n, 1, h, w).
        rest: the data term at zero flow (n, 1, h, w).
    """

    gradient: Tensor
    inverse: Tensor
    rest: Tensor


def _warp(planes: Tensor, first: Tensor, u: Tensor) -> Fixed:
    """Sample ``planes`` (n, 3, h, w), image and gradient, at the places the flow points to: bicubic, 0 outside.

    ``grid_sample`` would round the places, so that equal frames would seem to move.
    """
    sampled = _sample(F.pad(planes, (EDGE,) * 4), *_places(u[:, 0], 1), *_places(u[:, 1], 0))
    gradient = sampled[:, 1:]
    inverse = (gradient * gradient).sum(1, keepdim=True).clamp_(min=TINY).reciprocal_()
    rest = sampled[:, :1] - (gradient * u).sum(1, keepdim=True) - first
    return Fixed(gradient, inverse, rest)


def _places(shift: Tensor, dim: int) -> tuple[Tensor, list[Tensor]]:
    """Return the first of four pixels of the padded planes to read along ``dim`` of (h, w), and their weights."""
    side = shift.shape[1 + dim]
    pixels = torch.arange(side, device=shift.device, dtype=shift.dtype)
    place = (pixels if dim == 1 else pixels[:, None]) + shift
    below = place.floor()
    return (below.clamp(1 - EDGE, side + 1) + (EDGE - 1)).long(), _cubic((place - below)[:, None])


def _cubic(part: Tensor) -> list[Tensor]:
    """Return the weights of the four pixels around a place ``part`` of the way between the middle two."""
    a, far, rest = BICUBIC, part + 1, 1 - part
    first = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a
    second = ((a + 2) * part - (a + 3)) * part * part + 1
    third = ((a + 2) * rest - (a + 3)) * rest * rest + 1
    return [first, second, third, 1 - first - second - third]


def _sample(planes: Tensor, left: Tensor, across: list[Tensor], top: Tensor, down: list[Tensor]) -> Tensor:
    n, c, _, stride = planes.shape
    flat, start = planes.flatten(2), (top * stride + left).flatten(1)[:, None].expand(-1, c, -1)
    total = torch.zeros((n, c, *left.shape[1:]), dtype=planes.dtype, device=planes.device)
    for j, weight in enumerate(down):
        values = (flat.gather(2, start + (j * stride + i)).view_as(total) for i in range(4))
        total += weight * reduce(torch.add, (value * share for value, share in zip(values, across)))
    return total


def _inner_loop(u: Tensor, duals: Duals, fixed: Fixed, going: Tensor, settings: TvL1Settings) -> tuple[Tensor, Tensor]:
    """Iterate until the squared change of every pair is below its limit; return the flow and which pairs go on."""
    limit = settings.epsilon**2 * u.shape[2] * u.shape[3]
    bound = settings.weight * settings.theta
    for i in range(settings.inner):
        residual = fixed.rest + (fixed.gradient * u).sum(1, keepdim=True)
        shift = residual.mul_(fixed.inverse).neg_().clamp_(-bound, bound)
        step = torch.add(shift * fixed.gradient, duals.divergence(), alpha=settings.theta)
        u = torch.where(going, u + step, u)
        duals.ascend(u, settings.tau / settings.theta, going)
        going = going & (step.square_().sum((1, 2, 3), keepdim=True) > limit)
        if (i + 1) % CHECK_EVERY == 0 and not going.any():
            break
    return u, going


def _median(u: Tensor, side: int) -> Tensor:
    """Return the median of ``side`` x ``side`` pixels (3 or 5); the border is repeated.

    Windows are not sorted one by one: columns are sorted once for all windows that share them, then
    ranks across columns. Only the rising diagonal and its neighbours can then be the median.
    """
    h, w = u.shape[2:]
    r = side // 2
    padded = F.pad(u, (r, r, r, r), mode="replicate")
    ranks = _in_order([padded[:, :, i : i + h] for i in range(side)])
    grid = [_in_order([rank[..., j : j + w] for j in range(side)]) for rank in ranks]
    diagonal = _in_order([grid[i][side - 1 - i] for i in range(side)])
    under = reduce(torch.maximum, [grid[i][side - 2 - i] for i in range(side - 1)])
    over = reduce(torch.minimum, [grid[i + 1][side - 1 - i] for i in range(side - 1)])
    small, large = torch.minimum(under, over), torch.maximum(under, over)
    # Third of five: the middle three of the diagonal, in order, with small and large.
    first, second, third = diagonal[r - 1 : r + 2]
    return torch.minimum(third, torch.minimum(torch.maximum(second, small), torch.maximum(first, large)))


def _in_order(values: list[Tensor]) -> list[Tensor]:
    """Return tensors of one shape sorted entry by entry, smallest first."""
    values = list(values)
    for i, j in SORT[len(values)]:
        values[i], values[j] = torch.minimum(values[i], values[j]), torch.maximum(values[i], values[j])
    return values
