"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from typing import Any

import torch

from vadkit import Optimizer, hookimpl


class SGD(Optimizer):
    """Stochastic gradient descent; weight decay is added to the gradient.

    Args:
        momentum: decay rate of the running sum of gradients; 0 takes each gradient alone.
        nesterov: look ahead along the momentum.
    """

    name = "sgd"

    def __init__(self, *, momentum: float = 0.9, nesterov: bool = False) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be from 0 to below 1, not {momentum}")
        if nesterov and not momentum:
            raise ValueError("nesterov needs a momentum above 0")
        self.momentum, self.nesterov = momentum, nesterov

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        fused = all(weight.is_floating_point() for group in groups for weight in group["params"])
        optimizer = torch.optim.SGD(groups, momentum=self.momentum, nesterov=self.nesterov, fused=fused)
        if self.momentum:
            optimizer.register_step_pre_hook(_begin_momentum)
        return optimizer


def _begin_momentum(optimizer: torch.optim.Optimizer, *arguments: Any) -> None:
    """Give a weight a momentum of 0 with its first gradient.

    torch does so itself, but its fused update refuses a weight whose first gradient comes later than that of others.
    """
    for group in optimizer.param_groups:
        for weight in group["params"]:
            if weight.grad is not None and optimizer.state[weight].get("momentum_buffer") is None:
                optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)


@hookimpl
def vadkit_components() -> list[type]:
    return [SGD]
