"""Bring a video to training length by averaging: equal segments, the mean of the snippets in each.

Sultani et al., "Real-world Anomaly Detection in Surveillance Videos", CVPR 2018 (32 segments);
UR-DMU, AAAI 2023 (200 segments). Each has its own edges.

Legend: t snippets, c channels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, Literal

import numpy as np

from vadkit import Sampler, hookimpl


class SegmentMean(Sampler):
    """Cut a video into equal segments and take the mean of each.

    Segment i is the mean of rows e_i .. e_i+1 - 1, or row e_i where that is empty, so a short video
    repeats rows and nothing is padded. The edges are

        floor:  e = floor(linspace(0, t, length + 1))        UR-DMU, RTFM
        round:  e = round(linspace(1, t, length + 1)) - 1    Sultani et al. (Matlab: halves go up)

    With "round" the last row of a video of two and more is in no segment, as in the authors' code, where the
    branch that was to include it is never taken.

    Each stream is segmented separately. At test time (``eval.sampler``) the segments are the one piece of a
    video, and each row gets the score of its segment: of the last of them if several begin there, and of the last
    segment if it is in none. Bit for bit equal to the authors' loop over segments, at
    several times its speed. Deviation: UR-DMU stores the edges of XD-Violence in 16 bits, which wrap
    at 65 536 snippets; here they do not.

    Args:
        length: segments in training.
        edges: where segments begin, see above.
    """

    name = "segment_mean"
    draws = False
    paper = "Sultani et al., Real-world Anomaly Detection in Surveillance Videos, CVPR 2018"
    fidelity = "code"

    def __init__(self, *, length: int = 200, edges: Literal["floor", "round"] = "floor") -> None:
        if length < 1:
            raise ValueError(f"length must be at least 1, not {length}")
        self.length, self.edges = length, edges

    def sample(self, streams: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[dict[str, np.ndarray], int]:
        """Take (t, c) arrays of at least one row; return them as (length, c), all of it real."""
        return {name: segment_means(x, self.length, None, self.edges) for name, x in streams.items()}, self.length

    def sample_into(self, streams: dict[str, np.ndarray], rng: np.random.Generator, out: dict[str, np.ndarray]) -> int:
        """As ``sample``, into ``out``."""
        for name, x in streams.items():
            segment_means(x, self.length, out[name], self.edges)
        return self.length

    def cut(self, streams: dict[str, np.ndarray]) -> list[tuple[dict[str, np.ndarray], int]]:
        """Take (t, c) arrays of one t; return their segments as one piece."""
        return [({name: segment_means(x, self.length, None, self.edges) for name, x in streams.items()}, self.length)]

    def spread(self, scores: list[np.ndarray], t: int) -> np.ndarray:
        """Take the scores (length,) of the segments; return those of the rows (t,)."""
        edges = segment_edges(t, self.length, self.edges)
        return scores[0][np.searchsorted(edges[:-1], np.arange(t), side="right") - 1]


@lru_cache(maxsize=1024)
def segment_edges(rows: int, segments: int, how: str = "floor") -> np.ndarray:
    """Return the segments + 1 row numbers that bound the segments, read-only."""
    bounds = np.linspace(0, rows, segments + 1) if how == "floor" else np.linspace(1, rows, segments + 1) - 0.5
    edges = np.floor(bounds).astype(np.int64)
    edges.setflags(write=False)
    return edges


# -- the mean of each segment, fast ----------------------------------------------------------------
LARGE = 1 << 16  # numbers in a result for which starting numba pays off
Kernel = Callable[[np.ndarray, np.ndarray, np.ndarray], None]


def segment_means(x: np.ndarray, segments: int, out: np.ndarray | None = None, how: str = "floor") -> np.ndarray:
    """Return the mean row of each segment of ``x`` (t, c), as (segments, c), in ``out`` if given.

    The rows of a segment are added one after the other. That is the order in which a mean over the
    first axis adds, so the result is bit-identical to one mean per segment.
    """
    edges = segment_edges(len(x), segments, how)
    if out is None:
        out = np.empty((segments, x.shape[1]), x.dtype)
    # Starting numba takes a second, so a few small videos do without it; the result is the same.
    kernel = _kernel() if out.size >= LARGE or _kernel.cache_info().currsize else None
    if kernel is not None and x.dtype == out.dtype == np.float32:
        kernel(np.ascontiguousarray(x), edges, out)
    else:
        _in_passes(x, edges, out)
    return out


@cache
def _kernel() -> Kernel | None:
    """Return the compiled loop, cached on disk where possible; None without numba."""
    try:
        from numba import njit
    except ImportError:
        return None
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}  # and sums in the order of the code
    try:
        return njit(cache=True, **options)(_row_by_row)  # type: ignore[no-any-return]
    except RuntimeError:  # no writable folder
        return njit(**options)(_row_by_row)  # type: ignore[no-any-return]


def _row_by_row(x: np.ndarray, edges: np.ndarray, out: np.ndarray) -> None:
    """Average the segments row by row; slow unless numba compiles it."""
    segments, channels = out.shape
    for i in range(segments):
        first, end = edges[i], edges[i + 1]
        last, count = end - 1, np.float32(end - first)
        if last <= first:
            for c in range(channels):
                out[i, c] = x[first, c]
        elif last == first + 1:  # by far the most common of the longer ones
            for c in range(channels):
                out[i, c] = (x[first, c] + x[last, c]) / count
        else:
            for c in range(channels):
                out[i, c] = x[first, c]
            for row in range(first + 1, last):
                for c in range(channels):
                    out[i, c] += x[row, c]
            for c in range(channels):
                out[i, c] = (out[i, c] + x[last, c]) / count


def _in_passes(x: np.ndarray, edges: np.ndarray, out: np.ndarray) -> None:
    """Average the segments with numpy: add the k-th rows of all segments at once."""
    start, count = edges[:-1], np.diff(edges)
    out[...] = x[start]
    for k in range(1, int(count.max())):
        longer = count > k
        out[longer] += x[start[longer] + k]
    np.divide(out, np.maximum(count, 1)[:, None], out=out, dtype=out.dtype, casting="unsafe")


@hookimpl
def vadkit_components() -> list[type]:
    return [SegmentMean]
