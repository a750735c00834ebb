"""Weights of a node that follow those of another one: ``train.blend``.

The share that a node keeps is a function of the step alone, so nothing is stored and a run resumes anywhere. All
processes hold equal weights and blend alike; half precision keeps its weights in float32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import Tensor, nn

from vadkit.engine.optimizers import find_node


def kept(keep: float | Sequence[float], done: float) -> float:
    """Return the share that a node keeps when the share ``done`` of the run was over before.

    Of two shares a and b it is b + (a - b) (1 + cos(pi done)) / 2.
    """
    if not isinstance(keep, Sequence):
        return keep
    first, last = keep
    return last + (first - last) * (1 + math.cos(math.pi * min(1.0, done))) / 2


class BlendHook(Hook):  # type: ignore[misc]
    """Sets the parameters of a node to keep * its own + (1 - keep) * another's, after the optimizer's update.

    Buffers stay each node's own, as in ``train.ema``; the optimizer's moments, too. ``per: epoch`` blends once the
    last step of an epoch is done, by the share of the run that was over when the epoch began.

    Args:
        model: whose nodes are blended.
        entries: those of ``train.blend``, applied in order.
        steps: updates in the run.
        epoch_steps: updates in an epoch.
    """

    priority = "ABOVE_NORMAL"  # before EMAHook, whose average is of what the blend leaves

    def __init__(self, model: nn.Module, entries: Sequence[Mapping[str, Any]], steps: int, epoch_steps: int) -> None:
        self.steps, self.epoch_steps = steps, epoch_steps
        self.pairs = []
        for index, entry in enumerate(entries):
            into, source = (find_node(model, entry[key], f"train.blend[{index}].{key}") for key in ("into", "from"))
            others: dict[str, Tensor] = dict(source.named_parameters())
            own: dict[str, Tensor] = dict(into.named_parameters())
            self.pairs.append((entry, list(own.values()), [others[name] for name in own]))

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        for entry, own, others in self.pairs:
            step = batch_idx
            if entry["per"] == "epoch":
                if (step + 1) % self.epoch_steps:
                    continue
                step = step // self.epoch_steps * self.epoch_steps
            keep = kept(entry["keep"], step / self.steps)
            with torch.no_grad():
                torch._foreach_mul_(own, keep)
                torch._foreach_add_(own, others, alpha=1 - keep)


__all__ = ["BlendHook", "kept"]
