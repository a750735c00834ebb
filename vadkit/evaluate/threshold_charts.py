"""The curves of an evaluation as charts: precision and recall, ROC, F1 and false alarms against the threshold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vadkit.evaluate.threshold_curves import FalseAlarms, Point, ThresholdCurves
from vadkit.report import Line, line_chart

UNIT = (0.0, 1.0)
Bounds = tuple[float, float]


def precision_recall_chart(curves: ThresholdCurves, figures: dict[str, Any]) -> str:
    """Return the chart: steps, so that the area under them is the average precision."""
    point, chance = _point(curves, figures), figures["positives"] / figures["frames"]
    return line_chart(
        [
            Line("model", np.r_[0.0, curves.recall].tolist(), curves.precision.tolist(), step=True),
            Line("chance", [0.0, 1.0], [chance, chance]),
            *([_dot(point, point.recall, point.precision)] if point else []),
        ],
        x_label="recall",
        y_label="precision",
        title=f"Precision and recall, AP {figures['ap']:.4f}",
        x_bounds=UNIT,
        y_bounds=UNIT,
        height=260,
    )


def roc_chart(curves: ThresholdCurves, figures: dict[str, Any]) -> str:
    """Return the chart of the ROC curve."""
    point = _point(curves, figures)
    return line_chart(
        [
            Line("model", np.r_[0.0, curves.false_share].tolist(), np.r_[0.0, curves.recall].tolist()),
            Line("chance", [0.0, 1.0], [0.0, 1.0]),
            *([_dot(point, point.false_share, point.recall)] if point else []),
        ],
        x_label="share of negative frames",
        y_label="share of positive frames",
        title=f"ROC, AUC {figures['auc']:.4f}",
        x_bounds=UNIT,
        y_bounds=UNIT,
        height=260,
    )


def _point(curves: ThresholdCurves, figures: dict[str, Any]) -> Point | None:
    """Return what the model's threshold gives, if it has one."""
    return None if figures["threshold"] is None else curves.at(figures["threshold"])


def _dot(point: Point, x: float, y: float | None) -> Line:
    return Line(f"threshold {point.threshold:.2f}", [x], [math.nan if y is None else y], dots=True)


def _mark(threshold: float | None) -> list[tuple[float, str]]:
    return [] if threshold is None else [(threshold, f"threshold {threshold:.2f}")]


def f1_chart(curves: ThresholdCurves, threshold: float | None, bounds: Bounds) -> str:
    """Return F1, precision and recall against the threshold: each holds until the next lower score."""
    edges = [bounds[0], *curves.thresholds[::-1].tolist(), bounds[1]]
    rows = {"F1": (curves.f1, 0.0), "precision": (curves.precision, math.nan), "recall": (curves.recall, 0.0)}
    best = curves.best()
    return line_chart(
        [Line(name, edges, [*values[::-1].tolist(), above], step=True) for name, (values, above) in rows.items()],
        x_label="threshold",
        y_label="F1, precision, recall",
        title="F1 against the threshold",
        x_bounds=bounds,
        y_bounds=UNIT,
        marks=[*_mark(threshold), (best.threshold, f"best F1 {best.f1:.2f}")],
    )


def alarms_chart(
    curves: ThresholdCurves | None, alarms: FalseAlarms | None, threshold: float | None, bounds: Bounds
) -> str:
    """Return false alarms per hour against the threshold; nothing if they cannot be counted."""
    if alarms is None:
        return ""
    scores = np.unique(np.r_[alarms.starts, alarms.before[np.isfinite(alarms.before)]])
    edges = np.r_[bounds[0], scores, bounds[1]]
    best = [(curves.best().threshold, "best F1")] if curves else []
    return line_chart(
        [Line("false alarms per hour", edges.tolist(), [*alarms.per_hour(scores).tolist(), 0.0], step=True)],
        x_label="threshold",
        y_label="false alarms per hour",
        title="False alarms per hour against the threshold",
        x_bounds=bounds,
        height=180,
        marks=[*_mark(threshold), *best],
    )


def alarms_sentence(alarms: FalseAlarms | None) -> str:
    """Return how false alarms were counted, or why not."""
    if alarms is None:
        return (
            "False alarms per hour are counted in videos without a positive frame whose frame rate is known; there is "
            "no such video."
        )
    length = f"{alarms.hours:.2f} hours" if alarms.hours >= 1 else f"{alarms.hours * 60:.1f} minutes"
    return (
        "A false alarm is a stretch of snippets at or above the threshold in a video without a positive frame; such "
        f"videos last {length} in all."
    )
