"""Stretches of a video whose scores reach a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One stretch, in seconds. ``peak`` is its highest score, ``peak_time`` the middle of that snippet."""

    start: float
    end: float
    peak: float
    peak_time: float


def find_events(scores: Sequence[float], edges: Sequence[float], threshold: float) -> list[Event]:
    """Return the stretches of neighbouring snippets whose score is at or above ``threshold``.

    Args:
        scores: one for each of t snippets.
        edges: starts of the snippets and the end of the last, in seconds: t + 1 values.

    ``player.js`` does the same when the threshold is moved.
    """
    events, first = [], None
    for i in range(len(scores) + 1):
        above = i < len(scores) and scores[i] >= threshold
        if above and first is None:
            first = i
        elif not above and first is not None:
            top = max(range(first, i), key=scores.__getitem__)
            middle = round((edges[top] + edges[top + 1]) / 2, 3)
            events.append(Event(edges[first], edges[i], scores[top], middle))
            first = None
    return events
