"""The rule of events whose rate of alarms on ordinary footage is a wanted one, and the interval of that rate.

``off`` is the score that ordinary footage reaches four times as long as ``on``: far enough below it that an event does
not end and begin again while scores flicker, and still so rare that it ends soon after. It depends on the order of the
scores alone, not on their scale. ``on`` is then where the footage raises the wanted number of events.

**Interval.** The number of alarms in a time is taken as a count of independent events, so that the true rate at a
threshold that was put where K events are has a gamma distribution of shape K (the exact Poisson interval). Where events
come in clusters, the count varies more: the shape is divided by the dispersion, variance over mean, of the counts in 30
equal stretches of the footage, at a lower threshold with at least 30 events; never below 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vadkit.events import EventRule, spans
from vadkit.problems import fail

DAY = 86400.0
LEAST = 3.0  # events that the footage is to raise: with fewer, the interval says nothing
WIDER = 4  # how much longer ordinary footage is at ``off`` than at ``on``
STRETCHES = 30
MANY = 30  # events for the dispersion
CONFIDENCE = 0.95
METHOD = "gamma interval of a Poisson count, its shape divided by the dispersion of counts in 30 stretches of footage"


@dataclass(frozen=True)
class Footage:
    """The scores of one ordinary video. Legend: t snippets.

    Attributes:
        scores: float64 (t,), rounded to 1e-6.
        edges: (t + 1,) starts of the snippets and the end of the last, in seconds.
    """

    name: str
    scores: np.ndarray
    edges: np.ndarray

    @property
    def seconds(self) -> float:
        return float(self.edges[-1] - self.edges[0])


@dataclass(frozen=True)
class Learned:
    """The rule, and what is known of its alarms on ordinary footage.

    Attributes:
        alarms_per_day: the wanted rate.
        interval: the rates between which the true one is, with ``CONFIDENCE``.
        hours: of the footage.
        events: that the rule finds in it.
        dispersion: of the counts; 1 for independent events.
    """

    rule: EventRule
    alarms_per_day: float
    interval: tuple[float, float]
    hours: float
    events: int
    dispersion: float


def learn(footage: Sequence[Footage], alarms_per_day: float, least_s: float = 0.0, cool_down_s: float = 0.0) -> Learned:
    """Return the rule that raises so many alarms a day on ordinary footage.

    Raises VadkitError for footage that is too short for the rate, and for scores that no threshold can tell apart.
    """
    if not alarms_per_day > 0 or not math.isfinite(alarms_per_day):
        fail(f"alarms per day is {alarms_per_day:g}; it must be above 0")
    seconds = sum(part.seconds for part in footage)
    wanted = alarms_per_day * seconds / DAY
    if wanted < LEAST:
        _too_short(seconds, alarms_per_day)
    counts = _Counts(footage, least_s, cool_down_s)
    rule = counts.rule(_on(counts, wanted, alarms_per_day))
    dispersion = _dispersion(counts, wanted)
    shape = wanted / dispersion
    low, high = (gamma_quantile(shape, p) / shape for p in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Learned(
        rule,
        alarms_per_day,
        (alarms_per_day * low, alarms_per_day * high),
        seconds / 3600,
        counts.of(rule),
        dispersion,
    )


def _too_short(seconds: float, alarms_per_day: float) -> None:
    needed = LEAST * DAY / alarms_per_day
    possible = LEAST * DAY / seconds if seconds else math.inf
    fail(
        f"{as_time(seconds)} of ordinary footage are too short for {alarms_per_day:g} alarms a day: the rate is "
        f"learned from at least {LEAST:g} alarms, which take {as_time(needed)}",
        f"give {as_time(needed)} of footage or more, or ask for at least {possible:.3g} alarms a day",
    )


def as_time(seconds: float) -> str:
    """Return a length of time for people: '40 s', '12 min', '36 h', '3.5 days'."""
    for unit, size in (("days", DAY), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{math.ceil(seconds / size * 10) / 10:g} {unit}"
    return f"{seconds:.0f} s"


class _Counts:
    """How many events the footage has, by the score that begins one."""

    def __init__(self, footage: Sequence[Footage], least_s: float, cool_down_s: float) -> None:
        self.footage, self.least_s, self.cool_down_s = footage, least_s, cool_down_s
        scores = np.concatenate([part.scores for part in footage])
        self.sorted = np.sort(scores)[::-1]
        self.levels = np.unique(scores)[::-1]  # from high to low
        # How many are looked at: below the median, most of the footage would be one event.
        self.last = int(np.searchsorted(-self.levels, -self.sorted[len(scores) // 2], "right"))
        self._known: dict[int, int] = {}

    def rule(self, on: float) -> EventRule:
        """Return the rule of an ``on``, with the ``off`` that belongs to it."""
        reached = int(np.searchsorted(-self.sorted, -on, "right"))  # snippets at or above it
        off = self.sorted[min(WIDER * max(reached, 1), max(reached, len(self.sorted) // 2), len(self.sorted)) - 1]
        return EventRule(on, min(float(off), on), self.least_s, self.cool_down_s)

    def of(self, rule: EventRule) -> int:
        return sum(len(spans(part.scores, part.edges, rule)) for part in self.footage)

    def at(self, level: int) -> int:
        """Return the number of events at one of ``levels``."""
        if level not in self._known:
            self._known[level] = self.of(self.rule(float(self.levels[level])))
        return self._known[level]

    def first(self, count: float) -> int:
        """Return the highest level with at least so many events, by doubling and halving; ``last`` if there is none.

        From the top down, since far below events merge and become fewer again.
        """
        low, high = 0, 1  # all levels before ``low`` have too few
        while high < self.last and self.at(high - 1) < count:
            low, high = high, 2 * high
        high = min(high, self.last)
        while low < high:
            middle = (low + high) // 2
            if self.at(middle) >= count:
                high = middle
            else:
                low = middle + 1
        return low

    def starts(self, rule: EventRule) -> np.ndarray:
        """Return when events begin, in seconds of all footage, one video after the other."""
        found, before = list[float](), 0.0
        for part in self.footage:
            found += [before + part.edges[first] - part.edges[0] for first, _ in spans(part.scores, part.edges, rule)]
            before += part.seconds
        return np.array(found)


def _on(counts: _Counts, wanted: float, alarms_per_day: float) -> float:
    """Return the score that begins so many events: between two levels where ``wanted`` is between two counts."""
    if counts.at(0) > wanted:
        fail(
            f"even the highest score, {counts.levels[0]:g}, is reached {counts.at(0)} times in the ordinary footage, "
            f"more often than {alarms_per_day:g} alarms a day",
            "ask for more alarms a day, or train a model whose scores tell more apart",
        )
    above = counts.first(math.floor(wanted) + 1)  # the first level with too many
    if above >= counts.last:
        fail(
            f"no threshold above the median of the scores raises {alarms_per_day:g} alarms a day: the ordinary footage "
            f"is too calm",
            "ask for fewer alarms a day, or use eval.threshold",
        )
    below = above - 1
    first = min(counts.first(counts.at(below)), below)  # the highest level with as many events as just before
    share = (wanted - counts.at(below)) / (counts.at(above) - counts.at(below))
    high, low = float(counts.levels[first]), float(counts.levels[above])
    on = round(high + min(1.0, share) * (low - high), 6)
    return on if on > low else high


def _dispersion(counts: _Counts, wanted: float) -> float:
    """Return variance over mean of the counts in equal stretches, at least 1."""
    level = min(counts.first(max(MANY, wanted)), counts.last - 1)
    starts = counts.starts(counts.rule(float(counts.levels[level])))
    seconds = sum(part.seconds for part in counts.footage)
    by_stretch = np.histogram(starts, STRETCHES, (0.0, seconds))[0]
    return max(1.0, float(by_stretch.var(ddof=1) / by_stretch.mean())) if len(starts) else 1.0


def gamma_quantile(shape: float, probability: float) -> float:
    """Return the value that a gamma variable of scale 1 is below with a probability, by halving."""
    low, high = 0.0, shape + 20 * math.sqrt(shape) + 50
    a = torch.tensor(shape, dtype=torch.float64)
    for _ in range(100):
        middle = (low + high) / 2
        below = float(torch.special.gammainc(a, torch.tensor(middle, dtype=torch.float64)))
        low, high = (middle, high) if below < probability else (low, middle)
    return (low + high) / 2
