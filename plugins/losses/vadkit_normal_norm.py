"""The scores of normal videos are low: the length of their curve, taken as a vector.

Zhou et al., "BatchNorm-based Weakly Supervised Video Anomaly Detection", 2023, the loss on normal videos.

Legend: b bags x crops, v videos, t snippets.
"""

from __future__ import annotations

from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, to_rows, weighted_mean

TINY = 1e-24  # of a squared norm: below it the root has no useful gradient


class NormalNorm(Loss):
    """Average the L2 norm over time of the scores of normal videos; abnormal ones are not looked at.

    The norm of a longer video is larger. Every crop counts as a video. Padding is excluded.
    """

    name = "normal_norm"
    inputs = {"scores": "b t", "labels": "v", "mask?": "b t"}
    needs = {"scores": "probability"}
    example = {}
    paper = "Zhou et al., BatchNorm-based Weakly Supervised Video Anomaly Detection, 2023"
    fidelity = "code"

    def __init__(self) -> None:
        super().__init__()

    def forward(self, scores: Tensor, labels: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Take probabilities (b, t), labels (v) and mask (b, t); return the loss as "total"."""
        scores = full_precision(scores)
        squares = scores.square() if mask is None else scores.square().masked_fill(~mask, 0)
        normal = to_rows(labels < 0.5, len(scores)).to(scores.dtype)
        return {"total": weighted_mean(squares.sum(1).clamp_min(TINY).sqrt(), normal)}


@hookimpl
def vadkit_components() -> list[type]:
    return [NormalNorm]
