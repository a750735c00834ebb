"""Clustering of all pairs of snippets of a batch: alike features, alike classes.

UMIL: Lv et al., "Unbiased Multiple Instance Learning for Weakly Supervised Video Anomaly Detection", CVPR 2023.

Legend: b bags x crops, t snippets, p = b * t snippets of the batch, n classes, c channels.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, to_rows, weighted_mean


class PairClustering(Loss):
    """Ask two snippets to be of one class if the cosine of their features is above ``alike``, else of two.

    The probability P that snippet i of one view and j of the other are of one class is the sum over classes of the
    product of their probabilities. The loss is the mean over all pairs of -log(P + 1e-7) where the features are alike
    and -log(1 - P + 1e-7) elsewhere. Features have no gradient. Pairs with padding are left out.

    With ``only: ambiguous`` the pairs are those of snippets of abnormal videos whose ``target_weight`` is 0: what a
    labeller did not label. Without any such snippet the loss is 0.

    Args:
        dim: width of the features.
        num_classes: classes.
        alike: cosine above which features are alike.
        only: which snippets are paired.
    """

    name = "pair_clustering"
    inputs = {
        "x": "b t dim",
        "weak": "b t num_classes",
        "strong": "b t num_classes",
        "labels": "v",
        "mask?": "b t",
        "target_weight?": "b t",
    }
    example = {"dim": 6, "num_classes": 2}
    paper = "Lv et al., Unbiased Multiple Instance Learning, CVPR 2023"
    fidelity = "paper"

    def __init__(
        self, *, dim: int, num_classes: int, alike: float = 0.7, only: Literal["all", "ambiguous"] = "all"
    ) -> None:
        super().__init__()
        if not -1 <= alike <= 1:
            raise ValueError(f"alike is a cosine, from -1 to 1, not {alike}")
        self.dim, self.num_classes, self.alike, self.only = dim, num_classes, alike, only

    def forward(
        self,
        x: Tensor,
        weak: Tensor,
        strong: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
        target_weight: Tensor | None = None,
    ) -> Tensor:
        """Take features (b, t, c), logits (b, t, n) of two views, labels (v), mask and weights (b, t)."""
        kept = torch.ones_like(x[..., 0], dtype=torch.bool) if mask is None else mask
        if self.only == "ambiguous":
            kept = kept & (to_rows(labels, len(x)) > 0.5)[:, None]
            kept = kept & (target_weight <= 0) if target_weight is not None else torch.zeros_like(kept)
        kept = kept.flatten()
        x = F.normalize(full_precision(x).detach().flatten(0, 1), dim=-1)
        first, second = (full_precision(view).flatten(0, 1).softmax(-1) for view in (weak, strong))
        same = first @ second.T
        agreed = torch.where(x @ x.T > self.alike, same, 1 - same)
        return weighted_mean(-(agreed + 1e-7).log(), (kept[:, None] & kept[None, :]).float())


@hookimpl
def vadkit_components() -> list[type]:
    return [PairClustering]
