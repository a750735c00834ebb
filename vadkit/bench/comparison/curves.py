"""The score curves of single videos under all variants, for the page of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vadkit.bench.comparison.scores import VideoScores
from vadkit.bench.comparison.statistics import Scores
from vadkit.bench.comparison.table import spread
from vadkit.report import Line, line_chart

MOST = 40  # videos, and points of all their curves together: a page is opened as a whole
POINTS = 200_000


@dataclass(frozen=True)
class Curves:
    """The titles and charts of the videos, the variants to show first, and how many videos were left out."""

    videos: list[str]
    charts: Sequence[str]
    pair: tuple[int, int]
    left_out: int


def curves(results: Mapping[str, Any], scores: Scores) -> Curves:
    """Return the charts of the videos on which the variants differ most, abnormal ones first of equals."""
    names = [v["name"] for v in results["variants"] if any(name == v["name"] for name, _ in scores)]
    if len(names) < len(results["variants"]) or len(names) < 2:
        return Curves([], [], (0, 0), 0)  # of a variant without a finished run there is no curve
    found = _videos(names, scores)
    listed = sorted(found, key=lambda video: (not found[video][0].label, -_differ(found[video])))
    kept: list[str] = []
    points = 0
    for name in listed[:MOST]:
        points += sum(len(curve.scores) for curve in found[name])
        if kept and points > POINTS:
            break
        kept.append(name)
    return Curves(
        [_title(found[name][0]) for name in kept],
        [_chart(names, found[name], results["base"]) for name in kept],
        _pair(results, names),
        len(found) - len(kept),
    )


def _videos(names: Sequence[str], scores: Scores) -> dict[str, list[VideoScores]]:
    """Return, by video, its mean scores over the seeds of each variant."""
    by_variant = []
    for name in names:
        runs = [{video.name: video for video in run.videos} for (who, _), run in scores.items() if who == name]
        by_variant.append({video: _mean([run[video] for run in runs]) for video in runs[0]})
    return {video: [each[video] for each in by_variant] for video in by_variant[0]}


def _mean(videos: Sequence[VideoScores]) -> VideoScores:
    first = videos[0]
    same = [video.scores for video in videos if len(video.scores) == len(first.scores)]
    mean = np.mean(same, axis=0)
    return VideoScores(first.name, first.label, first.classes, first.fps, mean, first.positives, first.frames)


def _differ(videos: Sequence[VideoScores]) -> float:
    """Return by how much the curves of a video differ, from a few places of each."""
    places = np.linspace(0, 1, 64)
    drawn = [np.interp(places, np.linspace(0, 1, len(video.scores)), video.scores) for video in videos]
    return float(np.std(drawn, axis=0).mean())


def _title(video: VideoScores) -> str:
    kind = "unknown" if video.label is None else ", ".join(video.classes) or ("abnormal" if video.label else "normal")
    return f"{video.name} ({kind})"


def _chart(names: Sequence[str], videos: Sequence[VideoScores], base: str) -> str:
    rate = videos[0].fps or 1.0
    lines, high = [], 0.0
    for name, video in zip(names, videos, strict=True):
        edges = np.r_[0, np.cumsum(video.frames)] / rate
        high = max(high, float(edges[-1]))
        lines.append(Line(name, edges.tolist(), np.round(video.scores, 4).tolist(), step=True))
    values = np.concatenate([video.scores for video in videos])
    share = bool(values.min() >= 0 and values.max() <= 1)
    return line_chart(
        lines,
        x_label="time (s)" if videos[0].fps else "frame",
        y_label="score",
        title=_title(videos[0]),
        x_bounds=(0.0, high or 1.0),
        y_bounds=(0.0, 1.0) if share else None,
        spans=_annotated(videos[names.index(base) if base in names else 0], rate),
        time=videos[0].fps is not None,
        height=180,
        left=58,
    )


def _annotated(video: VideoScores, rate: float) -> list[tuple[float, float]]:
    """Return the stretches of snippets with positive frames, in seconds."""
    if video.positives is None:
        return []
    flags = np.concatenate([[False], video.positives > 0, [False]])
    edges = np.r_[0, np.cumsum(video.frames)] / rate
    bounds = np.flatnonzero(flags[1:] != flags[:-1]).reshape(-1, 2)
    return [(float(edges[start]), float(edges[end])) for start, end in bounds]


def _pair(results: Mapping[str, Any], names: Sequence[str]) -> tuple[int, int]:
    """Return the base and, of the others, the variant of the highest AP."""
    base = names.index(results["base"]) if results["base"] in names else 0
    means = [spread(variant["figures"], "ap")[0] or 0.0 for variant in results["variants"]]
    return base, max((i for i in range(len(names)) if i != base), key=means.__getitem__)
