"""Distillation of features: describe a snippet as another model does.

Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015: a narrow student follows a hidden layer of its teacher,
through a projection to the teacher's width that training alone needs. The projection is a node of the graph, with
``when: train``.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, weighted_mean


class FeatureDistillation(Loss):
    """Average the distance to a teacher's features over the real snippets.

    No gradient reaches the teacher. Padding is excluded.

    Args:
        dim: width of both features.
        mode: "cosine" 1 minus the cosine of the two, whatever their lengths; "mse" the mean squared difference, as in
            the paper.
    """

    name = "feature_distillation"
    inputs = {"x": "b t dim", "teacher": "b t dim", "mask?": "b t"}
    example = {"dim": 4}
    paper = "Romero et al., FitNets: Hints for Thin Deep Nets, ICLR 2015"
    fidelity = "paper"

    def __init__(self, *, dim: int, mode: Literal["cosine", "mse"] = "cosine") -> None:
        super().__init__()
        self.dim, self.mode = dim, mode

    def forward(self, x: Tensor, teacher: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take x and teacher (b, t, c) and mask (b, t); return the loss."""
        x, teacher = full_precision(x), full_precision(teacher.detach())
        if self.mode == "mse":
            found = (teacher - x).square().mean(-1)
        else:
            found = 1 - functional.cosine_similarity(x, teacher, dim=-1)
        return weighted_mean(found, found.new_ones(found.shape) if mask is None else mask.to(found.dtype))


@hookimpl
def vadkit_components() -> list[type]:
    return [FeatureDistillation]
