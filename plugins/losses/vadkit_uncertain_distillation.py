"""Distillation of features whose error is weighed by how certain the student is of each number.

AVadCLIP: Wu et al., "AVadCLIP: Audio-Visual Collaboration for Robust Video Anomaly Detection", arXiv 2504.04495 (its
student sees pictures only, its teacher hears, too), after the authors' code.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, weighted_mean

LEAST = 1e-6  # added to the variance


class UncertainDistillation(Loss):
    """Mean of (teacher - x)^2 / (scale * variance) + log variance over all numbers, with log variance = - certainty.

    No gradient reaches the teacher. Quirk: the mean is over all rows, padding included; ``use_mask`` leaves it out.

    Args:
        dim: width of both features.
        scale: factor of the variance: 2 in the authors' code, 1 as the equation is printed.
        use_mask: exclude padding.
    """

    name = "uncertain_distillation"
    inputs = {"x": "b t dim", "teacher": "b t dim", "certainty": "b t dim", "mask?": "b t"}
    example = {"dim": 4}
    paper = "Wu et al., AVadCLIP, arXiv 2504.04495"
    fidelity = "paper"
    mask_switch = "use_mask"

    def __init__(self, *, dim: int, scale: float = 2.0, use_mask: bool = False) -> None:
        super().__init__()
        if scale <= 0:
            raise ValueError(f"scale must be above 0, not {scale}")
        self.dim, self.scale, self.use_mask = dim, scale, use_mask

    def forward(self, x: Tensor, teacher: Tensor, certainty: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take x, teacher and certainty (b, t, c) and mask (b, t); return the loss."""
        x, teacher, certainty = (full_precision(v) for v in (x, teacher.detach(), certainty))
        found = ((teacher - x).square() / (LEAST + self.scale * torch.exp(-certainty)) - certainty).mean(-1)
        keep = torch.ones_like(found) if mask is None or not self.use_mask else mask.to(found.dtype)
        return weighted_mean(found, keep)


@hookimpl
def vadkit_components() -> list[type]:
    return [UncertainDistillation]
