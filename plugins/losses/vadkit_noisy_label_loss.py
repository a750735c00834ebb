"""Cross entropy of every snippet with the label of its video, as if all of an abnormal video were abnormal.

The start of Zhong et al., "Graph Convolutional Label Noise Cleaner", CVPR 2019: weak labels are noisy labels.

Legend: b bags x crops, t snippets, v videos.
"""

from __future__ import annotations

from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, masked_mean, probability_loss, to_rows, weighted_mean


class NoisyLabelLoss(Loss):
    """Average over the snippets of each bag, and then over bags, the cross entropy with the label of the video.

    Padding is left out; a bag without a real snippet does not count.
    """

    name = "noisy_label_loss"
    inputs = {"scores": "b t", "labels": "v", "mask?": "b t"}
    needs = {"scores": "probability"}
    example = {}
    paper = "Zhong et al., Graph Convolutional Label Noise Cleaner, CVPR 2019"
    fidelity = "paper"

    def forward(self, scores: Tensor, labels: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take probabilities (b, t), labels (v) and mask (b, t); return the loss."""
        scores = full_precision(scores)
        own = to_rows(labels, len(scores)).to(scores.dtype)[:, None].expand_as(scores)
        found = masked_mean(probability_loss(scores, own), mask)
        return found.mean() if mask is None else weighted_mean(found, mask.any(1).to(found.dtype))


@hookimpl
def vadkit_components() -> list[type]:
    return [NoisyLabelLoss]
