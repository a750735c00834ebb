"""The moving average of the weights: ``train.ema``."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import EMAHook
from torch import Tensor


class MovingAverage(EMAHook):  # type: ignore[misc]
    """mmengine's hook, which swaps the weights for evaluations; averaging is part of the update.

    mmengine updates one weight at a time, and decides by a tensor whether the average begins.

    Args:
        decay: share of the average that stays at each update.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(momentum=1 - decay, strict_load=True)

    def after_train_iter(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: see ``average``."""

    def prepare(self) -> None:
        """Look whether the average has begun. mmengine counts on the CPU, whatever the weights are on."""
        self.begun = bool(self.ema_model.steps)

    @torch.no_grad()
    def average(self) -> None:
        """Take the weights into the average; the first ones are the average."""
        averages: dict[str, Tensor] = self.ema_model.avg_parameters
        weights = dict(self.src_model.named_parameters())
        pairs = [(average, weights[name]) for name, average in averages.items()]
        if self.begun:
            pairs = [pair for pair in pairs if pair[0].is_floating_point()]
            torch._foreach_lerp_([own for own, _ in pairs], [new for _, new in pairs], self.ema_model.momentum)
        else:
            torch._foreach_copy_([own for own, _ in pairs], [new for _, new in pairs])
        for average, buffer in zip(self.ema_model.module.buffers(), self.src_model.buffers()):
            average.copy_(buffer)

    def count(self) -> None:
        """Count an update."""
        self.ema_model.steps += 1
