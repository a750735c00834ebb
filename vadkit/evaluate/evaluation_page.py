"""An evaluation as one page: figures and what they were measured on, curves, thresholds, and the worst videos."""

from __future__ import annotations

from typing import Any

import numpy as np

from vadkit.evaluate.evaluation_table import SHOWN, floor_rows, meaning, measured_on, number, other_notes, source_rows
from vadkit.evaluate.scorebook import NO_THRESHOLD
from vadkit.evaluate.scored import Measured, Scored
from vadkit.evaluate.threshold_charts import alarms_chart, alarms_sentence, f1_chart, precision_recall_chart, roc_chart
from vadkit.evaluate.threshold_curves import FalseAlarms, Point, ThresholdCurves, false_alarms, threshold_curves
from vadkit.evaluate.worst_videos import costs, worst_first
from vadkit.problems import plural
from vadkit.report import Line, line_chart, render
from vadkit.report.axis_ticks import linear_axis, moment, time_label

WORST = 20  # videos with a chart
LEFT = 58  # pixels left of the charts of videos, so that these are aligned


def evaluation_page(result: Measured, model: str, note: str | None = None, notice: str | None = None) -> str:
    """Return the page as HTML.

    Args:
        model: its name.
        note: what the model file states about its figures.
        notice: a sentence that must not be missed, such as that the figures mean nothing.
    """
    figures, details = result.figures, result.details
    curves, alarms = threshold_curves(details), false_alarms(details)
    measured = measured_on(result)
    caption = f"{measured}. {notice}" if notice else measured  # figures are copied with their caption
    worst = worst_first(details)
    cost = costs(details)
    bounds = score_bounds(result)
    return render(
        "evaluation.html",
        title=f"Evaluation of {model}",
        subtitle=f"{measured}.",
        notice=notice,
        notes=other_notes(notice, *result.warnings, note),
        caption=caption,
        figures=[_figure(key, figures) for key in SHOWN],
        floors=floor_rows(result.floors),
        parts=source_rows(result),
        no_curves=None if curves else _why(figures),
        precision_recall=precision_recall_chart(curves, figures) if curves else "",
        roc=roc_chart(curves, figures) if curves else "",
        f1=f1_chart(curves, figures["threshold"], bounds) if curves else "",
        alarms=alarms_chart(curves, alarms, figures["threshold"], bounds),
        alarms_are=alarms_sentence(alarms),
        points=_points(curves, alarms, figures["threshold"]) if curves else [],
        no_threshold=NO_THRESHOLD if figures["threshold"] is None else None,
        classes=[_class(name, found) for name, found in figures["per_class"].items()],
        order=_order(bool(cost)),
        shown=_shown(len(worst), len(details)),
        videos=[_video(scored, cost, figures["threshold"], bounds) for scored in worst[:WORST]],
        protocol=_protocol(result, model, measured),
    )


def score_bounds(result: Measured) -> tuple[float, float]:
    """Return the ends of an axis of scores: 0 and 1 if all are between."""
    ends = [float(end(scored.scores)) for scored in result.details for end in (np.min, np.max)]
    threshold = result.figures["threshold"]
    axis = linear_axis(ends if threshold is None else [*ends, threshold])
    return (0.0, 1.0) if min(ends) >= 0 and max(ends) <= 1 else (axis.low, axis.high)


def _figure(key: str, figures: dict[str, Any]) -> dict[str, str]:
    return {"figure": key, "value": number(figures[key]), "what it is": meaning(key, figures)}


def _why(figures: dict[str, Any]) -> str:
    undefined = figures["undefined"]
    return str(undefined.get("auc") or undefined.get("ap") or "no frame is known to be positive or negative")


def _points(curves: ThresholdCurves, alarms: FalseAlarms | None, threshold: float | None) -> list[dict[str, str]]:
    chosen = {} if threshold is None else {"the model's": curves.at(threshold)}
    chosen["best F1, chosen on this very data"] = curves.best()
    return [{"threshold": name, **_point(point, alarms)} for name, point in chosen.items()]


def _point(point: Point, alarms: FalseAlarms | None) -> dict[str, str]:
    return {
        "value": number(point.threshold),
        "F1": number(point.f1),
        "precision": number(point.precision),
        "recall": number(point.recall),
        "share of negative frames": number(point.false_share),
        "false alarms per hour": "-" if alarms is None else f"{float(alarms.per_hour(point.threshold)):.2f}",
    }


