"""The page that ``vadkit predict`` writes, for one test clip of each kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vadkit.demo.script import KINDS
from vadkit.predict.predict_videos import predict

FOLDER = "pages"


def chosen_clips(clips: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a clip of each kind, each from another camera where there are several."""
    of_kind = [[clip for clip in clips if clip["kind"] == kind] for kind in KINDS]
    return [same[number % len(same)] for number, same in enumerate(of_kind)]


def write_clip_pages(
    clips: Sequence[dict[str, Any]],
    model: Path,
    out: Path,
    progress: Callable[[int, int], None],
    report: Callable[[str], None],
) -> dict[str, str]:
    """Score the clips from their videos, as a user does, and return by name the path of each page below ``out``.

    ``progress`` gets clips done and in all; ``report`` is called about each clip that cannot be scored.
    """
    files = [out / "videos" / f"{clip['name']}.mp4" for clip in clips]
    outcomes = predict(files, model, out / FOLDER, progress=lambda done, count, *_: progress(done, count))
    progress(len(files), len(files))
    for outcome in outcomes:
        if outcome.error:
            report(outcome.error)
    return {o.video.stem: f"{FOLDER}/{o.video.stem}.html" for o in outcomes if not o.error}
