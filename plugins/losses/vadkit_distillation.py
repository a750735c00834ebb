"""Distillation: follow the snippet scores of another model.

Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015, on the two classes
normal and abnormal of a snippet. The seed paper calls PEL4VAD's prompt loss a distillation loss;
that one is ``prompt_alignment``. This is real distillation, for Eq. 19 taken literally.

Legend: b bags x crops, t snippets.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, masked_mean, probability_loss, weighted_mean

LOWEST = -100.0  # of a logarithm, as in torch's cross entropy


class Distillation(Loss):
    """Average the disagreement with a teacher's probabilities over the real snippets.

    No gradient reaches the teacher. Padding is excluded.

    Args:
        mode: "bce" cross entropy; "kl" the same less the teacher's own entropy, so that 0 means
            equal; "mse" squared difference; "abnormal" the cross entropy of the class abnormal alone, as in HL-Net,
            which never asks for a low score.
        average: over all "snippets" alike, or over the snippets of each bag and then over "bags" (HL-Net).
    """

    name = "distillation"
    inputs = {"scores": "b t", "teacher": "b t", "mask?": "b t"}
    needs = {"scores": "probability", "teacher": "probability"}
    example = {}
    paper = "Hinton et al., Distilling the Knowledge in a Neural Network, 2015"
    fidelity = "paper"

    def __init__(
        self,
        *,
        mode: Literal["bce", "kl", "mse", "abnormal"] = "bce",
        average: Literal["snippets", "bags"] = "snippets",
    ) -> None:
        super().__init__()
        self.mode, self.average = mode, average

    def forward(self, scores: Tensor, teacher: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Take probabilities (b, t) of both and mask (b, t); return the loss as "total"."""
        scores, teacher = full_precision(scores), full_precision(teacher.detach())
        found = self._disagreement(scores, teacher)
        if self.average == "bags":
            real = torch.ones_like(scores[:, 0]) if mask is None else mask.any(1).float()
            return {"total": weighted_mean(masked_mean(found, mask), real)}
        keep = torch.ones_like(scores) if mask is None else mask.float()
        return {"total": weighted_mean(found, keep)}

    def _disagreement(self, scores: Tensor, teacher: Tensor) -> Tensor:
        if self.mode == "mse":
            return (scores - teacher).square()
        if self.mode == "abnormal":
            return -teacher * scores.log().clamp_min(LOWEST)
        cross = probability_loss(scores, teacher)
        return cross - probability_loss(teacher, teacher) if self.mode == "kl" else cross


@hookimpl
def vadkit_components() -> list[type]:
    return [Distillation]
