"""Events: stretches of high scores. One rule finds them in a finished video and, as scores arrive, in a live one.

A stretch begins with a snippet that scores at least ``on`` and lasts as long as scores are at least ``off``. It is an
event if it lasts ``least_s``, and none begins within ``cool_down_s`` after the end of another.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from vadkit import json_file
from vadkit.credentials import masked
from vadkit.problems import fail

State = Literal["new", "update", "end"]
SLACK = 1e-6  # seconds: times are sums of rounded numbers


@dataclass(frozen=True)
class EventRule:
    """When a stretch of scores is an event, and how much is kept around it.

    Attributes:
        on, off: the score that begins an event, and the lowest one that continues it.
        least_s: a shorter stretch is no event.
        cool_down_s: none begins so soon after the end of another.
        before_s, after_s: what a clip shows before and after the event.
        update_s: a live event sends an update at most this often, in seconds of the video.

    Raises VadkitError for values that make no rule.
    """

    on: float
    off: float
    least_s: float = 0.0
    cool_down_s: float = 0.0
    before_s: float = 5.0
    after_s: float = 5.0
    update_s: float = 5.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not math.isfinite(value):
                fail(f"'{name}' of an event rule must be a finite number, got {value}")
            if name not in ("on", "off") and value < 0:
                fail(f"'{name}' of an event rule must be at least 0, got {value:g}")
        if self.off > self.on:
            fail(f"an event would end above the score that begins it: off is {self.off:g}, on is {self.on:g}")

    @classmethod
    def at(cls, threshold: float) -> EventRule:
        """Return the rule that every stretch at or above one threshold is an event."""
        return cls(threshold, threshold)

    def moved(self, on: float) -> EventRule:
        """Return the rule with another ``on``, and ``off`` as far below it as before."""
        return replace(self, on=on, off=on - (self.on - self.off))


@dataclass(frozen=True)
class Event:
    """A stretch of high scores at one moment of its life. Times are in seconds, on the clock of its source.

    Attributes:
        state: "new" once it is an event, "update" while it lasts, "end" with its final times.
        id: made of source and start, so that the same event has the same id after a restart.
        source: the name of the camera or file; an address is shown without its user and password.
        start_s, end_s: its first snippet begins, the last one so far ends.
        peak_s, peak: the start of the snippet with the highest score so far, and that score.
        class_name: the class at the peak, if the model names one.
        contributions: by stream, what it adds to the peak.
        clip: path of its video clip, once there is one.
    """

    state: State
    id: str
    source: str
    start_s: float
    end_s: float
    peak_s: float
    peak: float
    class_name: str | None = None
    contributions: Mapping[str, float] = field(default_factory=dict)
    clip: str | None = None

    @property
    def key(self) -> tuple[str, str, float]:
        """What tells this message from every other one of the event, and of other events."""
        return (self.id, self.state, self.end_s)

    def as_dict(self) -> dict[str, Any]:
        """Return the event as plain data."""
        return {**asdict(self), "contributions": dict(self.contributions)}

    def as_json(self) -> str:
        """Return the event as one line of JSON in ASCII; equal events give equal lines."""
        return json.dumps(self.as_dict(), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "the event") -> Event:
        """Return the event of a line of JSON. Raises VadkitError that begins with ``where``."""
        return json_file.from_bytes(text.encode() if isinstance(text, str) else text, cls, where)


def event_id(source: str, start_s: float) -> str:
    """Return the id of the event of a source that begins at a time, to the millisecond."""
    return hashlib.sha256(f"{source}\n{round(start_s * 1000)}".encode()).hexdigest()[:16]


# -- a finished video ------------------------------------------------------------------------------
def spans(
    scores: Sequence[float] | np.ndarray, edges: Sequence[float] | np.ndarray, rule: EventRule
) -> list[tuple[int, int]]:
    """Return the events among t snippets: the index of the first snippet and the one after the last.

    Args:
        scores: one for each of t snippets.
        edges: starts of the snippets and the end of the last, in seconds: t + 1 values.
    """
    values, times = np.asarray(scores, np.float64), np.asarray(edges, np.float64)
    lasting = np.concatenate([[False], values >= rule.off, [False]])
    runs = np.flatnonzero(lasting[1:] != lasting[:-1]).reshape(-1, 2)
    high = np.flatnonzero(values >= rule.on)
    found, free = list[tuple[int, int]](), -math.inf
    for number in np.unique(np.searchsorted(runs[:, 0], high, "right") - 1):
        first, end = runs[number]
        inside = high[np.searchsorted(high, first) : np.searchsorted(high, end)]
        after = inside[times[inside] >= free - SLACK]
        if len(after) and times[end] - times[after[0]] >= rule.least_s - SLACK:
            found.append((int(after[0]), int(end)))
            free = times[end] + rule.cool_down_s
    return found


# -- a live one ------------------------------------------------------------------------------------
class EventTracker:
    """Finds the events of one source as its scores arrive; the same that ``spans`` finds in all of them.

    Args:
        source: name of the camera or file.

    Example:
        >>> tracker = EventTracker("door", EventRule(on=0.8, off=0.6))
        >>> tracker.add(12.8, 0.91, {"rgb": 2.1, "audio": 0.4})[0].state
        'new'
    """

    def __init__(self, source: str, rule: EventRule) -> None:
        self.source, self.rule = masked(source), rule
        self._event: Event | None = None  # the stretch that lasts now
        self._sent_at: float | None = None  # when its last message was; None: it is not yet an event
        self._free = -math.inf  # until then none begins
        self._time = -math.inf

    def add(
        self,
        time_s: float,
        score: float,
        contributions: Mapping[str, float] | None = None,
        class_name: str | None = None,
    ) -> list[Event]:
        """Take the score of the snippet that begins at ``time_s``, and return what is to be sent.

        Each snippet lasts until the next one begins. Raises ValueError if times go back.
        """
        time_s, score = self._at(time_s), round(float(score), 6) + 0.0  # + 0.0 turns -0.0 into 0.0
        if self._event is None:
            if not score >= self.rule.on or time_s < self._free - SLACK:
                return []
            self._event = Event("new", event_id(self.source, time_s), self.source, time_s, time_s, time_s, -math.inf)
        self._event = replace(self._event, end_s=time_s)
        if not score >= self.rule.off:
            return self._ended()
        if score > self._event.peak:
            known = {name: round(float(value), 6) + 0.0 for name, value in (contributions or {}).items()}
            self._event = replace(self._event, peak=score, peak_s=time_s, class_name=class_name, contributions=known)
        return self._due()

    def close(self, time_s: float) -> list[Event]:
        """End the event that lasts, because scores stop at ``time_s``; the tracker may be used further."""
        time_s = self._at(time_s)
        if self._event is None:
            return []
        self._event = replace(self._event, end_s=time_s)
        return self._ended()

    def _at(self, time_s: float) -> float:
        time_s = round(float(time_s), 3)
        if time_s < self._time:
            raise ValueError(f"the scores of {self.source} go back in time, from {self._time} s to {time_s} s")
        self._time = time_s
        return time_s

    def _due(self) -> list[Event]:
        """Return the message of the event that lasts, if it is time for one."""
        assert self._event is not None
        if self._sent_at is None:
            if not _is_long(self._event, self.rule):
                return []
        elif self._time - self._sent_at < self.rule.update_s - SLACK:
            return []
        else:
            self._event = replace(self._event, state="update")
        self._sent_at = self._time
        return [self._event]

    def _ended(self) -> list[Event]:
        event, known = self._event, self._sent_at is not None
        self._event = self._sent_at = None
        assert event is not None
        if not _is_long(event, self.rule):
            return []
        self._free = event.end_s + self.rule.cool_down_s
        return [*([] if known else [event]), replace(event, state="end")]


def _is_long(event: Event, rule: EventRule) -> bool:
    return event.end_s - event.start_s >= rule.least_s - SLACK
