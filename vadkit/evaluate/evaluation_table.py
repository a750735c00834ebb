"""The figures of an evaluation as texts, for the terminal and the page."""

from __future__ import annotations

import math
from typing import Any

from vadkit.evaluate.scorebook import MEANINGS
from vadkit.evaluate.scored import Measured
from vadkit.evaluate.source_parts import PART_FIGURES
from vadkit.evaluate.uninformed import FLOOR_FIGURES, Floors
from vadkit.problems import as_sentence, plural

# The figures of the table, in order; results.json has all.
SHOWN = (
    "ap",
    "ap_trapezoid",
    "auc",
    "ap_abnormal",
    "auc_abnormal",
    "label_auc",
    "label_ap",
    "gain_auc",
    "gain_ap",
    "far",
    "video_ap",
    "video_auc",
)


def measured_on(result: Measured) -> str:
    """Return what the figures were measured on: data set, split, videos, snippets, frames, and what is left out."""
    figures, protocol = result.figures, result.protocol
    unknown = sum(scored.video.label is None for scored in result.details)
    bare = sum(scored.positives is None for scored in result.details if scored.video.label is not None)
    counts = (
        f"{plural(figures['videos'], 'video')} ({figures['abnormal_videos']} abnormal), "
        f"{plural(figures['snippets'], 'snippet')}, {plural(figures['frames'], 'frame')}, "
        f"{figures['positives']} of them positive"
    )
    left_out = [
        *([f"{unknown} more of unknown label, in no figure"] if unknown else []),
        *([f"{bare} of the videos without intervals, in figures of whole videos only"] if bare else []),
    ]
    return "; ".join([f"{protocol['data_set']}, split {protocol['split']}: {counts}", *left_out])


def other_notes(notice: str | None, *texts: str | None) -> list[str]:
    """Return what else the user should know, once: the parts of ``texts``, at "; ", that the notice does not say."""
    kept = [[part for part in (text or "").split("; ") if as_sentence(part) not in (notice or "")] for text in texts]
    return list(dict.fromkeys("; ".join(parts) for parts in kept if any(parts)))


def number(value: float | None) -> str:
    """Return a figure as all tables of an evaluation show it."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.4f}"


def meaning(key: str, figures: dict[str, Any]) -> str:
    """Return what a figure is, or why it is not defined."""
    reason = figures["undefined"].get(key)
    return f"not defined: {reason}" if reason else MEANINGS[key]


def floor_rows(floors: Floors) -> list[dict[str, str]]:
    """Return a row for each floor: its name, its figures, and what it is."""
    return [
        {
            "score": name.replace(".", " of ", 1),
            **{key: number(own[key]) for key in FLOOR_FIGURES},
            "what it is": own["what"],
        }
        for name, own in floors.items()
    ]


def source_rows(result: Measured) -> list[dict[str, str]]:
    """Return a row for all videos, for those of a source that training has, too, and for the others; none without."""
    found = result.sources
    if found is None:
        return []
    parts = {
        "all": result.figures,
        f"{found['what']} also in training": found["seen"],
        f"{found['what']} not in training": found["clean"],
    }
    return [
        {
            "videos": name,
            "number": str(own["videos"]),
            "abnormal": str(own["abnormal_videos"]),
            **{key: number(own[key]) for key in PART_FIGURES},
        }
        for name, own in parts.items()
    ]
