"""Weights of a node that follow those of another one: ``train.blend``.

The share that a node keeps is a function of the step alone, so nothing is stored and a run resumes anywhere. All
processes hold equal weights and blend alike; half precision keeps its weights in float32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
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


@dataclass
class _Pair:
    """Two nodes, and the shares of the one and the other at the update at hand, on their device."""

    entry: Mapping[str, Any]
    own: list[Tensor]
    others: list[Tensor]
    keep: Tensor
    give: Tensor


class Blend:
    """Sets the parameters of a node to keep * its own + (1 - keep) * another's, after the optimizer's update.

    Buffers stay each node's own, as in ``train.ema``; the optimizer's moments, too. ``per: epoch`` blends once the
    last step of an epoch is done, by the share of the run that was over when the epoch began.

    Args:
        model: whose nodes are blended.
        entries: those of ``train.blend``, applied in order.
        steps: updates in the run.
        epoch_steps: updates in an epoch.
    """

    def __init__(self, model: nn.Module, entries: Sequence[Mapping[str, Any]], steps: int, epoch_steps: int) -> None:
        self.steps, self.epoch_steps = steps, epoch_steps
        self.pairs = [_pair(model, index, entry) for index, entry in enumerate(entries)]

    def prepare(self, step: int) -> None:
        """Set the shares of an update; a node that is not blended at it keeps all of its own."""
        for pair in self.pairs:
            keep = self._share(pair.entry, step)
            pair.keep.fill_(keep)
            pair.give.fill_(1 - keep)

    def _share(self, entry: Mapping[str, Any], step: int) -> float:
        if entry["per"] == "epoch":
            if (step + 1) % self.epoch_steps:
                return 1.0
            step = step // self.epoch_steps * self.epoch_steps
        return kept(entry["keep"], step / self.steps)

    @torch.no_grad()
    def apply(self) -> None:
        """Blend by the shares of ``prepare``. They are tensors, so that a captured update reads those of its step."""
        for pair in self.pairs:
            if not pair.own:
                continue
            mixed = torch._foreach_mul(pair.others, pair.give)
            torch._foreach_mul_(pair.own, pair.keep)
            torch._foreach_add_(pair.own, mixed)


def _pair(model: nn.Module, index: int, entry: Mapping[str, Any]) -> _Pair:
    into, source = (find_node(model, entry[key], f"train.blend[{index}].{key}") for key in ("into", "from"))
    others: dict[str, Tensor] = dict(source.named_parameters())
    own: dict[str, Tensor] = dict(into.named_parameters())
    like = next(iter(own.values()), torch.zeros(()))
    return _Pair(entry, list(own.values()), [others[name] for name in own], like.new_ones(()), like.new_zeros(()))


__all__ = ["Blend", "kept"]
