"""Which videos cost most: the part of each in what the AUC lacks to 1.

Legend: n snippets of all videos.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vadkit.evaluate.scored import Scored
from vadkit.evaluate.threshold_curves import with_truth


def costs(details: Sequence[Scored]) -> dict[str, float]:
    """Return by name what each video with known truth costs in AUC; together it is 1 minus the AUC.

    Each pair of a positive and a negative frame in which the negative one scores higher is half the fault of either
    one's video; a tie counts half. Empty if there is no such pair of frames.
    """
    known = with_truth(details)
    if not known:
        return {}
    video = np.repeat(np.arange(len(known)), [len(s.scores) for s, _ in known])
    scores = np.concatenate([s.scores for s, _ in known]).astype(np.float64)
    positive = np.concatenate([positives for _, positives in known]).astype(np.float64)
    negative = np.concatenate([s.frames for s, _ in known]) - positive
    pairs = positive.sum() * negative.sum()
    if not pairs:
        return {}
    _, place = np.unique(scores, return_inverse=True)
    positive_at, negative_at = np.bincount(place, positive), np.bincount(place, negative)
    higher = negative.sum() - np.cumsum(negative_at) + 0.5 * negative_at
    lower = np.cumsum(positive_at) - 0.5 * positive_at
    lost = np.bincount(video, positive * higher[place] + negative * lower[place]) / 2 / pairs
    return {scored.video.name: float(cost) for (scored, _), cost in zip(known, lost)}


def worst_first(details: Sequence[Scored]) -> list[Scored]:
    """Return the videos with known truth, the one that costs most first.

    Where there is no AUC: by the highest score if all frames are negative, by the lowest mean if all are positive.
    """
    cost, known = costs(details), with_truth(details)
    videos = [scored for scored, _ in known]
    if cost:
        return sorted(videos, key=lambda s: -cost[s.video.name])
    if any(positives.any() for _, positives in known):
        return sorted(videos, key=lambda s: float(s.scores.mean()))
    return sorted(videos, key=lambda s: -float(s.scores.max()))
