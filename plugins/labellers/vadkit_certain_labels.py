"""Pseudo labels of certain snippets: those whose score changes least from one pass with dropout to the next.

Zhang et al., "Exploiting Completeness and Uncertainty of Pseudo Labels for Weakly Supervised Video Anomaly
Detection" (CUPL), CVPR 2023.

Legend: t snippets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from vadkit import Labeller, hookimpl


class CertainLabels(Labeller):
    """Label the snippets of abnormal videos whose scores vary least over passes with dropout.

    The target of a snippet is the mean of its scores over the passes, stretched to 0 ... 1 within its video. Of all
    snippets of abnormal videos, the share ``keep`` with the smallest variance gets weight 1, the rest weight 0. Normal
    videos are certain: target 0, weight 1. With a single pass, every variance is 0 and every snippet is kept.

    Guesses, as the authors published no code of it: the scores of all videos are ranked together, by share and not by
    a threshold of the variance; targets are soft.

    Args:
        keep: share of the snippets of abnormal videos that count, the most certain ones.
        scale: stretch the means of a video to 0 ... 1.
        per: rank the snippets of "all" abnormal videos together, or those of each "video", as Zhong et al. (CVPR 2019)
            do with scores of ten crops in place of passes.
    """

    name = "certain_labels"
    paper = "Zhang et al., Exploiting Completeness and Uncertainty of Pseudo Labels, CVPR 2023"
    fidelity = "paper"

    def __init__(self, *, keep: float = 0.5, scale: bool = True, per: Literal["all", "video"] = "all") -> None:
        if not 0 < keep <= 1:
            raise ValueError(f"keep must be above 0 and at most 1, not {keep}")
        self.keep, self.scale, self.per = keep, scale, per

    def label(
        self, scores: Mapping[str, np.ndarray], labels: Mapping[str, int], earlier: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Take scores (passes, t), labels and earlier targets by video; return targets and weights (t, 2)."""
        variance = {name: rows.var(0) for name, rows in scores.items()}
        most = largest_kept([variance[name] for name in scores if labels[name] == 1], self.keep)
        targets = {}
        for name, rows in scores.items():
            most = largest_kept([variance[name]], self.keep) if self.per == "video" else most
            target = self._scaled(rows.mean(0)) if labels[name] == 1 else np.zeros(rows.shape[1])
            weight = (variance[name] <= most) | (labels[name] != 1)
            targets[name] = np.stack([target, weight], axis=1).astype(np.float32)
        return targets

    def _scaled(self, mean: np.ndarray) -> np.ndarray:
        low, high = mean.min(), mean.max()
        return (mean - low) / (high - low) if self.scale and high > low else mean


def largest_kept(values: list[np.ndarray], share: float) -> float:
    """Return the largest of the smallest ``share`` of all values, of at least one; infinity if there are none."""
    if not values:
        return float("inf")
    ordered = np.sort(np.concatenate(values))
    return float(ordered[max(1, int(np.ceil(share * len(ordered)))) - 1])


@hookimpl
def vadkit_components() -> list[type]:
    return [CertainLabels]
