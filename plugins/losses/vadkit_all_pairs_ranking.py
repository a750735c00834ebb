"""Ranking loss over pairs of a batch: the highest scores of an abnormal video against those of a normal one.

Sultani et al., "Real-world Anomaly Detection in Surveillance Videos", CVPR 2018, Eq. 4, as their code pairs videos;
LSTC (Sun and Gong, ICME 2023) with the mean in place of the sum. As inner bag loss: Zhang et al., "Temporal
Convolutional Network with Complementary Inner Bag Loss", ICIP 2019. On attention-weighted scores: Zhu and Newsam,
"Motion-Aware Feature for Improved Video Anomaly Detection", BMVC 2019. On several clips: Yu et al., "TCA-VAD", ICME
2022.

Legend: b bags x crops, v videos, t snippets, p parts of a bag.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, hide, part_means, per_video, topk_mean, weighted_mean


class AllPairsRanking(Loss):
    """Ask every abnormal video to have a higher maximum than every normal one, by a margin.

    With M the highest score of a video,

        mean over normal i of the sum over abnormal j of max(0, margin - M_j + M_i)

    or with ``reduce: mean`` the mean over both. The paper writes one pair; the authors' code takes all of them, and
    the sum makes its gradient as many times larger as there are abnormal videos. Scores of the crops of a video are
    averaged before the maximum. Padding is never the maximum; a video without a real snippet is in no pair. A batch
    of one class gives 0.

    With ``k`` > 1, M is the mean of the k highest scores. Where ``attention`` is wired, M is the sum of the scores
    times its softmax over the snippets of a bag, whatever k and run are.

    With ``inner`` > 0, inner * (mean over abnormal of max(0, margin - M + m) + mean over normal of M - m) is added, m
    the lowest score, or the mean of the k lowest: the gap is to be large in an abnormal video and small in a normal
    one.

    Args:
        margin: by how much the abnormal video should be higher.
        reduce: "sum_abnormal" (Sultani et al.) or "mean" (LSTC).
        pairs: "all", or "in_order": the n-th normal video of a batch with the n-th abnormal one.
        k: scores of a video that M is the mean of; a shorter video has as many as it has.
        run: consecutive snippets whose scores are averaged first, as one clip; 1 leaves them as they are.
        inner: weight of the gap inside each video.
    """

    name = "all_pairs_ranking"
    inputs = {"scores": "b t", "labels": "v", "mask?": "b t", "crops?": "", "attention?": "b t"}
    needs = {"scores": "probability", "attention": "logit"}
    example = {}
    paper = "Sultani et al., Real-world Anomaly Detection in Surveillance Videos, CVPR 2018, Eq. 4"
    fidelity = "code"

    def __init__(
        self,
        *,
        margin: float = 1.0,
        reduce: Literal["sum_abnormal", "mean"] = "sum_abnormal",
        pairs: Literal["all", "in_order"] = "all",
        k: int = 1,
        run: int = 1,
        inner: float = 0.0,
    ) -> None:
        super().__init__()
        if min(k, run) < 1:
            raise ValueError(f"k and run must be at least 1, not {k} and {run}")
        if inner < 0:
            raise ValueError(f"inner must be at least 0, not {inner}")
        self.margin, self.reduce, self.pairs = margin, reduce, pairs
        self.k, self.run, self.inner = k, run, inner
        self.pairs_bags = pairs == "in_order"

    def forward(
        self,
        scores: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
        crops: int | None = None,
        attention: Tensor | None = None,
    ) -> Tensor | dict[str, Tensor]:
        """Take scores (b, t), labels (v), mask (b, t) and attention (b, t); return the loss, or it and its terms."""
        scores, crops = full_precision(scores), crops or 1
        mask = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
        means, real = self._parts(per_video(scores, crops).mean(1), per_video(mask, crops)[:, 0])
        exists = real.any(1)
        high = self._high(means, real) if attention is None else _weighted(scores, attention, mask, crops)
        normal, abnormal = exists & (labels <= 0.5), exists & (labels > 0.5)
        outer = self._outer(torch.where(exists, high, 0), normal, abnormal)
        if self.inner == 0:
            return outer
        gap = torch.where(exists, self._high(means, real) + self._high(-means, real), 0)
        inner = weighted_mean((self.margin - gap).relu(), abnormal.float()) + weighted_mean(gap, normal.float())
        return {"total": outer + self.inner * inner, "outer": outer, "inner": inner}

    def _parts(self, scores: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean score of each part (v, p) and whether it has a real snippet."""
        if self.run == 1:
            return scores, mask
        share = part_means(mask.to(scores.dtype), self.run)
        return part_means(torch.where(mask, scores, 0), self.run) / share.clamp_min(1e-6), share > 0

    def _high(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Return the mean of the k highest scores of each video, (v)."""
        if self.k == 1:
            return hide(scores, mask).max(1).values
        return topk_mean(scores, torch.full_like(mask[:, 0], self.k, dtype=torch.int64), mask)

    def _outer(self, high: Tensor, normal: Tensor, abnormal: Tensor) -> Tensor:
        gaps = (self.margin - high[None, :] + high[:, None]).relu()  # (normal v, abnormal v)
        paired = normal[:, None] & abnormal[None, :]
        if self.pairs == "in_order":
            paired = paired & (normal.cumsum(0)[:, None] == abnormal.cumsum(0)[None, :])
        total = (gaps * paired).sum() / paired.any(1).sum().clamp_min(1)
        return total / paired.sum(1).amax().clamp_min(1) if self.reduce == "mean" else total


def _weighted(scores: Tensor, attention: Tensor, mask: Tensor, crops: int) -> Tensor:
    """Return the sum of scores (b, t) times the softmax of attention over the snippets of a bag, as (v)."""
    weight = hide(full_precision(attention), mask).softmax(1)
    return per_video((weight * scores).sum(1), crops).mean(1)


@hookimpl
def vadkit_components() -> list[type]:
    return [AllPairsRanking]
