"""Adagrad: a step size per weight that falls with the squared gradients so far.

Duchi, Hazan, Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization, JMLR 2011.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

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
        return OnDevice(groups, initial_accumulator_value=self.start, eps=self.eps)


class OnDevice(torch.optim.Adagrad):
    """torch's rule with the option ``capturable``: no count of steps, which only a falling rate needs.

    The learning rate is then a tensor on the device of the weights.
    """

    def __init__(self, groups: list[dict[str, Any]], **options: Any) -> None:
        super().__init__(groups, **options)
        for group in self.param_groups:
            group.setdefault("capturable", False)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        if not all(group["capturable"] for group in self.param_groups):
            super().step()
            return
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._update(weights, group)

    def _update(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [weight.grad for weight in weights]
        if group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, weights, alpha=group["weight_decay"]))
        sums = [self.state[weight]["sum"] for weight in weights]
        torch._foreach_addcmul_(sums, gradients, gradients)
        sizes = torch._foreach_sqrt(sums)
        torch._foreach_add_(sizes, group["eps"])
        torch._foreach_addcdiv_(weights, torch._foreach_mul(gradients, -group["lr"]), sizes)


@hookimpl
def vadkit_components() -> list[type]:
    return [Adagrad]
