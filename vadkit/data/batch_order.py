"""Which bags are in the batch of a step: a pure function of (seed, step), so a run can start anywhere.

Every label is an endless sequence that is reshuffled after each pass, or a list that begins again in each epoch.
Legend: a bag is one crop of a video, or all its crops.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


class EndlessShuffle:
    """An endless sequence of the numbers below ``count``, reshuffled after each pass.

    Args:
        count: how many numbers, at least 1.
        seed, stream: sequences with different streams are independent, even if the seed is the same.
    """

    def __init__(self, count: int, seed: int, stream: int) -> None:
        self.count, self.seed, self.stream = count, seed, stream
        self._pass = lru_cache(maxsize=4)(self._shuffled)

    def _shuffled(self, number: int) -> np.ndarray:
        return np.random.default_rng([self.seed, self.stream, number]).permutation(self.count)

    def take(self, start: int, stop: int) -> list[int]:
        """Return the entries from ``start`` to before ``stop``."""
        return [int(self._pass(i // self.count)[i % self.count]) for i in range(start, stop)]


class EndlessList:
    """The numbers below ``count`` in order, over and over."""

    def __init__(self, count: int) -> None:
        self.count = count

    def take(self, start: int, stop: int) -> list[int]:
        """Return the entries from ``start`` to before ``stop``."""
        return [i % self.count for i in range(start, stop)]


class Paired:
    """As many bags of one group as of the other in each step, those of the first group first.

    An epoch ends when the smaller group cannot fill another batch, as in the authors' code. ``listed`` bags come in
    order, and each epoch begins with the first of both groups: it has the pairs of every other epoch.
    """

    def __init__(self, first: int, second: int, batch: int, seed: int, listed: bool = False) -> None:
        self.counts, self.batch, self.listed = (first, second), batch, listed
        self.sequences = [
            EndlessList(count) if listed else EndlessShuffle(count, seed, stream)
            for stream, count in enumerate(self.counts)
        ]

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return max(1, min(self.counts) // self.batch)

    def bags(self, step: int) -> tuple[list[int], list[int]]:
        """Return the numbers of the bags within their groups, ``batch`` of each."""
        step = step % self.steps if self.listed else step
        first, second = (s.take(step * self.batch, (step + 1) * self.batch) for s in self.sequences)
        return first, second


class Unpaired:
    """Bags of whatever label, shuffled or ``listed``; each is used once in an epoch and the last batch is smaller."""

    def __init__(self, count: int, batch: int, seed: int, listed: bool = False) -> None:
        self.count, self.batch = count, batch
        self.sequence = EndlessList(count) if listed else EndlessShuffle(count, seed, 2)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-self.count // self.batch)

    def bags(self, step: int) -> list[int]:
        """Return the numbers of the bags."""
        epoch, step = divmod(step, self.steps)
        start = epoch * self.count + step * self.batch
        return self.sequence.take(start, min(start + self.batch, (epoch + 1) * self.count))


def share(rows: list[int], rank: int, world_size: int) -> list[int]:
    """Return the rows of one process: the shares of all ranks, concatenated, are ``rows``."""
    return rows[len(rows) * rank // world_size : len(rows) * (rank + 1) // world_size]
