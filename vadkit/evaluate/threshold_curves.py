"""What each threshold gives: precision, recall, F1 and false alarms.

Frames that score at least the threshold are alarms. Legend: n snippets of all videos, k distinct scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vadkit.evaluate.curves import ranking
from vadkit.evaluate.scored import Scored


@dataclass(frozen=True)
class Point:
    """What one threshold gives; None where it is not defined."""

    threshold: float
    precision: float | None
    recall: float
    f1: float
    false_share: float


@dataclass(frozen=True)
class ThresholdCurves:
    """What a threshold at each distinct score gives, the highest score first: (k,) each.

    ``false_share`` is the share of negative frames that are alarms.
    """

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    false_share: np.ndarray

    @property
    def f1(self) -> np.ndarray:
        """The harmonic mean of precision and recall, 0 where both are."""
        total = self.precision + self.recall
        f1: np.ndarray = np.divide(2 * self.precision * self.recall, total, out=np.zeros_like(total), where=total > 0)
        return f1

    def at(self, threshold: float) -> Point:
        """Return what any threshold gives. Above the highest score there is no alarm and no precision."""
        reached = int(np.searchsorted(-self.thresholds, -threshold, "right")) - 1
        if reached < 0:
            return Point(threshold, None, 0.0, 0.0, 0.0)
        values = (float(part[reached]) for part in (self.precision, self.recall, self.f1, self.false_share))
        return Point(threshold, *values)

    def best(self) -> Point:
        """Return the highest threshold of the best F1 on these data."""
        return self.at(float(self.thresholds[int(self.f1.argmax())]))


def with_truth(details: Sequence[Scored]) -> list[tuple[Scored, np.ndarray]]:
    """Return the videos whose label and frames are known, each with its positive frames (t,)."""
    known = [s for s in details if s.video.label is not None and s.frames.any()]
    return [(s, s.positives) for s in known if s.positives is not None]


def threshold_curves(details: Sequence[Scored]) -> ThresholdCurves | None:
    """Return the curves over all frames with known truth; None unless there are positive and negative ones."""
    known = [np.stack([s.scores.astype(np.float64), p, s.frames])[:, s.frames > 0] for s, p in with_truth(details)]
    scores, positives, frames = np.concatenate(known, 1) if known else np.zeros((3, 0))
    order = np.argsort(-scores, kind="stable")
    scores, positives, frames = scores[order], positives[order], frames[order]
    r = ranking(scores, positives, frames - positives)
    if not r.positives or not r.negatives:
        return None
    hits, wrong = np.cumsum(r.positive), np.cumsum(r.negative)
    distinct = scores[np.flatnonzero(np.r_[True, scores[1:] != scores[:-1]])]
    return ThresholdCurves(distinct, hits / (hits + wrong), hits / r.positives, wrong / r.negatives)


@dataclass(frozen=True)
class FalseAlarms:
    """False alarms in videos without a positive frame: stretches of snippets that score at least the threshold.

    Args:
        hours: length of these videos.
        starts: scores (n,) that are higher than the one before them in their video.
        before: that score (n,); -inf at the start of a video.
    """

    hours: float
    starts: np.ndarray
    before: np.ndarray

    def count(self, thresholds: np.ndarray | float) -> np.ndarray:
        """Return the number of false alarms at each threshold: one where a score reaches it and the last did not."""
        begun = len(self.starts) - np.searchsorted(self.starts, thresholds, "left")
        return np.asarray(begun - (len(self.before) - np.searchsorted(self.before, thresholds, "left")))

    def per_hour(self, thresholds: np.ndarray | float) -> np.ndarray:
        """Return false alarms per hour at each threshold."""
        return np.asarray(self.count(thresholds) / self.hours)


def false_alarms(details: Sequence[Scored]) -> FalseAlarms | None:
    """Return the false alarms; None if no video without a positive frame has a known frame rate."""
    quiet = [s for s, positives in with_truth(details) if not positives.any() and s.video.fps]
    hours = sum(float(s.frames.sum()) / s.video.fps for s in quiet if s.video.fps) / 3600
    if not hours:
        return None
    starts, before = [], []
    for scored in quiet:
        scores = scored.scores[scored.frames > 0].astype(np.float64)
        last = np.r_[-np.inf, scores[:-1]]
        starts.append(scores[scores > last])
        before.append(last[scores > last])
    return FalseAlarms(hours, np.sort(np.concatenate(starts)), np.sort(np.concatenate(before)))
