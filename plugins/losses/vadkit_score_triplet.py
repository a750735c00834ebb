"""Triplet loss on snippets chosen by their scores: calm snippets of all videos together, abnormal ones apart.

The triplet term of MAVD ("Aligning First, Then Fusing", Knowledge-Based Systems 2025).

Legend: b bags x crops, v videos, t snippets, c channels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vadkit import Loss, hookimpl
from vadkit.layers import clear, full_precision, masked_mean, to_rows, topk_mask


class ScoreTriplet(Loss):
    """Compare mean features: anchor (normal videos), positive (calm in abnormal ones), negative (abnormal in those).

    The anchor is the mean over normal bags of the mean of all their snippets; positive and negative are the means
    over abnormal bags of the mean of their n // divisor + 1 snippets of lowest and of highest score. All three are
    scaled to length 1, then

        max(0, ||anchor - positive + 1e-6|| - ||anchor - negative + 1e-6|| + margin)

    The choice has no gradient. A batch of one class gives 0. Equal to the authors' code. Two vectors of length 1 are
    at most 2 apart, so with the authors' margin of 5 the loss never reaches 0. Crops are bags of their own.

    Args:
        dim: width of the features.
        margin: by how much the negative should be further away.
        divisor: an abnormal bag of n snippets is represented by n // divisor + 1 of them.
    """

    name = "score_triplet"
    inputs = {"x": "b t dim", "scores": "b t", "labels": "v", "mask?": "b t"}
    needs = {"scores": "probability"}
    example = {"dim": 8}
    paper = "Aligning First, Then Fusing, Knowledge-Based Systems 2025"
    fidelity = "official"

    def __init__(self, *, dim: int, margin: float = 5.0, divisor: int = 16) -> None:
        super().__init__()
        if divisor < 1:
            raise ValueError(f"divisor must be at least 1, not {divisor}")
        self.dim, self.margin, self.divisor = dim, margin, divisor

    def forward(self, x: Tensor, scores: Tensor, labels: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take features (b, t, c), scores (b, t), labels (v) and mask (b, t); return the loss."""
        x, scores = full_precision(x), full_precision(scores).detach()
        mask = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
        real, abnormal = mask.any(1), to_rows(labels, x.shape[0]) > 0.5
        k = mask.sum(1) // self.divisor + 1
        lowest, highest = (masked_mean(x, topk_mask(s, k, mask)) for s in (-scores, scores))
        sides = (~abnormal & real, abnormal & real)
        means = [mean_bag(masked_mean(x, mask), sides[0]), mean_bag(lowest, sides[1]), mean_bag(highest, sides[1])]
        anchor, positive, negative = (F.normalize(mean, dim=0) for mean in means)
        loss = (F.pairwise_distance(anchor, positive) - F.pairwise_distance(anchor, negative) + self.margin).relu()
        return torch.where(sides[0].any() & sides[1].any(), loss, 0.0)


def mean_bag(x: Tensor, bags: Tensor) -> Tensor:
    """Return the mean of x (b, c) over the ``bags`` (b) that are True, (c); zeros if none is."""
    return clear(x[None], bags[None])[0].sum(0) / bags.sum().clamp_min(1)


@hookimpl
def vadkit_components() -> list[type]:
    return [ScoreTriplet]
