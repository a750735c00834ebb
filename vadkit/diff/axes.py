"""Axes, dimensions and crops in another order, and features of another width.

Legend: k crops, t snippets, dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

AXES = {(0, 1, 2): None, (1, 0, 2): "crops and snippets are swapped", (0, 2, 1): "snippets and width are swapped"}
Blocks = Sequence[tuple[np.ndarray, np.ndarray]]  # A (k, t, dim) and B (k, t, dim) of each video, rows in step
MEAN = -1  # in place of a crop's number: the mean over all of them
CLEAR = 0.5  # another crop must leave less than this part of what the crop of the same number leaves


def bring_axes(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Return B (crops, t, dim) with its axes in A's order, and which were swapped, if any.

    Axes count as swapped only if the widths prove it, or if the number of crops is the other's number of snippets.
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
    """Return where one side's features are among the other's wider ones, or None.

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

    Compares only the mean and the deviation of each dimension over rows (n, dim), so the order of the rows does not
    matter.
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
    """Return the correlation of two profiles: their means' and deviations', the worse one of those that vary."""
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


# -- crops --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class CropOrder:
    """Crop j of ``few`` is crop ``crops[j]`` of ``many``, which has ``count`` (``MEAN``: the mean of all of them).

    ``few`` is "B" unless A has fewer crops.
    """

    crops: tuple[int, ...]
    count: int
    few: str = "B"

    @property
    def many(self) -> str:
        return "A" if self.few == "B" else "B"

    @property
    def plain(self) -> bool:
        return self.crops == tuple(range(self.count))

    def apply(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take A and B (k, t, dim), return both with the crops in step."""
        return (self._pick(a), b) if self.few == "B" else (a, self._pick(b))

    def _pick(self, x: np.ndarray) -> np.ndarray:
        return np.stack([x.mean(0) if crop == MEAN else x[crop] for crop in self.crops])

    def describe(self) -> str:
        """Return it in words."""
        numbers = ", ".join("mean" if crop == MEAN else str(crop) for crop in self.crops)
        few, many = self.few, self.many
        if self.crops == (MEAN,):
            return f"{few} is the mean of {many}'s {self.count} crops"
        if self.crops == tuple(range(len(self.crops))):
            return f"{few} has only the first {len(self.crops)} of {many}'s {self.count} crops"
        if len(self.crops) == 1:
            return f"{few} is crop {self.crops[0]} of {many}'s {self.count}"
        if len(set(self.crops)) < len(self.crops):
            return f"some crops of {few} are copies of others: they are {many}'s {numbers}"
        return f"{few}'s crops are {many}'s {numbers}{_named(self.crops)}"


def _named(crops: tuple[int, ...]) -> str:
    """Name the convention that a permutation of crops leads from and to, if there is one."""
    if sorted(crops) != [*range(len(crops))]:
        return ""
    orders = {order: views for order, views in _views().items() if len(views) == len(crops)}
    for first, views in orders.items():
        for second in orders:
            if first != second and [views[i] for i in crops] == orders[second]:
                return f", as from the order '{first}' to '{second}'"
    return ""


def _views() -> dict[str, list[tuple[str, bool]]]:
    """Return what each crop shows, by order."""
    from vadkit.backbones.crops import Order, crop_places  # imported here, because it needs torch

    orders = {order: crop_places(2, 2, 1, order) for order in get_args(Order)}
    return {order: [(crop.place, crop.mirrored) for crop in crops] for order, crops in orders.items()}


def find_crops(blocks: Blocks) -> CropOrder:
    """Return which crop is which; in the same order, unless another one leaves clearly less unexplained."""
    if len(blocks[0][0]) < len(blocks[0][1]):
        reverse = find_crops([(b, a) for a, b in blocks])
        return CropOrder(reverse.crops, reverse.count, "A")
    count_a, count_b = len(blocks[0][0]), len(blocks[0][1])
    likeness = _likeness(blocks)
    if count_b == 1 and count_a > 1 and _is_mean(blocks, likeness):
        return CropOrder((MEAN,), count_a)
    crops = []
    for j in range(count_b):
        best = int(likeness[:, j].argmax())
        clear = 1 - likeness[best, j] < CLEAR * (1 - likeness[j, j])
        crops.append(best if clear else j)
    return CropOrder(tuple(crops), count_a)


def _likeness(blocks: Blocks) -> np.ndarray:
    """Return the correlation of each crop of A with each of B (k_a, k_b), about each side's mean over everything."""
    size = len(blocks[0][0]), len(blocks[0][1])
    product, power_a, power_b = np.zeros(size), np.zeros(size[0]), np.zeros(size[1])
    mean_a, mean_b = (_mean([block[side] for block in blocks]) for side in (0, 1))
    for a, b in blocks:
        x, y = (a - mean_a).reshape(len(a), -1), (b - mean_b).reshape(len(b), -1)
        product += x @ y.T
        power_a, power_b = power_a + (x * x).sum(1), power_b + (y * y).sum(1)
    power = np.sqrt(np.outer(power_a, power_b))
    found: np.ndarray = np.divide(product, power, out=np.zeros(size), where=power > 1e-20)
    return found


def _mean(parts: Sequence[np.ndarray]) -> np.ndarray:
    rows = sum(part.shape[0] * part.shape[1] for part in parts)
    total: np.ndarray = np.sum([part.sum((0, 1)) for part in parts], axis=0)
    return np.asarray(total / rows)


def _is_mean(blocks: Blocks, likeness: np.ndarray) -> bool:
    mean = _likeness([(a.mean(0, keepdims=True), b) for a, b in blocks])[0, 0]
    return bool(1 - mean < CLEAR * (1 - likeness.max()))
