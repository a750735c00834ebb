"""The page over all videos of a folder: what was found in each, and which could not be scored and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from vadkit.predict.inputs import same_text
from vadkit.predict.video_summary import Entry
from vadkit.problems import plural
from vadkit.report import render, spark_chart


def index_page(entries: Sequence[Entry]) -> str:
    """Return the page as HTML, the videos in the given order. It links to their pages, in the same folder."""
    scored = [entry for entry in entries if entry.name is not None]
    failed = [entry for entry in entries if entry.name is None]
    values = [v for entry in scored for v in (*entry.curve, *_levels(entry))] + [0.0, 1.0]
    notice = " ".join(dict.fromkeys(entry.notice for entry in scored if entry.notice))
    counts = Counter(text for entry in scored for text in set(entry.warnings))
    counted = {text for text, count in counts.items() if count > 1 or text in notice}  # said once, above the table
    titles = Counter(same_text(entry.title) for entry in entries)
    return render(
        "videos.html",
        title="Scored videos",
        subtitle=_subtitle(scored, failed),
        notice=notice,
        scored=scored,
        common={text: counts[text] for text in counts if text in counted and text not in notice},
        once={entry.path: [text for text in entry.warnings if text not in counted] for entry in scored},
        failed=failed,
        several=len({(entry.model_sha256, entry.threshold) for entry in scored}) > 1,
        shared={entry.path for entry in entries if titles[same_text(entry.title)] > 1},
        notes=any(entry.error or set(entry.warnings) - counted for entry in scored),
        spark=partial(spark_chart, bounds=(min(values), max(values))),
    )


def _subtitle(scored: Sequence[Entry], failed: Sequence[Entry]) -> str:
    count = f"{len(scored)} of {plural(len(scored) + len(failed), 'video')}" if failed else plural(len(scored), "video")
    models = ", ".join(dict.fromkeys(entry.model for entry in scored))
    thresholds = {entry.threshold for entry in scored}
    if len({entry.model_sha256 for entry in scored}) > 1:
        return f"{count} scored by {models}: scores of different models cannot be compared."
    if len(thresholds) != 1:
        return f"{count} scored{' by ' * bool(models)}{models}, highest score first."
    threshold = thresholds.pop()
    if threshold is None:
        return f"{count} scored by {models}, highest score first; without a threshold there are no events."
    return f"{count} scored by {models}, highest score first; events are stretches at or above {threshold:g}."


def _levels(entry: Entry) -> list[float]:
    return [] if entry.threshold is None else [entry.threshold]
