"""The learning rate as a function of the step number, on mmengine's scheduler base.

mmengine's own schedulers compute each rate from the one before and store where they end. Resumed with more
steps they stop at the old end and the rate freezes silently. Here nothing is stored: the rate at
step k is ``base rate x share(k)``, and a run that was extended follows the longer schedule from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine.optim import _ParamScheduler

Share = Callable[[int], float]


def _constant(steps: int, options: Mapping[str, Any]) -> Share:
    return lambda step: 1.0


def _cosine(steps: int, options: Mapping[str, Any]) -> Share:
    floor = options["end_factor"]
    return lambda step: floor + (1 - floor) * (1 + math.cos(math.pi * min(1.0, step / steps))) / 2


def _linear(steps: int, options: Mapping[str, Any]) -> Share:
    floor = options["end_factor"]
    return lambda step: 1 - (1 - floor) * min(1.0, step / steps)


def _step(steps: int, options: Mapping[str, Any]) -> Share:
    gamma, milestones = options["gamma"], options["milestones"]
    return lambda step: gamma ** sum(step >= milestone for milestone in milestones)


SHARES = {"constant": _constant, "cosine": _cosine, "linear": _linear, "step": _step}


def share(schedule: Mapping[str, Any], steps: int, epoch_steps: int = 1) -> Share:
    """Return the share of the base rate at each step of a run of ``steps`` updates.

    The first ``warmup`` steps rise in a straight line to the full rate; the schedule proper runs
    over the rest, or to the end of ``span`` epochs if the run is not as long as its curve or longer.
    ``milestones`` count from the start of the run. With ``per: epoch`` the rate of an epoch's first
    step holds until the epoch is over.
    """
    warmup, span = schedule["warmup"], schedule.get("span")
    end = steps if span is None else span * epoch_steps
    shape = SHARES[schedule["name"]](max(1, end - warmup), schedule)
    offset = 0 if schedule["name"] == "step" else warmup
    held = epoch_steps if schedule.get("per") == "epoch" else 1

    def at(step: int) -> float:
        return (step + 1) / (warmup + 1) if step < warmup else shape(max(0, step // held * held - offset))

    return at


class Schedule(_ParamScheduler):  # type: ignore[misc]
    """Sets every group's rate to its base rate times the share of the step at hand.

    Args:
        optimizer: whose groups carry their base rate as ``lr`` when the run begins.
        share: step number -> share of the base rate.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, share: Share) -> None:
        self.share = share
        super().__init__(optimizer, "lr", begin=0, end=2**62, by_epoch=False)
        optimizer._global_step = 0  # type: ignore[attr-defined]  # fp16 may skip an update; no warning then

    def go_to(self, step: int) -> None:
        """Set the rates for ``step``, wherever the run was before."""
        self.last_step = self._global_step = step - 1
        self.step()

    def _get_value(self) -> list[float]:
        now = self.share(self.last_step)
        return [base * now for base in self.base_values]
