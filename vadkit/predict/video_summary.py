"""What is kept of each video after it is scored: small enough to keep for thousands of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from vadkit.predict.events import Event
from vadkit.predict.inputs import identity

POINTS = 140  # of the small curve on the index page
SCORED, SKIPPED, FAILED = "scored", "skipped", "failed"


class Entry(msgspec.Struct, kw_only=True):
    """One video in summary.json and on the index page.

    Attributes:
        file, path: the video as it was named, and its absolute path.
        status: "scored"; "skipped" if its results are of an earlier call; "failed".
        error: why it could not be scored, now or, if it has results, again.
        name: stem of its results.
        top, top_time: its highest score, and the middle of that snippet in seconds.
        curve: up to 140 values, each the highest score of a few snippets.
        notice: why the scores mean little, if the model says so.
        threshold: from which score on a snippet belongs to an event; None: there are no events.
    """

    file: str
    path: str
    status: str = SCORED
    error: str | None = None
    name: str | None = None
    duration: float = 0.0
    top: float = 0.0
    top_time: float = 0.0
    events: tuple[Event, ...] = ()
    curve: tuple[float, ...] = ()
    warnings: tuple[str, ...] = ()
    notice: str | None = None
    model: str = ""
    model_sha256: str = ""
    threshold: float | None = 0.0

    @property
    def title(self) -> str:
        return Path(self.file).name


@dataclass(frozen=True)
class Outcome:
    """What became of one video in this call. ``data`` is the content of its NAME.json, None if it failed."""

    video: Path
    entry: Entry
    data: Mapping[str, Any] | None = None

    @property
    def error(self) -> str | None:
        return self.entry.error


def failed(video: Path, error: str) -> Outcome:
    """Return the outcome of a video that cannot be scored."""
    return Outcome(video, Entry(file=str(video), path=str(identity(video)), status=FAILED, error=error))


def succeeded(video: Path, name: str, data: Mapping[str, Any], skipped: bool = False) -> Outcome:
    """Return the outcome of a video that is scored, now or (``skipped``) by an earlier call."""
    entry = entry_of(name, data)
    entry.file, entry.status = str(video), SKIPPED if skipped else SCORED
    return Outcome(video, entry, data)


def entry_of(name: str, data: Mapping[str, Any]) -> Entry:
    """Return the entry of a NAME.json. Raises LookupError, TypeError or ValueError if it is damaged."""
    scores = [snippet["score"] for snippet in data["scores"]]
    top = max(range(len(scores)), key=scores.__getitem__)
    share = -(-len(scores) // POINTS)
    return Entry(
        file=data["video"]["file"],
        path=data["video"]["path"],
        name=name,
        duration=data["video"]["duration"],
        top=scores[top],
        top_time=(data["scores"][top]["start"] + data["scores"][top]["end"]) / 2,
        events=tuple(Event(**event) for event in data["events"]),
        curve=tuple(max(scores[i : i + share]) for i in range(0, len(scores), share)),
        warnings=tuple(data["warnings"]),
        notice=data["notice"],
        model=Path(data["model"]["file"]).name,
        model_sha256=data["model"]["sha256"],
        threshold=data["threshold"],
    )
