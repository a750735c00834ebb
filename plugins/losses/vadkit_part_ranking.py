"""Ranking of the highest part of each abnormal video over that of each normal one, and few high scores.

Sun and Gong, "Long-Short Temporal Co-Teaching for Weakly Supervised Video Anomaly Detection" (LSTC), ICME 2023.

Legend: b bags x crops, t snippets, r snippets of a part, p parts of a bag, v videos.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, part_means, to_rows


class PartRanking(Loss):
    """Hinge between the highest part of every abnormal and of every normal video, plus the mean score.

    rank = mean over all pairs of relu(1 - max_p s_abnormal + max_p s_normal), where the score of a part is the mean
    over its ``run`` snippets. total = rank + sparse * mean of scores. With videos of one label only, rank is 0.

    Quirk of the authors that is kept with ``over: flat`` (the long-term network, and the short-term one on labels):
    they cut the scores of a batch, normal videos first and laid end to end, after as many *numbers* as there are
    normal videos, and average the rest, normal scores included. ``over: abnormal`` averages the abnormal half, as is
    meant.

    Args:
        run: snippets of a part.
        sparse: weight of the mean of scores.
        over: what that mean is taken over.
        per: average each part first ("part", the long-term network) or every snippet ("snippet").
    """

    name = "part_ranking"
    inputs = {"scores": "b t", "labels": "v"}
    paper = "Sun and Gong, Long-Short Temporal Co-Teaching, ICME 2023"
    fidelity = "code"
    needs = {"scores": "probability"}

    def __init__(
        self,
        *,
        run: int = 1,
        sparse: float = 0.01,
        over: Literal["abnormal", "flat"] = "abnormal",
        per: Literal["snippet", "part"] = "snippet",
    ) -> None:
        super().__init__()
        if run < 1 or sparse < 0:
            raise ValueError(f"run must be at least 1 and sparse at least 0, not {run} and {sparse}")
        self.run, self.sparse, self.over, self.per = run, sparse, over, per

    def forward(self, scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Take scores (b, t) and labels (v); return total, rank and sparse."""
        scores = full_precision(scores)
        abnormal = to_rows(labels, scores.shape[0]) > 0.5  # (b)
        parts = part_means(scores, self.run)
        top = parts.amax(1)
        pairs = (abnormal[:, None] & ~abnormal[None, :]).to(scores.dtype)  # abnormal row, normal column
        hinge = (1 - top[:, None] + top[None, :]).relu()
        rank = (hinge * pairs).sum() / pairs.sum().clamp_min(1)
        sparse = self._mean(parts if self.per == "part" else scores, abnormal)
        return {"total": rank + self.sparse * sparse, "rank": rank, "sparse": sparse}

    def _mean(self, scores: Tensor, abnormal: Tensor) -> Tensor:
        if self.over == "abnormal":
            kept = abnormal[:, None].expand_as(scores).to(scores.dtype)
        else:
            rank = abnormal.int().argsort(stable=True).argsort()  # normal bags first
            place = rank[:, None] * scores.shape[1] + torch.arange(scores.shape[1], device=scores.device)
            kept = (place >= (~abnormal).sum()).to(scores.dtype)
        return (scores * kept).sum() / kept.sum().clamp_min(1)


@hookimpl
def vadkit_components() -> list[type]:
    return [PartRanking]
