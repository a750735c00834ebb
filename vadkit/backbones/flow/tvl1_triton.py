"""TV-L1 optical flow as fused kernels for CUDA, written in Triton, which comes with torch on Linux.

The same algorithm, settings and pyramid as ``tvl1_torch``. One kernel is one iteration: a program moves the flow of
its tile, computes the moved flow of the neighbours to the right and below once more, and with it moves the dual
fields. Flow and dual fields are thus read and written once per iteration, into a second copy, because other tiles
still read the first. No result depends on the order in which tiles run.

Every pair stops at its own iteration, without the host: each tile writes its share of the squared change, and the
next iteration adds them up. A pair that has just stopped is copied, so that both copies are equal, and is marked by a
negative share; from then on its tiles return at once. The host asks only whether any pair goes on, and waits for
the answer to an earlier question, so that the device always has work.

Legend: ``n`` pairs, ``h`` rows, ``w`` columns; ``u`` (n, 2, h, w) flow, x to the right and y down, pixels;
``p`` (n, 4, h, w) dual fields, x and y of the first flow component, then of the second. A kernel gets pointers
to contiguous float32; ``i`` is a pixel's place in a plane.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from vadkit.backbones.flow import tvl1_torch
from vadkit.backbones.flow.settings import TvL1Settings

PIXELS = 1 << 24  # of all pairs of one batch together; about 150 bytes each
ROWS, COLUMNS, WARPS = 16, 32, 8  # of a tile; two pixels a thread, so that registers suffice for five tiles at once
CHECK_EVERY = 10  # iterations between questions whether any pair goes on
PARTS = 256  # shares of the change that a program adds at a time
GOING, STOPPED = float("inf"), -1.0  # shares of a pair before its first iteration and after its last

jit: Callable[[Callable[..., Any]], Any] = triton.jit  # it has no types that survive the decorator


# -- parts of kernels ------------------------------------------------------------------------------
@jit
def tile_of(h, w, tiles, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return this program's pair, the number of its tile, and the rows and columns of the tile."""
    number = tl.program_id(0)
    tile, across = number % tiles, tl.cdiv(w, COLUMNS)
    y = tile // across * ROWS + tl.arange(0, ROWS)[:, None]
    x = tile % across * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    return (number // tiles).to(tl.int64), tile, y, x


@jit
def total(change, tiles, PARTS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the sum of a pair's shares."""
    found = tl.zeros((PARTS,), tl.float32)
    for start in range(0, tiles, PARTS):
        i = start + tl.arange(0, PARTS)
        found += tl.load(change + i, mask=i < tiles, other=0.0)
    return tl.sum(found)


@jit
def copy(source, target, i, size, inside, PLANES: tl.constexpr):  # type: ignore[no-untyped-def]
    for c in tl.static_range(PLANES):
        tl.store(target + c * size + i, tl.load(source + c * size + i, mask=inside), mask=inside)


@jit
def divergence(px, py, y, x, w, inside):  # type: ignore[no-untyped-def]
    """Return the backward differences of a dual field; it is 0 before the first column and row."""
    i = y * w + x
    left = tl.load(px + i - 1, mask=inside & (x > 0), other=0.0)
    above = tl.load(py + i - w, mask=inside & (y > 0), other=0.0)
    here = tl.load(px + i, mask=inside, other=0.0)
    return (here - left) + (tl.load(py + i, mask=inside, other=0.0) - above)


@jit
def moved(u, p, fixed, bound, theta, y, x, h, w):  # type: ignore[no-untyped-def]
    """Return the moved flow and its step, both components; outside the picture all are 0."""
    size, i, inside = h * w, y * w + x, (y < h) & (x < w)
    ux, uy = tl.load(u + i, mask=inside, other=0.0), tl.load(u + size + i, mask=inside, other=0.0)
    gx, gy = tl.load(fixed + i, mask=inside, other=0.0), tl.load(fixed + size + i, mask=inside, other=0.0)
    residual = tl.load(fixed + 2 * size + i, mask=inside, other=0.0) + gx * ux + gy * uy
    shift = -residual / tl.maximum(gx * gx + gy * gy, 1.1920929e-07)  # tvl1_torch.TINY
    shift = tl.minimum(tl.maximum(shift, -bound), bound)
    step_x = shift * gx + theta * divergence(p, p + size, y, x, w, inside)
    step_y = shift * gy + theta * divergence(p + 2 * size, p + 3 * size, y, x, w, inside)
    return ux + step_x, uy + step_y, step_x, step_y


@jit
def ascend(p, new_p, i, size, inside, dx, dy, ratio):  # type: ignore[no-untyped-def]
    """Move the dual field of one flow component towards the gradient of the flow."""
    scale = 1.0 / (1.0 + ratio * tl.sqrt(dx * dx + dy * dy))
    tl.store(new_p + i, (tl.load(p + i, mask=inside) + ratio * dx) * scale, mask=inside)
    i += size
    tl.store(new_p + i, (tl.load(p + i, mask=inside) + ratio * dy) * scale, mask=inside)


@jit
def cubic(part):  # type: ignore[no-untyped-def]
    """Return the weights of the four pixels around a place ``part`` of the way between the middle two."""
    far, rest = part + 1.0, 1.0 - part
    first = ((-0.75 * far + 3.75) * far - 6.0) * far + 3.0  # the slope of the kernel at distance 1 is -0.75
    second = (1.25 * part - 2.25) * part * part + 1.0
    third = (1.25 * rest - 2.25) * rest * rest + 1.0
    return first, second, third, 1.0 - first - second - third


@jit
def along(plane, row, left, weights, h, w, inside):  # type: ignore[no-untyped-def]
    """Return the weighted sum of four pixels of a row; outside the picture all are 0."""
    sum = tl.zeros(left.shape, tl.float32)
    for k in tl.static_range(4):
        x = left + k
        here = inside & (row >= 0) & (row < h) & (x >= 0) & (x < w)
        sum += tl.load(plane + row * w + x, mask=here, other=0.0) * weights[k]
    return sum


@jit
def sample(plane, top, left, down, across, h, w, inside):  # type: ignore[no-untyped-def]
    """Return the weighted sum of 4 x 4 pixels."""
    sum = tl.zeros(left.shape, tl.float32)
    for k in tl.static_range(4):
        sum += along(plane, top + k, left, across, h, w, inside) * down[k]
    return sum


@jit
def sort3(a, b, c):  # type: ignore[no-untyped-def]
    a, b = tl.minimum(a, b), tl.maximum(a, b)
    b, c = tl.minimum(b, c), tl.maximum(b, c)
    return tl.minimum(a, b), tl.maximum(a, b), c


@jit
def sort5(a, b, c, d, e):  # type: ignore[no-untyped-def]
    """Return five values in order: the shortest network, nine exchanges."""
    a, b = tl.minimum(a, b), tl.maximum(a, b)
    d, e = tl.minimum(d, e), tl.maximum(d, e)
    c, e = tl.minimum(c, e), tl.maximum(c, e)
    c, d = tl.minimum(c, d), tl.maximum(c, d)
    a, d = tl.minimum(a, d), tl.maximum(a, d)
    a, c = tl.minimum(a, c), tl.maximum(a, c)
    b, e = tl.minimum(b, e), tl.maximum(b, e)
    b, d = tl.minimum(b, d), tl.maximum(b, d)
    return a, tl.minimum(b, c), tl.maximum(b, c), d, e


@jit
def pixel(plane, y, x, h, w):  # type: ignore[no-untyped-def]
    """Return pixels of a plane whose border is repeated."""
    y, x = tl.minimum(tl.maximum(y, 0), h - 1), tl.minimum(tl.maximum(x, 0), w - 1)
    return tl.load(plane + y * w + x)


@jit
def column3(plane, y, x, h, w):  # type: ignore[no-untyped-def]
    return sort3(pixel(plane, y - 1, x, h, w), pixel(plane, y, x, h, w), pixel(plane, y + 1, x, h, w))


@jit
def column5(plane, y, x, h, w):  # type: ignore[no-untyped-def]
    near = pixel(plane, y - 1, x, h, w), pixel(plane, y, x, h, w), pixel(plane, y + 1, x, h, w)
    return sort5(pixel(plane, y - 2, x, h, w), near[0], near[1], near[2], pixel(plane, y + 2, x, h, w))


@jit
def median3(plane, y, x, h, w):  # type: ignore[no-untyped-def]
    a, b, c = column3(plane, y, x - 1, h, w), column3(plane, y, x, h, w), column3(plane, y, x + 1, h, w)
    lows = tl.maximum(tl.maximum(a[0], b[0]), c[0])
    highs = tl.minimum(tl.minimum(a[2], b[2]), c[2])
    return sort3(lows, sort3(a[1], b[1], c[1])[1], highs)[1]


@jit
def median5(plane, y, x, h, w):  # type: ignore[no-untyped-def]
    """Return the median; see ``tvl1_loops.median5`` for why these values decide."""
    a, b = column5(plane, y, x - 2, h, w), column5(plane, y, x - 1, h, w)
    c, d = column5(plane, y, x, h, w), column5(plane, y, x + 1, h, w)
    e = column5(plane, y, x + 2, h, w)
    p = sort5(a[0], b[0], c[0], d[0], e[0])
    q = sort5(a[1], b[1], c[1], d[1], e[1])
    r = sort5(a[2], b[2], c[2], d[2], e[2])
    s = sort5(a[3], b[3], c[3], d[3], e[3])
    t = sort5(a[4], b[4], c[4], d[4], e[4])
    middle = sort5(p[4], q[3], r[2], s[1], t[0])
    under = tl.maximum(tl.maximum(p[3], q[2]), tl.maximum(r[1], s[0]))
    over = tl.minimum(tl.minimum(q[4], r[3]), tl.minimum(s[2], t[1]))
    small, large = tl.minimum(under, over), tl.maximum(under, over)
    return tl.minimum(middle[3], tl.minimum(tl.maximum(middle[2], small), tl.maximum(middle[1], large)))


# -- kernels ---------------------------------------------------------------------------------------
@jit
def warp_kernel(  # type: ignore[no-untyped-def]
    planes, first, u, fixed, h, w, tiles, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    """Sample ``planes`` (n, 3, h, w), image and gradient, where the flow points; write gradient and data term."""
    pair, _, y, x = tile_of(h, w, tiles, ROWS, COLUMNS)
    size, i, inside = h * w, y * w + x, (y < h) & (x < w)
    planes, first, u, fixed = (
        planes + pair * 3 * size,
        first + pair * size,
        u + pair * 2 * size,
        fixed + pair * 3 * size,
    )
    ux, uy = tl.load(u + i, mask=inside, other=0.0), tl.load(u + size + i, mask=inside, other=0.0)
    to_x, to_y = x.to(tl.float32) + ux, y.to(tl.float32) + uy
    left, top = tl.floor(to_x), tl.floor(to_y)
    across, down = cubic(to_x - left), cubic(to_y - top)
    left = tl.minimum(tl.maximum(left, -3.0), w + 1.0).to(tl.int32) - 1  # beyond that all four are outside
    top = tl.minimum(tl.maximum(top, -3.0), h + 1.0).to(tl.int32) - 1
    gx = sample(planes + size, top, left, down, across, h, w, inside)
    gy = sample(planes + 2 * size, top, left, down, across, h, w, inside)
    seen = sample(planes, top, left, down, across, h, w, inside)
    tl.store(fixed + i, gx, mask=inside)
    tl.store(fixed + size + i, gy, mask=inside)
    rest = seen - gx * ux - gy * uy - tl.load(first + i, mask=inside, other=0.0)
    tl.store(fixed + 2 * size + i, rest, mask=inside)


@jit
def median_kernel(  # type: ignore[no-untyped-def]
    u, new_u, change, limit, h, w, tiles,
    SIDE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, PARTS: tl.constexpr,
):  # fmt: skip
    """Write the median of ``SIDE`` x ``SIDE`` pixels, 3 or 5, for pairs that go on; the border is repeated."""
    pair, _, y, x = tile_of(h, w, tiles, ROWS, COLUMNS)
    size, i, inside = h * w, y * w + x, (y < h) & (x < w)
    u, new_u = u + pair * 2 * size, new_u + pair * 2 * size
    before = total(change + pair * tiles, tiles, PARTS)
    if before > limit:
        for c in tl.static_range(2):
            if SIDE == 3:
                tl.store(new_u + c * size + i, median3(u + c * size, y, x, h, w), mask=inside)
            else:
                tl.store(new_u + c * size + i, median5(u + c * size, y, x, h, w), mask=inside)
    elif before >= 0:
        copy(u, new_u, i, size, inside, 2)


@jit
def iterate_kernel(  # type: ignore[no-untyped-def]
    u, p, change, new_u, new_p, new_change, fixed, limit, bound, theta, ratio, h, w, tiles,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, PARTS: tl.constexpr,
):  # fmt: skip
    """Move flow and dual fields once for pairs that go on; write each tile's share of the squared change."""
    pair, tile, y, x = tile_of(h, w, tiles, ROWS, COLUMNS)
    size, i, inside = h * w, y * w + x, (y < h) & (x < w)
    u, new_u, fixed = u + pair * 2 * size, new_u + pair * 2 * size, fixed + pair * 3 * size
    p, new_p = p + pair * 4 * size, new_p + pair * 4 * size
    before = total(change + pair * tiles, tiles, PARTS)
    share = -1.0  # STOPPED
    if before > limit:
        ux, uy, step_x, step_y = moved(u, p, fixed, bound, theta, y, x, h, w)
        share = tl.sum(step_x * step_x + step_y * step_y)
        tl.store(new_u + i, ux, mask=inside)
        tl.store(new_u + size + i, uy, mask=inside)
        right_x, right_y, _, _ = moved(u, p, fixed, bound, theta, y, x + 1, h, w)
        below_x, below_y, _, _ = moved(u, p, fixed, bound, theta, y + 1, x, h, w)
        has_right, has_below = x + 1 < w, y + 1 < h
        dx, dy = tl.where(has_right, right_x - ux, 0.0), tl.where(has_below, below_x - ux, 0.0)
        ascend(p, new_p, i, size, inside, dx, dy, ratio)
        dx, dy = tl.where(has_right, right_y - uy, 0.0), tl.where(has_below, below_y - uy, 0.0)
        ascend(p + 2 * size, new_p + 2 * size, i, size, inside, dx, dy, ratio)
    elif before >= 0:
        copy(u, new_u, i, size, inside, 2)
        copy(p, new_p, i, size, inside, 4)
    tl.store(new_change + pair * tiles + tile, share)


# -- the host --------------------------------------------------------------------------------------
class Level:
    """The flow and dual fields of one level on the device, and the launches that move them.

    Attributes:
        u: the flow (n, 2, h, w). ``p``: the dual fields (n, 4, h, w), which live as long as the level.
        change: share of each tile in the squared change of the last iteration (n, tiles).
    """

    def __init__(self, u: Tensor, settings: TvL1Settings) -> None:
        n, _, h, w = u.shape
        self.settings = settings
        self.tile = {"ROWS": ROWS, "COLUMNS": COLUMNS, "num_warps": WARPS}
        self.limit = settings.epsilon**2 * h * w
        tiles = triton.cdiv(h, ROWS) * triton.cdiv(w, COLUMNS)
        self.grid, self.sizes = (n * tiles,), (h, w, tiles)
        self.u, self.new_u = u.contiguous(), torch.empty_like(u, memory_format=torch.contiguous_format)
        self.p, self.new_p = u.new_zeros((n, 4, h, w)), u.new_empty((n, 4, h, w))
        self.fixed = u.new_empty((n, 3, h, w))
        self.change, self.new_change = (u.new_full((n, tiles), GOING) for _ in range(2))

    def warp(self, planes: Tensor, first: Tensor) -> None:
        """Begin a warp: every pair goes on, and what is constant within it is computed."""
        self.change.fill_(GOING)
        warp_kernel[self.grid](planes, first, self.u, self.fixed, *self.sizes, **self.tile)

    def median(self) -> None:
        stop = (self.change, self.limit, *self.sizes)
        median_kernel[self.grid](self.u, self.new_u, *stop, SIDE=self.settings.median, PARTS=PARTS, **self.tile)
        self.u, self.new_u = self.new_u, self.u

    def iterate(self) -> None:
        s = self.settings
        numbers = (self.limit, s.weight * s.theta, s.theta, s.tau / s.theta)
        read, written = (self.u, self.p, self.change), (self.new_u, self.new_p, self.new_change)
        iterate_kernel[self.grid](*read, *written, self.fixed, *numbers, *self.sizes, PARTS=PARTS, **self.tile)
        (self.u, self.p, self.change), (self.new_u, self.new_p, self.new_change) = written, read

    def going(self) -> Tensor:
        """Return whether any pair goes on, as a tensor on the device."""
        return (self.change.sum(1) > self.limit).any()


class Question:
    """Whether any pair goes on, answered one question late, so that the device has work while the host waits."""

    def __init__(self, device: torch.device) -> None:
        self.on_cuda = device.type == "cuda"
        self.asked: list[tuple[Tensor, Any]] = []

    def ask(self, going: Tensor) -> bool:
        """Put a question on its way; return the answer to the one before, or True."""
        if not self.on_cuda:
            return bool(going)
        answer = torch.empty((), dtype=torch.bool, pin_memory=True).copy_(going, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        self.asked.append((answer, event))
        if len(self.asked) < 2:
            return True
        answer, event = self.asked.pop(0)
        event.synchronize()
        return bool(answer)


def solve(first: Tensor, second: Tensor, u: Tensor, settings: TvL1Settings) -> Tensor:
    """Return the flow of one level, from images (n, 1, h, w) and the flow that is known so far."""
    level, first = Level(u, settings), first.contiguous()
    planes = torch.cat([second, tvl1_torch.gradient(second)], 1)
    for _ in range(settings.warps):
        level.warp(planes, first)
        _inner_loops(level, Question(u.device))
    return level.u


def _inner_loops(level: Level, question: Question) -> None:
    """Iterate until every pair has stopped or the settings' number is reached."""
    settings = level.settings
    for i in range(settings.outer * settings.inner):
        if i % settings.inner == 0 and settings.median > 1:
            level.median()
        level.iterate()
        if (i + 1) % CHECK_EVERY == 0 and not question.ask(level.going()):
            return


@torch.no_grad()
def tvl1_pairs(frames: Tensor, settings: TvL1Settings) -> Tensor:
    """Return the flow (n, 2, h, w) between consecutive ``frames`` (n + 1, h, w) on their device, in one batch."""
    on_device = torch.cuda.device(frames.device) if frames.is_cuda else contextlib.nullcontext()
    with on_device:  # Triton launches on the current device
        return tvl1_torch.coarse_to_fine(frames.contiguous(), settings, solve)
