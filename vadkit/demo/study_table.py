"""The figures of the study as rows: AP and AUC of every system, overall and for each kind of anomaly."""

from __future__ import annotations

import statistics
from typing import Any

from vadkit.demo.baselines import baselines
from vadkit.demo.script import KINDS, SHOWS_IN
from vadkit.problems import plural

Pair = tuple[float, float | None]  # mean and, for several seeds, the standard deviation

COLUMNS = ("AP", "AUC", "AUC, abnormal clips", *KINDS[1:])


def rows(study: dict[str, Any]) -> dict[str, dict[str, Pair | None]]:
    """Return title -> column -> mean and deviation over the seeds; None where a figure is undefined.

    The rows are the systems and then the baselines. The columns of kinds are the AP over the clips of that kind and all
    normal clips.
    """
    found = {}
    for system in (*study["systems"], *baselines(study["clips"])):
        figures = [run["figures"] for run in system["runs"]]
        row = {
            "AP": pair([f["ap"] for f in figures]),
            "AUC": pair([f["auc"] for f in figures]),
            "AUC, abnormal clips": pair([f["auc_abnormal"] for f in figures]),
        }
        for kind in KINDS[1:]:
            row[kind] = pair([f["per_class"][kind]["ap"] for f in figures])
        found[system["title"]] = row
    return found


def pair(values: list[float | None]) -> Pair | None:
    """Return mean and sample standard deviation, or None if a value is undefined."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return None
    return statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None


def text(value: Pair | None) -> str:
    """Return '0.861 +- 0.012'."""
    if value is None:
        return "undefined"
    mean, deviation = value
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} +- {deviation:.3f}"


def heading(column: str) -> str:
    """Return a column's title; that of a kind says in which modality it shows."""
    return f"AP, {column} ({SHOWS_IN[column]})" if column in SHOWS_IN else column


def table_title(study: dict[str, Any]) -> str:
    """Return the title of the table: what was averaged, and what was measured on."""
    clips = study["clips"]
    abnormal, frames = sum(clip["span"] is not None for clip in clips), sum(clip["frames"] for clip in clips)
    return (
        f"Mean and standard deviation over {plural(study['seeds'], 'seed')}, on {plural(len(clips), 'test clip')} "
        f"({abnormal} abnormal), {plural(frames, 'frame')}"
    )


def verdict(study: dict[str, Any]) -> str:
    """Return a sentence on whether every stream raises the mean AP."""
    found = rows(study)
    systems = [(system["title"], found[system["title"]]["AP"]) for system in study["systems"]]
    means = [(title, value[0]) for title, value in systems if value is not None]
    steps = [f"{b} {high - low:+.3f} over {a}" for (a, low), (b, high) in zip(means, means[1:])]
    rising = all(low < high for (_, low), (_, high) in zip(means, means[1:]))
    return f"{'Every' if rising else 'Not every'} stream raises the mean AP: {'; '.join(steps)}"
