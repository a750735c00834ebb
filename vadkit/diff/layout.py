"""Axes in another order, and features of another width.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

import numpy as np

AXES = {(0, 1, 2): None, (1, 0, 2): "crops and snippets are swapped", (0, 2, 1): "snippets and width are swapped"}


def bring_axes(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Return B (crops, t, dim) with its axes in A's order, and what was done, if anything.

    Only what the widths prove, or a number of crops that is the other's number of snippets, is taken for swapped.
    """
    if b.shape[2] == a.shape[2]:
        swapped = b.shape[0] != a.shape[0] and b.shape[1] == a.shape[0] and abs(b.shape[0] - a.shape[1]) <= 1
        order = (1, 0, 2) if swapped else (0, 1, 2)
    elif b.shape[1] == a.shape[2]:
        order = (0, 2, 1)
    else:
        order = (0, 1, 2)
    return b.transpose(order), AXES[order]


def part_of_width(a: np.ndarray, b: np.ndarray) -> str | None:
    """Return where one side's features stand among the other's wider ones, or None.

    Takes (crops, t, dim) of different widths.
    """
    wide, narrow, names = (b, a, "BA") if b.shape[2] > a.shape[2] else (a, b, "AB")
    if wide.shape[:2] != narrow.shape[:2]:
        return None
    dim = narrow.shape[2]
    # Streams are joined end to end, so a part begins at a multiple of its width or ends at the end.
    for start in sorted({*range(0, wide.shape[2] - dim + 1, dim), wide.shape[2] - dim}):
        if np.array_equal(wide[:, :, start : start + dim], narrow):
            return f"columns {start} to {start + dim} of {names[0]} are {names[1]}"
    return None


def order_of_dims(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray | None, str | None]:
    """Return the order of A's dimensions in which B has them, and its name; None twice if it is A's own.

    Compares only the mean and the deviation of each dimension over rows (n, dim), so it does not matter in which
    order the rows are.
    """
    mean_a, mean_b = profile(a), profile(b)
    dim = a.shape[1]
    if dim < 4 or likeness(mean_a, mean_b) > 0.9:
        return None, None
    for name, order in {"reversed": np.arange(dim)[::-1], "halves swapped": np.roll(np.arange(dim), dim // 2)}.items():
        if likeness(mean_a[:, order], mean_b) > 0.99:
            return order, name
    order = _by_rank(mean_a, mean_b)
    # Sorted profiles of any two networks look alike, so here only equal ones count.
    same = np.abs(mean_a[:, order] - mean_b).max() <= 1e-4 * np.ptp(mean_a)
    return (order, "in another order") if same else (None, None)


def profile(rows: np.ndarray) -> np.ndarray:
    """Return (2, dim): mean and deviation of each dimension of rows (n, dim)."""
    return np.stack([rows.mean(0), rows.std(0)])


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation of two profiles: their means' and deviations', the worse one that can be told."""
    found = []
    for x, y in zip(a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)):
        norms = float(np.linalg.norm(x) * np.linalg.norm(y))
        if norms > 1e-12:
            found.append(float(x @ y) / norms)
    return min(found, default=1.0)


def _by_rank(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the order of A's dimensions whose profiles, sorted, go with B's, sorted."""
    order = np.empty(a.shape[1], int)
    order[np.lexsort((b[1], b[0]))] = np.lexsort((a[1], a[0]))
    return order
