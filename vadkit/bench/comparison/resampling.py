"""The figures of a run over resampled test videos: each video counts as often as it was drawn.

A resample is a row of multiplicities, so scores are sorted once. Frames of all videos are pooled, as in the figures
themselves. Legend: v videos with known truth, b resamples, n snippets, k steps of the ranking (distinct scores).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vadkit.bench.comparison.scores import RunScores, VideoScores

RESAMPLES = 1000
STEPS = 2048  # more distinct scores than this are ranked in so many steps
EXACT = 2**22  # frames: sums of fewer are exact in float32, whose products are twice as fast
AT_ONCE = 125  # resamples, so that what is computed of them stays in the cache

FIGURES = {
    "ap": "AP",
    "auc": "AUC",
    "ap_abnormal": "AP, abnormal videos",
    "auc_abnormal": "AUC, abnormal videos",
    "far": "false alarm rate",
}
LESS_IS_BETTER = ("far",)


def counted(run: RunScores) -> list[VideoScores]:
    """Return the videos whose frames count: label and truth are known."""
    return [video for video in run.videos if video.label is not None and video.positives is not None]


def resamples(labels: Sequence[int], count: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Return how often each video was drawn, (b, v). Normal and abnormal videos are drawn separately.

    So every resample has as many of either as the test set, and figures stay defined.
    """
    generator, of = np.random.default_rng(seed), np.asarray(labels)
    drawn = np.zeros((count, len(of)), np.int64)
    for label in np.unique(of):
        (places,) = np.nonzero(of == label)
        drawn[:, places] = generator.multinomial(len(places), np.full(len(places), 1 / len(places)), count)
    return drawn


@dataclass(frozen=True)
class Ranked:
    """The positive and negative frames of each video at each step of the ranking, highest scores first.

    Args:
        positive: (k, v); negative: (k, v).
        abnormal: (v,) whether the label is 1.
        alarms, quiet: (v,) frames at or above the threshold, and all frames, of videos without a positive one; else 0.
        threshold: None if there are no alarms.
    """

    positive: np.ndarray
    negative: np.ndarray
    abnormal: np.ndarray
    alarms: np.ndarray
    quiet: np.ndarray
    threshold: float | None

    def figures(self, drawn: np.ndarray) -> dict[str, np.ndarray]:
        """Return ``FIGURES`` of each resample (b, v) as (b,); NaN where one is not defined."""
        parts = [self._part(drawn[i : i + AT_ONCE]) for i in range(0, len(drawn), AT_ONCE)]
        return {key: np.concatenate([part[key] for part in parts]) for key in FIGURES}

    def _part(self, drawn: np.ndarray) -> dict[str, np.ndarray]:
        weights = drawn.astype(self.positive.dtype)
        within, normal = (self._weighted(weights, mask) for mask in (self.abnormal, ~self.abnormal))
        whole = within[0] + normal[0], within[1] + normal[1]
        found = {"far": self._far(drawn)}
        for key, (positive, negative) in (("", whole), ("_abnormal", within)):
            found[f"ap{key}"], found[f"auc{key}"] = areas(positive, negative)
        return found

    def _weighted(self, weights: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the positive and negative frames (b, k) of the videos of a mask."""
        chosen = weights[:, mask]
        positive, negative = (chosen @ part[:, mask].T for part in (self.positive, self.negative))
        return positive.astype(np.float64), negative.astype(np.float64)

    def _far(self, drawn: np.ndarray) -> np.ndarray:
        if self.threshold is None:
            return np.full(len(drawn), np.nan)
        return _ratio(drawn @ self.alarms, drawn @ self.quiet)


def ranked(run: RunScores, steps: int = STEPS) -> Ranked:
    """Return the ranking of a run's snippets."""
    videos = counted(run)
    scores, positives, frames, owner = _columns(videos)
    order = np.argsort(-scores, kind="stable")
    scores, positives, frames, owner = scores[order], positives[order], frames[order], owner[order]
    step = _steps(scores, positives, steps)
    shape = (int(step[-1]) + 1 if len(step) else 0, len(videos))
    dtype = np.float32 if frames.sum() < EXACT else np.float64
    tables = np.zeros((2, *shape), dtype)
    for table, weights in zip(tables, (positives, frames - positives), strict=True):
        np.add.at(table, (step, owner), weights)
    quiet = np.array([not np.any(video.positives) for video in videos], bool)
    alarm = frames * (scores >= run.threshold) if run.threshold is not None else 0 * frames
    alarms, total = (np.bincount(owner, part, len(videos)) * quiet for part in (alarm, frames))
    abnormal = np.array([video.label == 1 for video in videos], bool)
    return Ranked(tables[0], tables[1], abnormal, alarms, total, run.threshold)


def _columns(videos: Sequence[VideoScores]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, positive frames, frames and number of the video of each snippet with frames, (n,) each."""
    owner = np.repeat(np.arange(len(videos)), [len(video.scores) for video in videos])
    parts = [np.stack([np.asarray(part, np.float64) for part in (v.scores, v.positives, v.frames)]) for v in videos]
    scores, positives, frames = np.concatenate([np.zeros((3, 0)), *parts], 1)
    real = frames > 0
    return scores[real], positives[real].astype(np.int64), frames[real].astype(np.int64), owner[real]


def _steps(scores: np.ndarray, positives: np.ndarray, most: int) -> np.ndarray:
    """Return the step (n,) of each of the falling ``scores``; equal ones share theirs.

    Where there are more than ``most``, neighbours are taken together: half of the steps are of equally many snippets,
    half of equally many positive frames, on which average precision depends.
    """
    if not len(scores):
        return np.zeros(0, np.int64)
    starts = np.r_[True, scores[1:] != scores[:-1]]
    if starts.sum() > most:
        passed = np.arange(len(scores)) / len(scores) + (np.cumsum(positives) - positives) / max(1, positives.sum())
        place = (passed * (most / 2)).astype(np.int64)
        first = place[np.flatnonzero(starts)[np.cumsum(starts) - 1]]  # of the snippets with the same score
        starts = np.r_[True, first[1:] > first[:-1]]
    return np.cumsum(starts) - 1


def areas(positive: np.ndarray, negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return average precision and AUC of rankings (b, k) as (b,) each; see ``vadkit.evaluate.curves``."""
    hits, wrong = np.cumsum(positive, 1), np.cumsum(negative, 1)
    if not positive.shape[1]:
        return np.full(len(positive), np.nan), np.full(len(positive), np.nan)
    right, lost = hits[:, -1], wrong[:, -1]
    precision = _ratio(hits, hits + wrong)
    average = _ratio(np.einsum("bk,bk->b", positive, np.nan_to_num(precision)), right)
    beaten = lost[:, None] - wrong + 0.5 * negative
    return average, _ratio(np.einsum("bk,bk->b", positive, beaten), right * lost)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return the quotient, NaN where nothing is divided by."""
    quotient: np.ndarray = np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)
    return quotient
