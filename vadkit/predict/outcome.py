"""What became of one video: little enough to be kept for thousands of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vadkit.predict.events import Event
from vadkit.predict.result import Result

POINTS = 140  # of the small curve on the index page


@dataclass(frozen=True)
class Summary:
    """What the index page and the command line tell about a scored video."""

    title: str
    name: str
    duration: float
    top: float
    top_time: float
    events: tuple[Event, ...]
    curve: tuple[float, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """One video: either its summary or the cause why there is none."""

    video: Path
    summary: Summary | None = None
    error: str | None = None


def summary(result: Result) -> Summary:
    """Return the summary of a result."""
    scores, edges = result.scores, result.edges
    top = max(range(len(scores)), key=scores.__getitem__)
    share = -(-len(scores) // POINTS)
    curve = tuple(max(scores[i : i + share]) for i in range(0, len(scores), share))
    return Summary(
        result.video.name,
        result.name,
        result.extracted.duration,
        scores[top],
        (edges[top] + edges[top + 1]) / 2,
        tuple(result.events),
        curve,
        tuple(result.warnings),
    )
