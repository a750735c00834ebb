"""Scores of one source as they become final, with their times, what each stream adds, and the events of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vadkit.watch.cuts import Cut
from vadkit.watch.events import Event, EventRule, EventTracker
from vadkit.watch.features import Row

LIMIT = 16.0  # of a logit; scores are float32
CALM = 256  # snippets over which the neutral features of a stream are averaged
LONGEST_LOSS = 64  # dropped snippets that are bridged; after more, the model begins afresh


class Stepper(Protocol):
    """Takes one snippet after the other and returns the scores that each made final; see ``vadkit.stream``."""

    lookahead: int

    def step(self, row: Mapping[str, np.ndarray]) -> list[tuple[int, float]]: ...

    def finish(self) -> list[tuple[int, float]]: ...


@dataclass(frozen=True)
class Score:
    """The score of a snippet. ``latency`` is the time from its last picture to its score, in seconds."""

    start: float
    end: float
    score: float
    contributions: dict[str, float]
    latency: float


@dataclass(frozen=True)
class _Place:
    start: float
    end: float
    arrived: float
    seen: bool  # False: it was dropped, and its score is of the snippet before it


class Session:
    """The scores of one connection of a source.

    A dropped snippet is bridged: the model sees the one before it once more, and its score is not reported.

    Args:
        build: returns a new stepper.
        streams: by whose absence contributions are measured; with none or one there are no contributions.
        threshold: scores below it count as calm.
    """

    def __init__(
        self, build: Callable[[], Stepper], streams: tuple[str, ...], threshold: float, is_logit: bool
    ) -> None:
        self.build, self.streams, self.threshold, self.is_logit = build, streams, threshold, is_logit
        self.calm = {name: _Mean() for name in streams}
        self._restart(0)

    def _restart(self, index: int) -> None:
        self.main = self.build()
        self.without = {name: self.build() for name in self.streams if len(self.streams) > 1}
        self.first = self.next = index  # the snippet that is the steppers' first, and the one that comes next
        self.places: dict[int, _Place] = {}
        self.finals: dict[str, dict[int, float]] = {name: {} for name in self.without}
        self.rows: dict[int, Row] = {}
        self.last: Row | None = None

    def add(self, cut: Cut, row: Row) -> list[Score]:
        """Take the next snippet with its features; a stream that is absent adds 0."""
        found: list[Score] = []
        if self.last is not None and cut.index - self.next > LONGEST_LOSS:
            found = self.finish()
            self.last = None
        if self.last is None:
            self._restart(cut.index)
        while self.next < cut.index and self.last is not None:
            found += self._step(self.last, _Place(cut.start, cut.start, cut.arrived, False))
        return found + self._step(row, _Place(cut.start, cut.end, cut.arrived, True))

    def finish(self) -> list[Score]:
        """Return the scores that waited for later snippets."""
        for name, stepper in self.without.items():
            self.finals[name].update(stepper.finish())
        return self._scores(self.main.finish())

    def _step(self, row: Row, place: _Place) -> list[Score]:
        self.places[self.next - self.first] = place
        self.rows[self.next - self.first] = row
        self.last = row
        self.next += 1
        for name, stepper in self.without.items():
            calm = {name: self.calm[name].value(row[name])} if name in row else {}
            self.finals[name].update(stepper.step({**row, **calm}))
        return self._scores(self.main.step(row))

    def _scores(self, finals: list[tuple[int, float]]) -> list[Score]:
        now = time.monotonic()
        found = []
        for index, score in finals:
            place, row = self.places.pop(index), self.rows.pop(index)
            lifts = {name: self._lift(score, values.pop(index, score)) for name, values in self.finals.items()}
            if not place.seen:
                continue
            if score < self.threshold:
                for name in row.keys() & self.calm.keys():
                    self.calm[name].add(row[name])
            found.append(Score(place.start, place.end, score, lifts, now - place.arrived))
        return found

    def _lift(self, score: float, without: float) -> float:
        return self._value(score) - self._value(without)

    def _value(self, score: float) -> float:
        """Return the logit of a probability, or the score itself."""
        if not self.is_logit:
            return score
        edge = 1 / (1 + np.exp(LIMIT))
        p = min(max(float(score), edge), 1 - edge)
        return float(np.log(p) - np.log1p(-p))


class _Mean:
    """The mean features of the last calm snippets."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: np.ndarray | None = None

    def add(self, row: np.ndarray) -> None:
        self.count = min(self.count + 1, CALM)
        self.mean = row.astype(np.float64) if self.mean is None else self.mean + (row - self.mean) / self.count

    def value(self, row: np.ndarray) -> np.ndarray:
        """Return the mean, or the snippet itself while none is known."""
        return row if self.mean is None else self.mean.astype(np.float32)


class SourceEvents:
    """The events of one source: scores in, messages out. Its times never go back."""

    def __init__(self, source: str, rule: EventRule) -> None:
        self.source, self.tracker = source, EventTracker(source, rule)
        self.end = -np.inf

    def add(self, score: Score) -> list[Event]:
        start = max(score.start, self.end)
        self.end = max(score.end, start)
        return self.tracker.add(start, score.score, score.contributions)

    def close(self) -> list[Event]:
        """End what lasts, because the source has stopped."""
        return self.tracker.close(self.end) if np.isfinite(self.end) else []
