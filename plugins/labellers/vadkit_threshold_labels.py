"""Pseudo labels by a threshold: a score above it is kept, any other becomes 0.

Sun and Gong, "Long-Short Temporal Co-Teaching for Weakly Supervised Video Anomaly Detection", ICME 2023.

Legend: t snippets.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vadkit import Labeller, hookimpl


class ThresholdLabels(Labeller):
    """Keep the scores of abnormal videos that are above a threshold; all other targets are 0.

    The targets are soft: a score of 0.95 stays 0.95. Every weight is 1. Of several passes or rounds, the mean is
    taken.

    Deviation: the authors label normal videos in the same way and ignore these labels in training; here they are 0.

    Args:
        above: the threshold; a score that equals it becomes 0.
        hard: targets are 1 in place of the score.
    """

    name = "threshold_labels"
    paper = "Sun and Gong, Long-Short Temporal Co-Teaching, ICME 2023"
    fidelity = "code"

    def __init__(self, *, above: float = 0.9, hard: bool = False) -> None:
        if not 0 <= above <= 1:
            raise ValueError(f"above must be from 0 to 1, not {above}")
        self.above, self.hard = above, hard

    def label(
        self, scores: Mapping[str, np.ndarray], labels: Mapping[str, int], earlier: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Take scores (passes, t), labels and earlier targets by video; return targets and weights (t, 2)."""
        return {name: self._of(rows.mean(0), labels[name]) for name, rows in scores.items()}

    def _of(self, mean: np.ndarray, label: int) -> np.ndarray:
        above = (mean > self.above) & (label == 1)
        target = np.where(above, 1 if self.hard else mean, 0)
        return np.stack([target, np.ones_like(target)], axis=1).astype(np.float32)


@hookimpl
def vadkit_components() -> list[type]:
    return [ThresholdLabels]
