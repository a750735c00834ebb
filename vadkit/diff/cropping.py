"""Which crop of A is which crop of B.

Legend: k crops, t snippets, dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

Blocks = Sequence[tuple[np.ndarray, np.ndarray]]  # A (k, t, dim) and B (k, t, dim) of each video, rows in step
MEAN = -1  # in place of a crop's number: the mean over all of them
CLEAR = 0.5  # another crop must leave less than this part of what the crop of the same number leaves


@dataclass(frozen=True)
class CropMap:
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

    def tell(self) -> str:
        """Say it in words."""
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
    from vadkit.backbones.crops import Order, crop_places  # imported here, for it takes torch

    orders = {order: crop_places(2, 2, 1, order) for order in get_args(Order)}
    return {order: [(crop.place, crop.mirrored) for crop in crops] for order, crops in orders.items()}


def find_crops(blocks: Blocks) -> CropMap:
    """Return which crop is which; as they are, unless another order leaves clearly less unexplained."""
    if len(blocks[0][0]) < len(blocks[0][1]):
        turned = find_crops([(b, a) for a, b in blocks])
        return CropMap(turned.crops, turned.count, "A")
    count_a, count_b = len(blocks[0][0]), len(blocks[0][1])
    likeness = _likeness(blocks)
    if count_b == 1 and count_a > 1 and _is_mean(blocks, likeness):
        return CropMap((MEAN,), count_a)
    crops = []
    for j in range(count_b):
        best = int(likeness[:, j].argmax())
        clear = 1 - likeness[best, j] < CLEAR * (1 - likeness[j, j])
        crops.append(best if clear else j)
    return CropMap(tuple(crops), count_a)


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
