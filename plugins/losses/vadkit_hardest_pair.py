"""The loss of MATE that compares an abnormal video with a normal one, and with the nearest to that.

MATE: "A Motion-Aware Dynamic Attention and Temporal-Conditioned Convolution Encoder for Efficient Anomaly Detection",
code AIx699/MATE (its triplet loss).

Legend: b bags x crops, v videos, n pairs of videos, t snippets, c channels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, masked_mean, pair_bags, per_video, weighted_mean

SMALL = 1e-12  # the root of 0 has no gradient
FURTHEST = 4.0 + SMALL  # the square of the largest distance of two unit vectors


class HardestPair(Loss):
    """Mean of relu(|a_i - b_i| - min_j |a_i - b_j| + margin) over pairs of a normal video a_i and an abnormal one b_i.

    A video is the mean of its snippets and crops, divided by its length. Quirk: normal and abnormal videos are drawn
    together, up to the nearest abnormal one of the batch; the authors call the latter a negative.

    Args:
        dim: width of the features.
        margin: added to the difference.
    """

    name = "hardest_pair"
    inputs = {"x": "b t dim", "labels": "v", "mask?": "b t", "crops?": ""}
    example = {"dim": 4}
    paper = "MATE, code AIx699/MATE"
    fidelity = "paper"
    pairs_bags = True

    def __init__(self, *, dim: int, margin: float = 1.0) -> None:
        super().__init__()
        if margin < 0:
            raise ValueError(f"margin must be at least 0, not {margin}")
        self.dim, self.margin = dim, margin

    def forward(self, x: Tensor, labels: Tensor, mask: Tensor | None = None, crops: int | None = None) -> Tensor:
        """Take x (b, t, c), labels (v) and mask (b, t); return the loss."""
        rows = per_video(masked_mean(full_precision(x), mask), crops or 1).mean(1)
        normal, abnormal, exists = pair_bags(labels)
        rows = F.normalize(rows, dim=-1)
        a, b = rows[normal], rows[abnormal]
        apart = torch.linalg.vector_norm(a - b, dim=-1)
        squares = (a[:, None] - b).square().sum(-1) + SMALL
        furthest = squares.new_full((squares.shape[0], 1), FURTHEST)  # a batch without pairs has no column
        nearest = torch.cat([torch.where(exists[None] > 0, squares, FURTHEST), furthest], 1).amin(1).sqrt()
        return weighted_mean((apart - nearest + self.margin).relu(), exists)


@hookimpl
def vadkit_components() -> list[type]:
    return [HardestPair]
