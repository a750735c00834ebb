"""Soft pseudo labels: the scores of a video stretched to 0 ... 1, averaged with earlier targets.

Zhong et al., "Graph Convolutional Label Noise Cleaner", CVPR 2019 (temporal ensembling); Zhang et al., "Exploiting
Completeness and Uncertainty of Pseudo Labels", CVPR 2023 (scaling).

Legend: t snippets.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vadkit import Labeller, hookimpl


class ScaledLabels(Labeller):
    """Stretch the scores of each abnormal video to 0 ... 1, and average them with the targets of the round before.

    y = momentum * earlier + (1 - momentum) * (s - min s) / (max s - min s). A video whose scores are all alike keeps
    them as they are. Without earlier targets the momentum has no effect. Normal videos get 0; every weight is 1. Of
    several passes or rounds, the mean is taken.

    Args:
        momentum: share of the earlier targets.
        scale: stretch the scores; off, they are taken as they are.
        hold: keep target and weight of what had a weight before. Only the others are averaged, and keep weight 0.
    """

    name = "scaled_labels"
    paper = "Zhong et al., Graph Convolutional Label Noise Cleaner, CVPR 2019"
    fidelity = "paper"

    def __init__(self, *, momentum: float = 0.0, scale: bool = True, hold: bool = False) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be from 0 to below 1, not {momentum}")
        self.momentum, self.scale, self.hold = momentum, scale, hold

    def label(
        self, scores: Mapping[str, np.ndarray], labels: Mapping[str, int], earlier: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Take scores (passes, t), labels and earlier targets by video; return targets and weights (t, 2)."""
        targets = {}
        for name, rows in scores.items():
            target = self._scaled(rows.mean(0)) if labels[name] == 1 else np.zeros(rows.shape[1])
            if name in earlier:
                target = self.momentum * earlier[name][:, 0] + (1 - self.momentum) * target
            targets[name] = np.stack([target, np.ones_like(target)], axis=1).astype(np.float32)
            if self.hold and name in earlier:
                targets[name] = _held(targets[name], earlier[name])
        return targets

    def _scaled(self, mean: np.ndarray) -> np.ndarray:
        low, high = mean.min(), mean.max()
        return (mean - low) / (high - low) if self.scale and high > low else mean


def _held(new: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """Return earlier targets and weights (t, 2) where the weight is above 0, else the new target without weight."""
    return np.where(earlier[:, 1:] > 0, earlier, np.stack([new[:, 0], np.zeros_like(new[:, 0])], axis=1))


@hookimpl
def vadkit_components() -> list[type]:
    return [ScaledLabels]
