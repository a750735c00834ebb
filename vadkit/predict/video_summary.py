"""What is kept of each video after it is scored: small enough to keep for thousands of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vadkit.predict.events import Event
from vadkit.predict.scored_video import ScoredVideo

POINTS = 140  # of the small curve on the index page


@dataclass(frozen=True)
class Summary:
    """What the index page and the command line show of a scored video."""

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
    """One video: either its summary or why it could not be scored."""

    video: Path
    summary: Summary | None = None
    error: str | None = None


def summarize(scored: ScoredVideo) -> Summary:
    """Return the summary of a scored video."""
    scores, edges = scored.scores, scored.edges
    top = max(range(len(scores)), key=scores.__getitem__)
    share = -(-len(scores) // POINTS)
    curve = tuple(max(scores[i : i + share]) for i in range(0, len(scores), share))
    return Summary(
        scored.video.name,
        scored.name,
        scored.extracted.duration,
        scores[top],
        (edges[top] + edges[top + 1]) / 2,
        tuple(scored.events),
        curve,
        tuple(scored.warnings),
    )
