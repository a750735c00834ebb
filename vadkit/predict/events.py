"""The events of a finished video, as its results show them: stretches whose scores reach a threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vadkit.events import EventRule, spans
from vadkit.predict.lifts import lift_sentence


@dataclass(frozen=True)
class Event:
    """One stretch, in seconds.

    Attributes:
        peak, peak_time: its highest score, and the middle of that snippet.
        without: by stream, the highest score that is left of it without the stream.
        lift: which stream lifts it over the threshold, as a sentence.

    Events are equal if their times and scores are; ``without`` and ``lift`` are not known of frames in memory.
    """

    start: float
    end: float
    peak: float
    peak_time: float
    without: Mapping[str, float] = field(default_factory=dict, compare=False)
    lift: str = field(default="", compare=False)


def find_events(
    scores: Sequence[float],
    edges: Sequence[float],
    rule: EventRule | float | None,
    without: Mapping[str, Sequence[float]] | None = None,
) -> list[Event]:
    """Return the events of a video by a rule, or by a threshold that every snippet of them reaches; none without one.

    Args:
        scores: one for each of t snippets.
        edges: starts of the snippets and the end of the last, in seconds: t + 1 values.
        without: the scores without each stream, by its name.

    ``player.js`` does the same when the threshold is moved.
    """
    if rule is None:
        return []
    rule = rule if isinstance(rule, EventRule) else EventRule.at(rule)
    events = []
    for first, end in spans(scores, edges, rule):
        top = max(range(first, end), key=scores.__getitem__)
        middle = round((edges[top] + edges[top + 1]) / 2, 3)
        left = {name: max(values[first:end]) for name, values in (without or {}).items()}
        lift = lift_sentence(left, rule.on)
        events.append(Event(edges[first], edges[end], scores[top], middle, left, lift))
    return events
