"""Top-k multiple-instance loss: a video is as abnormal as its few most abnormal snippets.

Used in the same form by PEL4VAD (loss1), UR-DMU (L_att), the seed paper (L_MIL) and many before them; the
count k = length // 16 + 1 goes back to Wu et al., "Not only Look, but also Listen", ECCV 2020.

Legend: b bags x crops, v videos, t snippets.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, masked_mean, per_video, probability_loss, topk_mean, weighted_mean


class TopkMil(Loss):
    """Compare a video's label with the mean of its k highest scores by binary cross entropy.

    The scores of the crops of one video are averaged before the choice, as in UR-DMU. Padding
    is never included. A video without a real snippet is ignored. With an ``index`` from a selector the mean is over
    the scores of those snippets instead (RTFM, CLIP-TSA, MGFN).

    Args:
        normal_k: how many scores represent a normal video: "one" (PEL4VAD and the seed paper) or
            "ratio", as many as for an abnormal one (UR-DMU).
        divisor: an abnormal video of n snippets is judged by n // divisor + 1 scores, at most n.
        average: what is averaged: the "probabilities", or the "logits", as in HL-Net and MACIL-SD, whose mean then
            goes through the sigmoid.
        double_sigmoid: apply a second sigmoid to the mean, as CMA-LA's code does: a video then gets .5 to .731,
            and the loss cannot fall below .693 for a normal or .313 for an abnormal one.
        of: the videos that count: "all" of them, or the "normal" ones only, where clicks say more of the abnormal ones.
        k: snippets that a wired ``index`` gives; inferred.
    """

    name = "topk_mil"
    inputs = {"scores": "b t", "labels": "v", "mask?": "b t", "crops?": "", "index?": "v k"}
    indices = {"index": "t"}
    needs = {"scores": "probability"}
    example = {}
    paper = "Wu et al., Not only Look, but also Listen, ECCV 2020"
    fidelity = "code"

    def __init__(
        self,
        *,
        normal_k: Literal["one", "ratio"] = "one",
        divisor: int = 16,
        average: Literal["probabilities", "logits"] = "probabilities",
        double_sigmoid: bool = False,
        of: Literal["all", "normal"] = "all",
        k: int | None = None,
    ) -> None:
        super().__init__()
        if divisor < 1:
            raise ValueError(f"divisor must be at least 1, not {divisor}")
        self.normal_k, self.divisor, self.double_sigmoid, self.k = normal_k, divisor, double_sigmoid, k
        self.average, self.of = average, of
        if average == "logits":
            self.needs = {"scores": "logit"}

    def forward(
        self,
        scores: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
        crops: int | None = None,
        index: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Take scores (b, t), labels (v), mask (b, t) and index (v, k); return the loss as "total"."""
        bag, real = self.bag_scores(scores, labels, mask, crops, index)
        real = real * (labels < 0.5) if self.of == "normal" else real
        return {"total": weighted_mean(probability_loss(bag, labels), real)}

    def bag_scores(
        self,
        scores: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
        crops: int | None = None,
        index: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the probability of each video and 1.0 where it has a real snippet, both (v)."""
        scores = per_video(full_precision(scores), crops or 1)
        scores = scores[:, 0] if scores.shape[1] == 1 else scores.mean(1)
        mask = None if mask is None else per_video(mask, crops or 1)[:, 0]  # crops of one video are equally long
        if index is None:
            bag = topk_mean(scores, self.count(labels, scores, mask), mask)
        else:
            bag = masked_mean(scores.gather(1, index), None if mask is None else mask.gather(1, index))
        for applies in (self.average == "logits", self.double_sigmoid):
            bag = torch.sigmoid(bag) if applies else bag
        if mask is None:
            return bag, torch.ones_like(bag)
        real = mask.any(1)
        return torch.where(real, bag, 0.5), real.float()

    def count(self, labels: Tensor, scores: Tensor, mask: Tensor | None) -> Tensor:
        """Return how many scores represent each video (v)."""
        if mask is None:
            k = torch.full_like(labels, scores.shape[1] // self.divisor + 1, dtype=torch.long)
        else:
            k = mask.sum(1) // self.divisor + 1
        return torch.where(labels > 0.5, k, 1) if self.normal_k == "one" else k


@hookimpl
def vadkit_components() -> list[type]:
    return [TopkMil]
