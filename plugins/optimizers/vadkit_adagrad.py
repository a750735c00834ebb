"""Adagrad: a step size per weight that falls with the squared gradients so far.

Duchi, Hazan, Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization, JMLR 2011.
"""

from __future__ import annotations

from typing import Any

import torch

from vadkit import Optimizer, hookimpl


class Adagrad(Optimizer):
    """Adagrad; weight decay is added to the gradient.

    Args:
        start: the sum of squared gradients before the first step.
        eps: added to the denominator.
    """

    name = "adagrad"
    paper = "Duchi et al., Adaptive Subgradient Methods, JMLR 2011"

    def __init__(self, *, start: float = 0.0, eps: float = 1e-10) -> None:
        if start < 0:
            raise ValueError(f"start must be at least 0, not {start}")
        self.start, self.eps = start, eps

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(groups, initial_accumulator_value=self.start, eps=self.eps)


@hookimpl
def vadkit_components() -> list[type]:
    return [Adagrad]
