"""Which classes a video is of, judged by its highest logits in each.

VadCLIP: Wu et al., AAAI 2024 (L_nce). The focal form: AVadCLIP, Wu et al., arXiv 2504.04495, as in its code.

Legend: b bags x crops, v videos, t snippets, n classes.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, per_video, topk_mean, weighted_mean

FACTOR = 0.25  # of the focal loss of every class, at first


class ClassBagLoss(Loss):
    """Cross entropy of a video's classes with the mean of its k highest logits in each class.

    A video of several classes has an equal share in each. The logits of the crops of one video are averaged first.
    Padding is never included. A video without a real snippet, or of no known class, is ignored.

    With ``focal`` it is the mean of the cross entropy and of the focal loss: the cross entropy times (1 - p)^focal and
    times the factor of the class, where p is the probability of the video's classes. Quirk: the factors are learned
    from 0.25 on by this loss itself, which can only make them smaller; ``learned`` off keeps them.

    Args:
        num_classes: width of the logits.
        divisor: a video of n snippets is judged by n // divisor + 1 of them, at most n.
        focal: exponent of the focal loss (2 in AVadCLIP); null for the cross entropy alone.
        learned: whether the factors of the focal loss are learned.
    """

    name = "class_bag_loss"
    inputs = {"x": "b t num_classes", "class_set": "v num_classes", "mask?": "b t", "crops?": ""}
    example = {"num_classes": 3}
    paper = "Wu et al., VadCLIP, AAAI 2024"
    fidelity = "code"

    def __init__(
        self, *, num_classes: int, divisor: int = 16, focal: float | None = None, learned: bool = True
    ) -> None:
        super().__init__()
        if divisor < 1:
            raise ValueError(f"divisor must be at least 1, not {divisor}")
        if focal is not None and focal < 0:
            raise ValueError(f"focal must be at least 0, or null, not {focal}")
        self.num_classes, self.divisor, self.focal = num_classes, divisor, focal
        if focal is not None:
            self.factors = nn.Parameter(torch.full((num_classes,), FACTOR), requires_grad=learned)

    def forward(self, x: Tensor, class_set: Tensor, mask: Tensor | None = None, crops: int | None = None) -> Tensor:
        """Take logits (b, t, n), the classes (v, n) as 0 and 1, and mask (b, t); return the loss."""
        x = per_video(full_precision(x), crops or 1).mean(1)  # (v, t, n)
        real = x.new_ones(x.shape[:2], dtype=torch.bool) if mask is None else per_video(mask, crops or 1)[:, 0]
        found = self.bag_logits(x, real).log_softmax(-1)
        share = class_set / class_set.sum(1, keepdim=True).clamp_min(1)
        known = real.any(1) & (class_set.sum(1) > 0)
        loss = -(share * found).sum(1)
        if self.focal is not None:
            missed = 1 - (share * found.exp()).sum(1)
            loss = (loss + (share @ self.factors) * missed.clamp_min(0) ** self.focal * loss) / 2
        return weighted_mean(loss, known.to(found.dtype))

    def bag_logits(self, x: Tensor, real: Tensor) -> Tensor:
        """Take logits (v, t, n) and which snippets are real (v, t); return (v, n)."""
        k = (real.sum(1) // self.divisor + 1).repeat_interleave(self.num_classes)
        rows = real.repeat_interleave(self.num_classes, 0)
        return rearrange(topk_mean(rearrange(x, "v t n -> (v n) t"), k, rows), "(v n) -> v n", n=self.num_classes)


@hookimpl
def vadkit_components() -> list[type]:
    return [ClassBagLoss]
