"""Loading as in published code: a file is loaded for every item and crop, segments are averaged in a Python
loop, torch's DataLoader collates, and its workers are processes. Our own implementation.

Legend: t snippets, segments in training 200.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

SEGMENTS = 200
Paths = tuple[str, ...]  # the file of every stream


def segment_means(x: np.ndarray, segments: int = SEGMENTS) -> np.ndarray:
    """Return the mean row of each segment."""
    result = np.zeros((segments, x.shape[1]), np.float32)
    edges = np.linspace(0, len(x), segments + 1, dtype=np.uint16)
    for i in range(segments):
        if edges[i] != edges[i + 1]:
            result[i] = np.mean(x[edges[i] : edges[i + 1]], axis=0)
        else:
            result[i] = x[edges[i]]
    return result


class TrainItems(Dataset[tuple[list[np.ndarray], float]]):
    """An item is one crop of one video."""

    def __init__(self, items: Sequence[Paths], label: float) -> None:
        self.items, self.label = items, label

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[list[np.ndarray], float]:
        arrays = [np.array(np.load(path), dtype=np.float32) for path in self.items[index]]
        return [segment_means(x) for x in arrays], self.label


class TestItems(Dataset[list[np.ndarray]]):
    """An item is one crop of one video, whole. Streams are cut to the shortest."""

    def __init__(self, items: Sequence[Paths]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> list[np.ndarray]:
        arrays = [np.array(np.load(path), dtype=np.float32) for path in self.items[index]]
        t = min(map(len, arrays))
        return [x[:t] for x in arrays]


class UsualLoader:
    """Two DataLoaders, one of normal and one of abnormal items; their batches are concatenated."""

    def __init__(self, normal: Sequence[Paths], abnormal: Sequence[Paths], batch: int, workers: int) -> None:
        self.loaders = [
            DataLoader(TrainItems(items, label), batch_size=batch, shuffle=True, drop_last=True, num_workers=workers)
            for items, label in ((normal, 0.0), (abnormal, 1.0))
        ]

    def epoch(self) -> Iterator[tuple[list[Tensor], Tensor]]:
        """Yield streams (b, t, dim) and labels (b)."""
        for (normal, zeros), (abnormal, ones) in zip(*self.loaders):
            yield [torch.cat(pair) for pair in zip(normal, abnormal)], torch.cat([zeros, ones])


def test_pass(items: Sequence[Paths], crops: int, workers: int) -> Iterator[list[Tensor]]:
    """Yield the streams of each video, (crops, t, dim)."""
    yield from DataLoader(TestItems(items), batch_size=crops, shuffle=False, num_workers=workers)
