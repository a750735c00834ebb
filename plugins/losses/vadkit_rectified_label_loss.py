"""Cross entropy with labels of snippets that the scores of a video give at the moment, by a threshold of its own.

After the self-rectifying loss of Majhi et al., "Human-Scene Network: A Novel Baseline with Self-rectifying Loss for
Weakly supervised Video Anomaly Detection", CVIU 2024, of which the abstract states that pseudo temporal annotations are
computed dynamically from video labels. The threshold is a guess.

Legend: b bags x crops, t snippets, v videos.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, hide, masked_mean, probability_loss, to_rows, weighted_mean


class RectifiedLabelLoss(Loss):
    """Call the high scores of an abnormal video abnormal, all else normal, and take the cross entropy with that.

    High is a score above m + spread * d, the mean and the standard deviation of the scores of the bag, renewed at every
    step; with ``highest``, so is the highest one, without which a flat curve would be normal throughout. Labels have no
    gradient. Averaged over the real snippets of the batch.

    Args:
        spread: standard deviations above the mean.
        highest: the highest score of an abnormal video is high, whatever the threshold.
    """

    name = "rectified_label_loss"
    inputs = {"scores": "b t", "labels": "v", "mask?": "b t"}
    needs = {"scores": "probability"}
    example = {}
    paper = "Majhi et al., Human-Scene Network, CVIU 2024"
    fidelity = "reconstruction"

    def __init__(self, *, spread: float = 1.0, highest: bool = True) -> None:
        super().__init__()
        self.spread, self.highest = spread, highest

    def forward(self, scores: Tensor, labels: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take probabilities (b, t), labels (v) and mask (b, t); return the loss."""
        scores = full_precision(scores)
        real = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
        own = self.rectified(scores.detach(), labels, real)
        return weighted_mean(probability_loss(scores, own), real.to(scores.dtype))

    def rectified(self, scores: Tensor, labels: Tensor, real: Tensor) -> Tensor:
        """Return the label (b, t) of each snippet, 0 or 1."""
        mean = masked_mean(scores, real)[:, None]
        deviation = masked_mean((scores - mean).square(), real).sqrt()[:, None]
        high = scores > mean + self.spread * deviation
        if self.highest:
            high = high | (scores == hide(scores, real).amax(1, keepdim=True))
        return (high & real & (to_rows(labels, len(scores)) > 0.5)[:, None]).to(scores.dtype)


@hookimpl
def vadkit_components() -> list[type]:
    return [RectifiedLabelLoss]
