"""Bag loss on the highest score and on the range of the scores, weighted by how sure the model is of its highest one.

UMIL: Lv et al., "Unbiased Multiple Instance Learning for Weakly Supervised Video Anomaly Detection", CVPR 2023.

Legend: b bags x crops, v videos, t snippets.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, hide, per_video, probability_loss, weighted_mean


class ConfidentPeak(Loss):
    """Compare the label of a video with its highest score, and with the gap between its highest and its lowest.

    With M and m the highest and lowest score of a video of label y, and w = max(M, 1 - M),

        peak = mean of w * BCE(M, y)        range = mean of w * BCE(M - m, y)

    w has a gradient, as in the authors' code, so a wrong video can also lower its loss by becoming less sure. Scores
    of the crops of a video are averaged first. Padding is neither highest nor lowest.

    Args:
        range_weight: factor of the second term.
    """

    name = "confident_peak"
    inputs = {"scores": "b t", "labels": "v", "mask?": "b t", "crops?": ""}
    needs = {"scores": "probability"}
    example = {}
    paper = "Lv et al., Unbiased Multiple Instance Learning, CVPR 2023"
    fidelity = "paper"

    def __init__(self, *, range_weight: float = 1.0) -> None:
        super().__init__()
        self.range_weight = range_weight

    def forward(
        self, scores: Tensor, labels: Tensor, mask: Tensor | None = None, crops: int | None = None
    ) -> dict[str, Tensor]:
        """Take scores (b, t), labels (v) and mask (b, t); return "total" and both terms."""
        scores = per_video(full_precision(scores), crops or 1).mean(1)
        mask = torch.ones_like(scores, dtype=torch.bool) if mask is None else per_video(mask, crops or 1)[:, 0]
        real = mask.any(1)
        highest = torch.where(real, hide(scores, mask).max(1).values, 0.5)
        lowest = torch.where(real, -hide(-scores, mask).max(1).values, 0.5)
        sure = torch.maximum(highest, 1 - highest)
        peak = weighted_mean(sure * probability_loss(highest, labels), real.float())
        gap = weighted_mean(sure * probability_loss(highest - lowest, labels), real.float())
        return {"total": peak + self.range_weight * gap, "peak": peak, "range": gap}


@hookimpl
def vadkit_components() -> list[type]:
    return [ConfidentPeak]
