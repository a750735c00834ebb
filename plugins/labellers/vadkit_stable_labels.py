"""Pseudo labels of stable snippets: those whose score changes least from round to round.

Lv et al., "Unbiased Multiple Instance Learning for Weakly Supervised Video Anomaly Detection" (UMIL), CVPR 2023.

Legend: t snippets.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vadkit import Labeller, hookimpl


class StableLabels(Labeller):
    """Label the snippets of abnormal videos whose scores vary least over rounds; the others are ambiguous.

    The target is 1 where the mean score over the rounds is above 0.5, else 0. Among the snippets of abnormal videos
    that are predicted abnormal, those whose variance is below the quantile ``share`` of these variances get weight 1,
    the others weight 0; so do, by a quantile of their own, those predicted normal. Normal videos are confident: target
    0, weight 1. Use it with ``history`` above 1; with the scores of one round nothing varies, and every snippet is
    confident.

    Deviation: rounds take the place of the authors' epochs.

    Args:
        share: quantile of the variance up to which a snippet is confident.
        soft: targets are the mean scores.
    """

    name = "stable_labels"
    paper = "Lv et al., Unbiased Multiple Instance Learning, CVPR 2023"
    fidelity = "paper"

    def __init__(self, *, share: float = 0.3, soft: bool = False) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, not {share}")
        self.share, self.soft = share, soft

    def label(
        self, scores: Mapping[str, np.ndarray], labels: Mapping[str, int], earlier: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Take scores (passes, t), labels and earlier targets by video; return targets and weights (t, 2)."""
        mean, variance = ({name: how(rows, axis=0) for name, rows in scores.items()} for how in (np.mean, np.var))
        below = {kind: self._threshold(mean, variance, labels, kind) for kind in (False, True)}
        targets = {}
        for name in scores:
            abnormal, known = mean[name] > 0.5, labels[name] != 1
            limit = np.where(abnormal, below[True], below[False])
            confident = (variance[name] < limit) | (variance[name] == 0) | known
            target = np.where(known, 0, mean[name] if self.soft else abnormal)
            targets[name] = np.stack([target, confident], axis=1).astype(np.float32)
        return targets

    def _threshold(
        self,
        mean: Mapping[str, np.ndarray],
        variance: Mapping[str, np.ndarray],
        labels: Mapping[str, int],
        abnormal: bool,
    ) -> float:
        """Return the quantile of the variance of what is predicted abnormal, or normal, in abnormal videos."""
        chosen = [variance[name][(mean[name] > 0.5) == abnormal] for name in mean if labels[name] == 1]
        values = np.concatenate(chosen) if chosen else np.zeros(0)
        return float(np.quantile(values, self.share)) if len(values) else 0.0


@hookimpl
def vadkit_components() -> list[type]:
    return [StableLabels]
