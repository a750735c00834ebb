"""Mean average precision of detected intervals per class, as VadCLIP measures it.

Wu et al., "VadCLIP: Adapting Vision-Language Models for Weakly Supervised Video Anomaly Detection", AAAI 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Interval = tuple[int, int]  # frames [start, end)
IOUS = (0.1, 0.2, 0.3, 0.4, 0.5)
LEVEL = 0.6  # of the range of a curve, from above: what is higher is detected
TOP = 16  # one frame in 16 decides how sure a class is in a video
SURE = 0.7  # what that counts in the rank of an interval
SHORTEST = 2  # frames


@dataclass(frozen=True)
class Detection:
    """An interval of a video in which a class was detected, and its rank."""

    video: int
    start: int
    end: int
    score: float


def detection_map(
    curves: Sequence[np.ndarray],
    intervals: Sequence[Sequence[Sequence[int]]],
    labels: Sequence[Sequence[str]],
    classes: Sequence[str],
    ious: Sequence[float] = IOUS,
    *,
    needs_all: bool = True,
) -> list[float]:
    """Return the mean average precision over all classes, in percent, at each overlap of ``ious``.

    An interval is where a curve exceeds 40 % of its range in the video, for at least two frames. Those of all videos
    are matched in the order of their rank, each with the interval of the truth that it overlaps most.

    Quirks of the authors: a class that occurs nowhere in the truth counts as 0, and everything is 0 as soon as one
    class is detected nowhere; ``needs_all`` False counts that class alone as 0. Overlap is computed from the ends of
    the intervals, not frame by frame, and intervals of one curve cannot overlap, so their suppression is left out.

    Args:
        curves: of each video, probabilities (frames, classes).
        intervals: of each video, the true intervals [start, end) in frames.
        labels: of each video, the class of each interval.
        classes: names of the columns.
        ious: least overlap, intersection over union, of a match.
        needs_all: see above.
    """
    found = [[d for i, curve in enumerate(curves) for d in detect(curve[:, c], i)] for c in range(len(classes))]
    if needs_all and not all(found):
        return [0.0 for _ in ious]
    truth = [[(i, *x[:2]) for i, xs in enumerate(intervals) for x, label in zip(xs, labels[i]) if label == name]
             for name in classes]  # fmt: skip
    return [100 * float(np.mean([_precision(f, t, iou) for f, t in zip(found, truth)])) for iou in ious]


def detect(curve: np.ndarray, video: int = 0) -> list[Detection]:
    """Return what is detected in the curve (frames) of one class in one video."""
    low, high = curve.min(), curve.max()
    above = np.concatenate([[False], curve > high - (high - low) * LEVEL, [False]])
    edges = np.flatnonzero(above[1:] != above[:-1]).reshape(-1, 2)
    count = len(curve) // TOP
    sure = np.sort(curve)[::-1][:count].mean() if count else 0.0
    return [
        Detection(video, int(start), int(end), float(curve[start:end].max() + SURE * sure))
        for start, end in edges
        if end - start >= SHORTEST
    ]


def _precision(found: Sequence[Detection], truth: Sequence[tuple[int, ...]], iou: float) -> float:
    """Return the average precision of one class."""
    left, hits = list(truth), []
    for detection in sorted(found, key=lambda d: -d.score):
        overlaps = [_overlap(detection, interval) for interval in left]
        best = int(np.argmax(overlaps)) if overlaps else 0
        hits.append(bool(overlaps) and overlaps[best] >= iou)
        if hits[-1]:
            del left[best]
    if not any(hits):
        return 0.0
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[np.array(hits)].sum() / len(truth))


def _overlap(detection: Detection, interval: tuple[int, ...]) -> float:
    """Return intersection over union; 0 for another video."""
    video, start, end = interval
    both = min(detection.end, end) - max(detection.start, start)
    if video != detection.video or both <= 0:
        return 0.0
    return both / (detection.end - detection.start + end - start - both)
