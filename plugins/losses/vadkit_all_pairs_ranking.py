"""Ranking loss over all pairs of a batch: the highest score of an abnormal video against that of a normal one.

Sultani et al., "Real-world Anomaly Detection in Surveillance Videos", CVPR 2018, Eq. 4, as their code pairs videos;
LSTC (Sun and Gong, ICME 2023) with the mean in place of the sum.

Legend: b bags x crops, v videos, t snippets.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, hide, per_video


class AllPairsRanking(Loss):
    """Ask every abnormal video to have a higher maximum than every normal one, by a margin.

    With M the highest score of a video,

        mean over normal i of the sum over abnormal j of max(0, margin - M_j + M_i)

    or with ``reduce: mean`` the mean over both. The paper writes one pair; the authors' code takes all of them, and
    the sum makes its gradient as many times larger as there are abnormal videos. Scores of the crops of a video are
    averaged before the maximum. Padding is never the maximum; a video without a real snippet is in no pair. A batch
    of one class gives 0.

    Args:
        margin: by how much the abnormal video should be higher.
        reduce: "sum_abnormal" (Sultani et al.) or "mean" (LSTC).
    """

    name = "all_pairs_ranking"
    inputs = {"scores": "b t", "labels": "v", "mask?": "b t", "crops?": ""}
    needs = {"scores": "probability"}
    example = {}
    paper = "Sultani et al., Real-world Anomaly Detection in Surveillance Videos, CVPR 2018, Eq. 4"
    fidelity = "code"

    def __init__(self, *, margin: float = 1.0, reduce: Literal["sum_abnormal", "mean"] = "sum_abnormal") -> None:
        super().__init__()
        self.margin, self.reduce = margin, reduce

    def forward(self, scores: Tensor, labels: Tensor, mask: Tensor | None = None, crops: int | None = None) -> Tensor:
        """Take scores (b, t), labels (v) and mask (b, t); return the loss."""
        scores = per_video(full_precision(scores), crops or 1).mean(1)
        mask = torch.ones_like(scores, dtype=torch.bool) if mask is None else per_video(mask, crops or 1)[:, 0]
        real, abnormal = mask.any(1), labels > 0.5
        highest = torch.where(real, hide(scores, mask).max(1).values, 0)
        normal, abnormal = real & ~abnormal, real & abnormal
        gaps = (self.margin - highest[None, :] + highest[:, None]).relu()  # (normal v, abnormal v)
        total = (gaps * (normal[:, None] & abnormal[None, :])).sum() / normal.sum().clamp_min(1)
        return total / abnormal.sum().clamp_min(1) if self.reduce == "mean" else total


@hookimpl
def vadkit_components() -> list[type]:
    return [AllPairsRanking]
