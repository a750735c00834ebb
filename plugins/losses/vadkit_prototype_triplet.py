"""Triplet loss inside an abnormal bag: its calm snippets near a prototype of normality, its abnormal ones away.

Park et al., "Normality Guided Multiple Instance Learning for Weakly Supervised Video Anomaly Detection", WACV 2023:
the normality-guided triplet loss. No code of it is public; its abstract says what it constrains, not its formula.

Legend: b bags x crops, v videos, t snippets, c channels, m prototypes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, masked_mean, to_rows, topk_mask, weighted_mean


class PrototypeTriplet(Loss):
    """Ask the calm snippets of each abnormal bag to be nearer to a prototype than its abnormal ones, by a margin.

    In a bag of n snippets, k = n // divisor + 1 of lowest score are calm and k of highest score abnormal; with
    c and a the means of their features, and p the prototype nearest to c,

        mean over abnormal bags of max(0, cos(a, p) - cos(c, p) + margin)

    Choice and prototypes have no gradient, so that prototypes learn from normal videos alone. Normal bags have no
    share, and padding is never chosen; a batch without abnormal bags gives 0. Crops are bags of their own.

    Args:
        dim: width of the features and of the prototypes.
        rows: prototypes.
        margin: by how much the cosine of the calm ones should be larger; at most 2.
        divisor: see above.
    """

    name = "prototype_triplet"
    inputs = {"x": "b t dim", "prototypes": "rows dim", "scores": "b t", "labels": "v", "mask?": "b t"}
    needs = {"scores": "probability"}
    example = {"dim": 8, "rows": 3}
    paper = "Park et al., Normality Guided Multiple Instance Learning, WACV 2023"
    fidelity = "reconstruction"

    def __init__(self, *, dim: int, rows: int, margin: float = 0.5, divisor: int = 16) -> None:
        super().__init__()
        if divisor < 1:
            raise ValueError(f"divisor must be at least 1, not {divisor}")
        if not 0 <= margin <= 2:
            raise ValueError(f"margin is between cosines, from 0 to 2, not {margin}")
        self.dim, self.rows, self.margin, self.divisor = dim, rows, margin, divisor

    def forward(
        self, x: Tensor, prototypes: Tensor, scores: Tensor, labels: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Take features (b, t, c), prototypes (m, c), scores (b, t), labels (v) and mask (b, t); return the loss."""
        x, scores = full_precision(x), full_precision(scores).detach()
        mask = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
        k = mask.sum(1) // self.divisor + 1
        means = (masked_mean(x, topk_mask(part, k, mask)) for part in (-scores, scores))
        rows = F.normalize(full_precision(prototypes).detach(), dim=-1)
        calm, abnormal = (F.normalize(mean, dim=-1) @ rows.T for mean in means)  # cosines (b, m)
        nearest, index = calm.max(1)
        gap = (abnormal.gather(1, index[:, None])[:, 0] - nearest + self.margin).relu()
        kept = (to_rows(labels, len(x)) > 0.5) & mask.any(1)
        return weighted_mean(gap, kept.float())


@hookimpl
def vadkit_components() -> list[type]:
    return [PrototypeTriplet]
