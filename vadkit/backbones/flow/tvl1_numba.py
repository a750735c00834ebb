"""TV-L1 optical flow on the CPU: compiled loops, one pair of frames per thread.

Zach, Pock and Bischof, A Duality Based Approach for Realtime TV-L1 Optical Flow, DAGM 2007, in the form
of OpenCV's contributed module, which adds the median filter and the stop by mean change. Deviations from
that: no illumination term (its gamma is 0 everywhere) and no initial flow.

Legend: ``f`` frames, ``h`` rows, ``w`` columns; ``u`` (2, h, w) flow, x to the right and y down, pixels.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from vadkit.backbones.flow import tvl1_loops as loops
from vadkit.backbones.flow.settings import TvL1Settings, taps


def tvl1_numba(frames: np.ndarray, settings: TvL1Settings, threads: int) -> np.ndarray:
    """Return the flow between consecutive uint8 ``frames`` (f, h, w): float32 (f - 1, h, w, 2).

    Each pair is computed by one thread, so the numbers do not depend on ``threads``.
    """
    flow = np.empty((len(frames) - 1, *frames.shape[1:], 2), np.float32)

    def solve(i: int) -> None:
        flow[i] = _pair(frames[i], frames[i + 1], settings).transpose(1, 2, 0)

    if threads == 1 or len(flow) < 2:
        for i in range(len(flow)):
            solve(i)
        return flow
    with ThreadPoolExecutor(min(threads, len(flow))) as pool:
        list(pool.map(solve, range(len(flow))))
    return flow


def _pair(first: np.ndarray, second: np.ndarray, settings: TvL1Settings) -> np.ndarray:
    """Return the flow (2, h, w) of one pair, coarse to fine."""
    sizes = settings.sizes(*first.shape)
    levels = list(zip(_pyramid(first, sizes, settings.step), _pyramid(second, sizes, settings.step)))
    u = np.zeros((2, *sizes[-1]), np.float32)
    for one, other in reversed(levels):
        if u.shape[1:] != one.shape:
            u = _finer(u, one.shape, settings.step)
        u = _level(one, other, u, settings)
    return u


def _pyramid(image: np.ndarray, sizes: list[tuple[int, int]], step: float) -> list[np.ndarray]:
    levels = [np.ascontiguousarray(image, np.float32)]  # another layout would compile all loops again
    for size in sizes[1:]:
        levels.append(_resize(levels[-1], size, (1 / step, 1 / step), 1.0))
    return levels


def _finer(u: np.ndarray, size: tuple[int, ...], step: float) -> np.ndarray:
    """Bring the flow to the next level's exact size; its values grow by the nominal step."""
    h, w = size
    scales = (u.shape[1] / h, u.shape[2] / w)
    return np.stack([_resize(plane, (h, w), scales, 1 / step) for plane in u])


def _resize(image: np.ndarray, size: tuple[int, int], scales: tuple[float, float], factor: float) -> np.ndarray:
    out = np.empty(size, np.float32)
    y, x = (taps(old, new, scale) for old, new, scale in zip(image.shape, size, scales))
    loops.resize(image, out, y.low, y.high, y.part, x.low, x.high, x.part, np.float32(factor))
    return out


def _level(first: np.ndarray, second: np.ndarray, u: np.ndarray, settings: TvL1Settings) -> np.ndarray:
    """Return the flow of one level. The dual fields live as long as the level."""
    h, w = first.shape
    planes = _planes(second)
    p = np.zeros((4, h + 1, w + 1), np.float32)
    fixed = [np.empty(shape, np.float32) for shape in ((2, h, w), (h, w), (h, w))]
    spare = np.empty_like(u)
    numbers = [settings.weight * settings.theta, settings.theta, settings.tau / settings.theta]
    arguments = [np.float32(number) for number in (*numbers, settings.epsilon**2 * first.size)]
    for _ in range(settings.warps):
        loops.warp(planes, first, u, *fixed)
        for _ in range(settings.outer):
            if settings.median > 1:
                loops.median(u, spare, settings.median)
                u, spare = spare, u
            if loops.inner_loop(u, p, *fixed, *arguments, settings.inner):
                break
    return u


def _planes(image: np.ndarray) -> np.ndarray:
    """Return the image and its centred gradients inside zeros; see ``loops.warp``."""
    h, w = image.shape
    padded = np.pad(image, 1, mode="edge")
    planes = np.zeros((3, h + 2 * loops.EDGE, w + 2 * loops.EDGE), np.float32)
    inside = planes[:, loops.EDGE : -loops.EDGE, loops.EDGE : -loops.EDGE]
    inside[0] = image
    inside[1] = (padded[1:-1, 2:] - padded[1:-1, :-2]) * np.float32(0.5)
    inside[2] = (padded[2:, 1:-1] - padded[:-2, 1:-1]) * np.float32(0.5)
    return planes
