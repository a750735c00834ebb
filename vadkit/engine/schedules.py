"""The learning rate as a function of the step number, on mmengine's scheduler base.

mmengine's own schedulers compute each rate from the one before and store where they end. Resumed with more
steps they stop at the old end and the rate freezes silently. Here nothing is stored: the rate at
step k is ``base rate x share(k)``, and a run that was extended follows the longer schedule from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine.optim import _ParamScheduler
from torch import Tensor

from vadkit.components import build_component, find_component
from vadkit.kinds import Schedule as Curve
from vadkit.plugin_manager import Plugins

Share = Callable[[int], float]


def share(schedule: Mapping[str, Any], steps: int, epoch_steps: int = 1, plugins: Plugins | None = None) -> Share:
    """Return the share of the base rate at each step of a run of ``steps`` updates.

    The first ``warmup`` steps rise in a straight line to the full rate; the schedule proper runs
    over the rest, or to the end of ``span`` epochs if the run is not as long as its curve or longer.
    With ``per: epoch`` the rate of an epoch's first step holds until the epoch is over. With ``unit: epoch``
    ``warmup`` is of epochs, and the curve counts epochs.
    """
    component = find_component(schedule["use"], "schedule", plugins)
    curve: Curve = build_component(component, schedule["args"], "train.schedule")
    unit = epoch_steps if schedule["unit"] == "epoch" else 1
    warmup: int = schedule["warmup"] * unit
    span: int | None = schedule["span"]
    length = max(1, (steps if span is None else span * epoch_steps) - warmup)
    offset = 0 if curve.counts_warmup else warmup
    held = epoch_steps if schedule["per"] == "epoch" else 1

    def at(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return curve.share(max(0, step // held * held - offset) / unit, length / unit)

    return at


class Schedule(_ParamScheduler):  # type: ignore[misc]
    """Sets every group's rate to its base rate times the share of the step at hand.

    Args:
        optimizer: whose groups carry their base rate as ``lr`` when the run begins.
        share: step number -> share of the base rate.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, share: Share) -> None:
        self.share = share
        self._tensors: list[Tensor] = []  # none where the optimizer takes plain numbers
        super().__init__(optimizer, "lr", begin=0, end=2**62, by_epoch=False)
        optimizer._global_step = 0  # type: ignore[attr-defined]  # fp16 may skip an update; no warning then

    def keep_on(self, device: torch.device) -> None:
        """Give the optimizer its rates as tensors on ``device``, so that a captured update reads those of its step."""
        self._tensors = [torch.zeros((), device=device) for _ in self.base_values]
        self._fill()

    @property
    def rates(self) -> list[float]:
        """The rates of the groups as they are now."""
        return list(self.get_last_value())

    def step(self) -> None:
        """Set the rates of the next step."""
        super().step()
        self._fill()

    def _fill(self) -> None:
        for group, tensor, rate in zip(self.optimizer.param_groups, self._tensors, self.rates):
            group["lr"] = tensor.fill_(rate)

    def go_to(self, step: int) -> None:
        """Set the rates for ``step``, wherever the run was before."""
        self.last_step = self._global_step = step - 1
        self.step()

    def _get_value(self) -> list[float]:
        now = self.share(self.last_step)
        return [base * now for base in self.base_values]
