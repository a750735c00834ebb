"""Which classes a video is of, judged by its highest logits in each.

VadCLIP: Wu et al., AAAI 2024 (L_nce).

Legend: b bags x crops, v videos, t snippets, n classes.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, per_video, topk_mean, weighted_mean


class ClassBagLoss(Loss):
    """Cross entropy of a video's classes with the mean of its k highest logits in each class.

    A video of several classes has an equal share in each. The logits of the crops of one video are averaged first.
    Padding is never included. A video without a real snippet, or of no known class, is ignored.

    Args:
        num_classes: width of the logits.
        divisor: a video of n snippets is judged by n // divisor + 1 of them, at most n.
    """

    name = "class_bag_loss"
    inputs = {"x": "b t num_classes", "class_set": "v num_classes", "mask?": "b t", "crops?": ""}
    example = {"num_classes": 3}
    paper = "Wu et al., VadCLIP, AAAI 2024"
    fidelity = "code"

    def __init__(self, *, num_classes: int, divisor: int = 16) -> None:
        super().__init__()
        if divisor < 1:
            raise ValueError(f"divisor must be at least 1, not {divisor}")
        self.num_classes, self.divisor = num_classes, divisor

    def forward(self, x: Tensor, class_set: Tensor, mask: Tensor | None = None, crops: int | None = None) -> Tensor:
        """Take logits (b, t, n), the classes (v, n) as 0 and 1, and mask (b, t); return the loss."""
        x = per_video(full_precision(x), crops or 1).mean(1)  # (v, t, n)
        real = x.new_ones(x.shape[:2], dtype=torch.bool) if mask is None else per_video(mask, crops or 1)[:, 0]
        found = self.bag_logits(x, real).log_softmax(-1)
        share = class_set / class_set.sum(1, keepdim=True).clamp_min(1)
        known = real.any(1) & (class_set.sum(1) > 0)
        return weighted_mean(-(share * found).sum(1), known.to(found.dtype))

    def bag_logits(self, x: Tensor, real: Tensor) -> Tensor:
        """Take logits (v, t, n) and which snippets are real (v, t); return (v, n)."""
        k = (real.sum(1) // self.divisor + 1).repeat_interleave(self.num_classes)
        rows = real.repeat_interleave(self.num_classes, 0)
        return rearrange(topk_mean(rearrange(x, "v t n -> (v n) t"), k, rows), "(v n) -> v n", n=self.num_classes)


@hookimpl
def vadkit_components() -> list[type]:
    return [ClassBagLoss]
