"""Smoothness and sparsity of scores: neighbouring snippets score alike, and few snippets score high.

Sultani et al., "Real-world Anomaly Detection in Surveillance Videos", CVPR 2018, the last two terms of Eq. 7; in
other forms in RTFM, CLIP-TSA, MGFN, LSTC and UMIL.

Legend: b bags x crops, v videos, t snippets.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, per_video

Bags = Literal["abnormal", "normal", "all"]


class SmoothSparse(Loss):
    """Add up the squared differences of neighbouring scores, and the scores themselves.

        smooth * sum over videos and t of (s_t+1 - s_t)^2  +  sparse * sum over videos and t of s_t

    Both terms are over the whole batch, so they grow with it, as in the code of Sultani et al. Scores of the crops of
    a video are averaged first. Padding has no share.

    The forms of others: Sultani et al. are the defaults; RTFM and CLIP-TSA have ``sparse_form: norm`` and
    ``across: true``, since their scores are one long row; MGFN has ``sparse_form: norm, sparse_of: normal, smooth_of:
    all``, which takes the normal videos for the abnormal ones; LSTC has ``smooth: 0, sparse_form: mean``; UMIL has
    ``smooth_of: all, sparse_of: all, per_video: true``.

    Args:
        smooth: weight of the differences.
        sparse: weight of the scores.
        smooth_of: the videos whose differences count.
        sparse_of: the videos whose scores count.
        sparse_form: the "sum" of the scores, one L2 "norm" of all of them together, or their "mean".
        across: the last snippet of a video and the first of the next one in the batch are neighbours, too.
        per_video: divide differences and the "sum" by the number of videos that count.
    """

    name = "smooth_sparse"
    inputs = {"scores": "b t", "labels": "v", "mask?": "b t", "crops?": ""}
    needs = {"scores": "probability"}
    example = {}
    paper = "Sultani et al., Real-world Anomaly Detection in Surveillance Videos, CVPR 2018, Eq. 7"
    fidelity = "code"

    def __init__(
        self,
        *,
        smooth: float = 8e-5,
        sparse: float = 8e-5,
        smooth_of: Bags = "abnormal",
        sparse_of: Bags = "abnormal",
        sparse_form: Literal["sum", "norm", "mean"] = "sum",
        across: bool = False,
        per_video: bool = False,
    ) -> None:
        super().__init__()
        self.smooth, self.sparse = smooth, sparse
        self.smooth_of, self.sparse_of, self.sparse_form = smooth_of, sparse_of, sparse_form
        self.across, self.per_video = across, per_video
        self.pairs_bags = across  # the order of the videos that count says which are neighbours

    def forward(
        self, scores: Tensor, labels: Tensor, mask: Tensor | None = None, crops: int | None = None
    ) -> dict[str, Tensor]:
        """Take scores (b, t), labels (v) and mask (b, t); return "total" and both weighted terms."""
        scores = per_video(full_precision(scores), crops or 1).mean(1)
        mask = torch.ones_like(scores, dtype=torch.bool) if mask is None else per_video(mask, crops or 1)[:, 0]
        smooth = self.smooth * self.differences(scores, mask & self.chosen(labels, self.smooth_of))
        sparse = self.sparse * self.size(scores, mask & self.chosen(labels, self.sparse_of))
        return {"total": smooth + sparse, "smooth": smooth, "sparse": sparse}

    def chosen(self, labels: Tensor, which: Bags) -> Tensor:
        """Return True (v, 1) for the videos that count."""
        abnormal = labels[:, None] > 0.5
        return {"abnormal": abnormal, "normal": ~abnormal, "all": torch.ones_like(abnormal)}[which]

    def differences(self, scores: Tensor, kept: Tensor) -> Tensor:
        """Return the sum of the squared differences of neighbours that are both ``kept`` (v, t)."""
        count = kept.any(1).sum().clamp_min(1)
        if self.across:  # the kept videos first, in their order, so that they are neighbours
            order = (~kept.any(1)).int().argsort(stable=True)
            scores, kept = scores[order].reshape(1, -1), kept[order].reshape(1, -1)
        squares = torch.where(kept[:, 1:] & kept[:, :-1], scores.diff(dim=1), 0).square().sum()
        return squares / count if self.per_video else squares

    def size(self, scores: Tensor, kept: Tensor) -> Tensor:
        """Return the size of all ``kept`` (v, t) scores together."""
        scores = torch.where(kept, scores, 0)
        if self.sparse_form == "norm":
            return scores.norm()
        if self.sparse_form == "mean":
            return scores.sum() / kept.sum().clamp_min(1)
        return scores.sum() / kept.any(1).sum().clamp_min(1) if self.per_video else scores.sum()


@hookimpl
def vadkit_components() -> list[type]:
    return [SmoothSparse]
