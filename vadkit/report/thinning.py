"""Draw a curve of millions of values with a few thousand points that look the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

COLUMNS = 1000  # about the pixels across the widest chart


def thinned(x: Sequence[float], y: Sequence[float], columns: int = COLUMNS) -> tuple[np.ndarray, np.ndarray]:
    """Return the points that decide how a curve looks: in each column its first, lowest, highest and last one.

    A curve of few points, or whose ``x`` (n,) falls anywhere, is returned as it is. Of a gap (``y`` (n,) not finite),
    one point in each column is kept.
    """
    across, height = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(across) <= 4 * columns or not (np.diff(across) >= 0).all():
        return across, height
    span = across[-1] - across[0] or 1.0
    column = np.minimum((columns * (across - across[0]) / span).astype(np.int64), columns - 1)
    known = np.isfinite(height)
    starts = np.flatnonzero(np.r_[True, (np.diff(column) != 0) | (known[1:] != known[:-1])])
    group = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(across)]))
    order = np.lexsort((height, group))  # by height within each group
    ends = np.r_[starts[1:], len(across)] - 1
    kept = np.unique(np.r_[starts, ends, order[starts], order[ends]])
    kept = kept[known[kept] | np.isin(kept, starts)]
    return across[kept], height[kept]


def as_points(edges: Sequence[float], y: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return steps, each value from its edge to the next, as the two ends of each: (2 n,) and (2 n,)."""
    across = np.asarray(edges, np.float64)
    return np.repeat(across, 2)[1:-1], np.repeat(np.asarray(y, np.float64), 2)
