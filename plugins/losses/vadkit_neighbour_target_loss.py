"""Pull scores around confident snippets to their targets, such as the average of earlier rounds.

The indirect supervision of Zhong et al., "Graph Convolutional Label Noise Cleaner", CVPR 2019.

Legend: b bags x crops, t snippets, v videos.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d

from vadkit import Loss, hookimpl
from vadkit.layers import clear, full_precision, masked_mean, to_rows, weighted_mean


class NeighbourTargetLoss(Loss):
    """Average how far scores are from targets over the snippets of abnormal videos that are near a confident one.

    It is the mean of |s - y| over these snippets of a video, and then over videos. Confident is a snippet whose target
    has a weight above 0; near are those at most ``reach`` snippets away, and itself. Normal videos do not count, nor
    do abnormal ones without a confident snippet.

    Args:
        reach: snippets to either side.
    """

    name = "neighbour_target_loss"
    inputs = {"scores": "b t", "targets": "b t", "target_weight": "b t", "labels": "v", "mask?": "b t"}
    needs = {"scores": "probability"}
    example = {"reach": 1}
    paper = "Zhong et al., Graph Convolutional Label Noise Cleaner, CVPR 2019"
    fidelity = "paper"

    def __init__(self, *, reach: int = 4) -> None:
        super().__init__()
        if reach < 0:
            raise ValueError(f"reach must be at least 0, not {reach}")
        self.reach = reach

    def forward(
        self, scores: Tensor, targets: Tensor, target_weight: Tensor, labels: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Take probabilities, targets, weights and mask (b, t), and labels (v); return the loss."""
        scores = full_precision(scores)
        real = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
        confident = clear((target_weight > 0).to(scores.dtype)[..., None], real)[..., 0]
        chosen = (max_pool1d(confident[:, None], 2 * self.reach + 1, 1, self.reach)[:, 0] > 0) & real
        abnormal = to_rows(labels, len(scores)) > 0.5
        apart = masked_mean((scores - targets.to(scores.dtype)).abs(), chosen)
        return weighted_mean(apart, (abnormal & chosen.any(1)).to(scores.dtype))


@hookimpl
def vadkit_components() -> list[type]:
    return [NeighbourTargetLoss]
