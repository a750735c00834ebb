"""The compiled loops of TV-L1 flow: one sweep per iteration, resampling, median filter.

Legend: ``h`` rows, ``w`` columns; planes are float32 (h, w); ``u`` (2, h, w) is the flow, x then y.

Every loop over a row writes one or two arrays and reads few: one cheap test then shows that they do not
overlap, and the compiler uses vector instructions. A single loop over all arrays stays scalar.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import float32

from vadkit.backbones.flow.jit import jit

Four = tuple[float32, float32, float32, float32]
Five = tuple[float32, float32, float32, float32, float32]

ZERO, ONE = float32(0), float32(1)  # a bare 1 would be a double, and so would every result
BICUBIC = float32(-0.75)  # OpenCV's; the slope of the kernel at distance 1
TINY = float32(np.finfo(np.float32).eps)  # squared gradients below this count as this
EDGE = 4  # zeros around the planes that are resampled: anything further out is read there
U1, U2, U3 = np.uint64(1), np.uint64(2), np.uint64(3)  # an unsigned index needs no test for "from the end"


@jit
def inner_loop(
    u: np.ndarray, p: np.ndarray, gradient: np.ndarray, inverse: np.ndarray, rest: np.ndarray,
    bound: float32, theta: float32, ratio: float32, limit: float32, most: int,
) -> bool:  # fmt: skip
    """Iterate in place until the squared change of the flow is at most ``limit``; return whether it was reached.

    Args:
        u: flow (2, h, w).
        p: dual fields (4, h + 1, w + 1): x and y of the first flow component, then of the second. Row 0 and
            column 0 stay zero, so that the divergence at the border needs no test.
        gradient: of the resampled second image (2, h, w); ``inverse`` its squared length, inverted.
        rest: the data term at zero flow.
        bound: weight times theta. ``ratio`` is tau over theta.
        most: iterations, at most.

    The primal step of row y needs old duals of rows y - 1 and y; the dual step of row y - 1 needs new flow
    of rows y - 1 and y. So one sweep does both, one row apart, while the rows are in the cache.
    """
    h, w = rest.shape
    shift = np.empty(w, np.float32)
    for _ in range(most):
        change = 0.0
        for y in range(h):
            threshold(shift, rest[y], gradient[0, y], gradient[1, y], inverse[y], u[0, y], u[1, y], bound)
            for c in range(2):
                px, py, above = p[2 * c, y + 1], p[2 * c + 1, y + 1], p[2 * c + 1, y]
                change += primal(u[c, y], shift, gradient[c, y], px[1:], px[:w], py[1:], above[1:], theta)
                if y > 0:
                    dual(p[2 * c, y, 1:], p[2 * c + 1, y, 1:], u[c, y - 1], u[c, y], ratio)
        for c in range(2):
            dual(p[2 * c, h, 1:], p[2 * c + 1, h, 1:], u[c, h - 1], u[c, h - 1], ratio)
        if change <= limit:
            return True
    return False


@jit
def threshold(
    shift: np.ndarray, rest: np.ndarray, gx: np.ndarray, gy: np.ndarray, inverse: np.ndarray,
    ux: np.ndarray, uy: np.ndarray, bound: float32,
) -> None:  # fmt: skip
    """Write the step of the data term along the gradient, for each pixel of a row."""
    for x in range(shift.size):
        residual = rest[x] + gx[x] * ux[x] + gy[x] * uy[x]
        shift[x] = min(max(-residual * inverse[x], -bound), bound)


@jit
def primal(
    u: np.ndarray, shift: np.ndarray, gradient: np.ndarray,
    px: np.ndarray, left: np.ndarray, py: np.ndarray, above: np.ndarray, theta: float32,
) -> float32:  # fmt: skip
    """Move one row of one flow component; return the sum of its squared changes."""
    change = ZERO
    for x in range(u.size):
        step = shift[x] * gradient[x] + theta * (px[x] - left[x] + (py[x] - above[x]))
        u[x] += step
        change += step * step
    return change


@jit
def dual(px: np.ndarray, py: np.ndarray, u: np.ndarray, below: np.ndarray, ratio: float32) -> None:
    """Move the dual fields of one row of one flow component. The last column has no right neighbour."""
    last = u.size - 1
    right = u[1:]
    for x in range(last):
        dx, dy = right[x] - u[x], below[x] - u[x]
        scale = ONE / (ONE + ratio * np.sqrt(dx * dx + dy * dy))
        px[x] = (px[x] + ratio * dx) * scale
        py[x] = (py[x] + ratio * dy) * scale
    dy = below[last] - u[last]
    py[last] = (py[last] + ratio * dy) / (ONE + ratio * abs(dy))


@jit
def resize(
    image: np.ndarray, out: np.ndarray, top: np.ndarray, bottom: np.ndarray, down: np.ndarray,
    left: np.ndarray, right: np.ndarray, across: np.ndarray, factor: float32,
) -> None:  # fmt: skip
    """Write ``image`` at another size, times ``factor``; see ``settings.taps`` for the indices and shares."""
    h, w = out.shape
    for y in range(h):
        upper, lower, part = image[top[y]], image[bottom[y]], down[y]
        for x in range(w):
            i, j, share = left[x], right[x], across[x]
            first = upper[i] * (ONE - share) + upper[j] * share
            second = lower[i] * (ONE - share) + lower[j] * share
            out[y, x] = (first * (ONE - part) + second * part) * factor


@jit
def cubic(part: float32) -> Four:
    """Return the weights of the four pixels around a place ``part`` of the way between the middle two."""
    far, rest = part + ONE, ONE - part
    a = BICUBIC
    first = ((a * far - float32(5) * a) * far + float32(8) * a) * far - float32(4) * a
    second = ((a + float32(2)) * part - (a + float32(3))) * part * part + ONE
    third = ((a + float32(2)) * rest - (a + float32(3))) * rest * rest + ONE
    return first, second, third, ONE - first - second - third


@jit
def floor(x: float32) -> np.int32:
    """Return the whole number below; ``math.floor`` would be a function call, and the slowest part."""
    whole = np.int32(x)
    return whole - np.int32(whole > x)


@jit
def along(plane: np.ndarray, i: np.uint64, j: np.uint64, weights: Four) -> Any:
    near = plane[i, j] * weights[0] + plane[i, j + U1] * weights[1]
    return near + plane[i, j + U2] * weights[2] + plane[i, j + U3] * weights[3]


@jit
def sample(plane: np.ndarray, i: np.uint64, j: np.uint64, across: Four, down: Four) -> Any:
    """Return the weighted sum of the 4 x 4 pixels that begin at row i and column j."""
    upper = along(plane, i, j, across) * down[0] + along(plane, i + U1, j, across) * down[1]
    return upper + along(plane, i + U2, j, across) * down[2] + along(plane, i + U3, j, across) * down[3]


@jit
def warp(
    planes: np.ndarray, first: np.ndarray, u: np.ndarray,
    gradient: np.ndarray, inverse: np.ndarray, rest: np.ndarray,
) -> None:  # fmt: skip
    """Sample the second image and its gradient at the places the flow points to; write what is constant within a warp.

    Args:
        planes: (3, h + 8, w + 8): second image, its x and y gradient, inside ``EDGE`` zeros.
        first: first image.
        u: flow.

    Outside the image everything is 0.
    """
    h, w = first.shape
    image, slope_x, slope_y = planes[0], planes[1], planes[2]
    for y in range(h):
        for x in range(w):
            ux, uy = u[0, y, x], u[1, y, x]
            to_x, to_y = float32(x) + ux, float32(y) + uy
            left, top = floor(to_x), floor(to_y)
            across, down = cubic(to_x - float32(left)), cubic(to_y - float32(top))
            j = np.uint64(min(max(left, -EDGE + 1), w + 1) + EDGE - 1)
            i = np.uint64(min(max(top, -EDGE + 1), h + 1) + EDGE - 1)
            gx, gy = sample(slope_x, i, j, across, down), sample(slope_y, i, j, across, down)
            gradient[0, y, x], gradient[1, y, x] = gx, gy
            inverse[y, x] = ONE / max(gx * gx + gy * gy, TINY)
            rest[y, x] = sample(image, i, j, across, down) - gx * ux - gy * uy - first[y, x]


@jit
def median(u: np.ndarray, out: np.ndarray, side: int) -> None:
    """Write the ``side`` x ``side`` (3 or 5) median of both flow components; the border is repeated."""
    h, w = u.shape[1:]
    r = side // 2
    padded = np.empty((h + 2 * r, w + 2 * r), np.float32)
    for c in range(2):
        for y in range(h + 2 * r):
            continued(u[c, min(max(y - r, 0), h - 1)], padded[y], r)
        for y in range(h):
            if side == 3:
                median3(padded[y], padded[y + 1], padded[y + 2], out[c, y])
            else:
                median5(padded[y], padded[y + 1], padded[y + 2], padded[y + 3], padded[y + 4], out[c, y])


@jit
def continued(row: np.ndarray, out: np.ndarray, r: int) -> None:
    """Write ``row`` with its ends repeated ``r`` times. (Assigning slices would take half the compile time.)"""
    w = row.size
    for x in range(w):
        out[r + x] = row[x]
    for x in range(r):
        out[x], out[r + w + x] = row[0], row[w - 1]


@jit
def low(a: float32, b: float32) -> float32:
    return a if a < b else b


@jit
def high(a: float32, b: float32) -> float32:
    return a if a > b else b


@jit
def sort3(a: float32, b: float32, c: float32) -> tuple[float32, float32, float32]:
    a, b = low(a, b), high(a, b)
    b, c = low(b, c), high(b, c)
    return low(a, b), high(a, b), c


@jit
def sort5(a: float32, b: float32, c: float32, d: float32, e: float32) -> Five:
    """Return five values in order: the shortest network, nine exchanges."""
    a, b = low(a, b), high(a, b)
    d, e = low(d, e), high(d, e)
    c, e = low(c, e), high(c, e)
    c, d = low(c, d), high(c, d)
    a, d = low(a, d), high(a, d)
    a, c = low(a, c), high(a, c)
    b, e = low(b, e), high(b, e)
    b, d = low(b, d), high(b, d)
    return a, low(b, c), high(b, c), d, e


@jit
def median3(r0: np.ndarray, r1: np.ndarray, r2: np.ndarray, out: np.ndarray) -> None:
    for x in range(out.size):
        a = sort3(r0[x], r1[x], r2[x])
        b = sort3(r0[x + 1], r1[x + 1], r2[x + 1])
        c = sort3(r0[x + 2], r1[x + 2], r2[x + 2])
        lows, highs = high(high(a[0], b[0]), c[0]), low(low(a[2], b[2]), c[2])
        out[x] = sort3(lows, sort3(a[1], b[1], c[1])[1], highs)[1]


@jit
def median5(r0: np.ndarray, r1: np.ndarray, r2: np.ndarray, r3: np.ndarray, r4: np.ndarray, out: np.ndarray) -> None:
    """Write the medians of one row, without a branch, so that eight are computed at once.

    Once columns and then ranks are in order, only the rising diagonal, the largest value just below it and
    the smallest just above it can be the median, and of the diagonal only its middle three.
    """
    for x in range(out.size):
        a = sort5(r0[x], r1[x], r2[x], r3[x], r4[x])
        b = sort5(r0[x + 1], r1[x + 1], r2[x + 1], r3[x + 1], r4[x + 1])
        c = sort5(r0[x + 2], r1[x + 2], r2[x + 2], r3[x + 2], r4[x + 2])
        d = sort5(r0[x + 3], r1[x + 3], r2[x + 3], r3[x + 3], r4[x + 3])
        e = sort5(r0[x + 4], r1[x + 4], r2[x + 4], r3[x + 4], r4[x + 4])
        p = sort5(a[0], b[0], c[0], d[0], e[0])
        q = sort5(a[1], b[1], c[1], d[1], e[1])
        r = sort5(a[2], b[2], c[2], d[2], e[2])
        s = sort5(a[3], b[3], c[3], d[3], e[3])
        t = sort5(a[4], b[4], c[4], d[4], e[4])
        middle = sort5(p[4], q[3], r[2], s[1], t[0])
        under = high(high(p[3], q[2]), high(r[1], s[0]))
        over = low(low(q[4], r[3]), low(s[2], t[1]))
        # Third of five: three in order and two in order.
        small, large = low(under, over), high(under, over)
        out[x] = low(middle[3], low(high(middle[2], small), high(middle[1], large)))