def _class(name: str, found: dict[str, Any]) -> dict[str, str]:
    return {
        "class": name,
        "AUC": number(found["auc"]),
        "AP": number(found["ap"]),
        "positive frames": str(found["positives"]),
        "frames": str(found["frames"]),
    }


def _order(has_cost: bool) -> str:
    if has_cost:
        return (
            "A video's cost is its part in what the AUC lacks to 1: of each pair of a positive and a negative frame in "
            "the wrong order, each frame's video takes half."
        )
    return "There is no AUC here: videos are in the order of their scores."


def _shown(known: int, videos: int) -> str:
    counted = f"{min(known, WORST)} of {plural(videos, 'video')} {'is' if min(known, WORST) == 1 else 'are'} shown."
    return counted if known == videos else f"{counted} {videos - known} without known intervals cannot be ranked."


def _video(
    scored: Scored, cost: dict[str, float], threshold: float | None, bounds: tuple[float, float]
) -> dict[str, Any]:
    video, summary = scored.video, scored.summary()
    label = "abnormal" if video.label else "normal"
    facts = [
        f"{label} ({', '.join(video.classes)})" if video.classes else label,
        plural(len(scored.scores), "snippet"),
        f"{plural(summary['frames'], 'frame')}, {summary['positives']} of them positive",
        f"highest score {summary['highest']:.4f}{_moment(scored)}",
        *([f"cost {cost[video.name]:.4f}"] if cost else []),
    ]
    return {"name": video.name, "facts": "; ".join(facts), "chart": _score_chart(scored, threshold, bounds)}


def _moment(scored: Scored) -> str:
    if not scored.video.fps:
        return f" in snippet {scored.scores.argmax()}"
    before = int(scored.frames[: scored.scores.argmax()].sum())
    return f" at {moment(before / scored.video.fps)}"


def _score_chart(scored: Scored, threshold: float | None, bounds: tuple[float, float]) -> str:
    real = scored.frames > 0
    edges = np.r_[0, np.cumsum(scored.frames[real])] / (scored.video.fps or 1.0)
    end, rate = float(edges[-1]), scored.video.fps or 1.0
    spans = [(start / rate, min(stop / rate, end)) for start, stop in scored.video.spans if start / rate < end]
    return line_chart(
        [Line("score", edges.tolist(), scored.scores[real].tolist(), step=True)],
        x_label=time_label(end) if scored.video.fps else "frame",
        y_label="score",
        x_bounds=(0.0, end),
        y_bounds=bounds,
        spans=spans,
        levels=[] if threshold is None else [(threshold, f"threshold {threshold:.2f}")],
        time=bool(scored.video.fps),
        height=120,
        left=LEFT,
        description=f"Score of {scored.video.name} over time, {plural(len(spans), 'annotated interval')}",
    )


def _protocol(result: Measured, model: str, measured: str) -> dict[str, str]:
    protocol = result.protocol
    post = "; ".join(f"{step['use']} {step['args']}" for step in protocol["post"])
    sampler = protocol["sampler"]
    shares = {name: share for name, share in protocol.get("absent_share", {}).items() if share}
    gaps = {"absent": ", ".join(f"{name} in {share:.1%} of the snippets" for name, share in shares.items())}
    return {
        "model": model,
        "measured on": measured,
        "store": str(protocol["root"] or "unknown"),
        "streams": ", ".join(protocol["streams"]),
        **(gaps if shares else {}),
        "snippets": f"{plural(protocol['snippet_frames'], 'frame')} each",
        "crops": protocol["crops"],
        "scored in": f"pieces of {sampler['use']} {sampler['args']}" if sampler else "whole videos",
        "alignment": protocol["alignment"],
        "truth": protocol["truth"],
        "tail": protocol["tail"],
        "post-processing": post or "none",
        "threshold": NO_THRESHOLD if protocol["threshold"] is None else f"{protocol['threshold']:g}",
        "weights selected by": str(protocol["select"]),
        "device": protocol["device"],
        "versions": ", ".join(f"{name} {version}" for name, version in protocol["versions"].items()),
    }
