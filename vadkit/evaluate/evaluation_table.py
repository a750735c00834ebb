"""The figures of an evaluation as texts, for the terminal and the page."""

from __future__ import annotations

import math
from typing import Any

from vadkit.evaluate.evaluation import Evaluation
from vadkit.evaluate.scorebook import MEANINGS
from vadkit.problems import plural

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


def measured_on(result: Evaluation) -> str:
    """Return what the figures were measured on: data set, split, videos, snippets, frames, and what is left out."""
    figures, protocol = result.figures, result.protocol
    unknown = sum(scored.video.label is None for scored in result.details)
    left_out = {
        "unknown label": unknown,
        "no intervals": sum(scored.positives is None for scored in result.details) - unknown,
    }
    parts = [
        f"{plural(figures['videos'], 'video')} ({figures['abnormal_videos']} abnormal)",
        plural(figures["snippets"], "snippet"),
        f"{plural(figures['frames'], 'frame')}, {figures['positives']} of them positive",
        *(f"left out: {plural(count, 'video')} ({why})" for why, count in left_out.items() if count > 0),
    ]
    return f"{protocol['data_set']}, split {protocol['split']}: {', '.join(parts)}"


def number(value: float | None) -> str:
    """Return a figure as all tables of an evaluation show it."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.4f}"


def meaning(key: str, figures: dict[str, Any]) -> str:
    """Return what a figure is, or why it is not defined."""
    reason = figures["undefined"].get(key)
    return f"not defined: {reason}" if reason else MEANINGS[key]
