"""Everything a run needs to continue as if it had never stopped, as one tree."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.hooks import EMAHook

from vadkit.engine import distributed, random_state
from vadkit.engine.checkpoints import Checkpoint
from vadkit.engine.run_log import RecordHook
from vadkit.engine.schedules import Schedule
from vadkit.engine.selection import Selection
from vadkit.problems import fail


def stream_seed(seed: int, rank: int) -> int:
    """Return the seed of a process's noise while training: another stream than the initial weights'."""
    return int(np.random.SeedSequence((seed, 1 + rank)).generate_state(1, np.uint64)[0] >> np.uint64(1))


class RunState:
    """Takes and restores the state of a run. All processes must call both together.

    Args:
        records, selection, ema: the hooks and the selection that keep something; ``ema`` may be None.
        schedule: set to the step at hand.
    """

    def __init__(self, records: RecordHook, selection: Selection, schedule: Schedule, ema: EMAHook | None) -> None:
        self.records, self.selection, self.schedule, self.ema = records, selection, schedule, ema

    def take(self, runner: Any) -> dict[str, Any]:
        """Return the state after ``runner.iter`` steps. Raises VadkitError if a weight is not finite."""
        self.records.check(runner.iter)
        model = runner.graph.state_dict()
        refuse_broken(model, runner.iter, self.records)
        wrapper = runner.optim_wrapper
        return {
            "model": model,
            "optimizer": wrapper.optimizer.state_dict(),
            "scaler": None if wrapper.scaler is None else wrapper.scaler.state_dict(),
            "ema": None if self.ema is None else dict(self.ema.ema_model.state_dict()),
            "random": distributed.gather(random_state.capture()),
            "records": self.records.state(),
            "best": self.selection.state(),
            "evaluated": runner.train_loop.evaluated,
        }

    def restore(self, runner: Any, checkpoint: Checkpoint) -> None:
        """Set everything to what it was. Random state is kept only for the same number of processes."""
        state, wrapper = checkpoint.state, runner.optim_wrapper
        runner.graph.load_state_dict(state["model"])
        wrapper.optimizer.load_state_dict(state["optimizer"])
        if wrapper.scaler is not None and state["scaler"] is not None:
            wrapper.scaler.load_state_dict(state["scaler"])
        if self.ema is not None and state["ema"] is not None:
            self.ema.ema_model.load_state_dict(state["ema"])
        self.records.load(state["records"])
        self.selection.load(state["best"])
        runner.train_loop.iter, runner.train_loop.evaluated = checkpoint.step, state["evaluated"]
        self.schedule.go_to(checkpoint.step)
        if len(state["random"]) == distributed.world_size():
            random_state.restore(state["random"][distributed.rank()])


def refuse_broken(model: dict[str, Any], step: int, records: RecordHook) -> None:
    """Raise VadkitError if a weight is not finite: a finite loss may still have had a gradient that is not."""
    weights = [v for v in model.values() if v.is_floating_point()]
    if weights and not all(bool(norm.isfinite()) for norm in torch._foreach_norm(weights, float("inf"))):
        broken = next(n for n, v in model.items() if v.is_floating_point() and not bool(v.isfinite().all()))
        fail(
            f"the weights '{broken}' are not finite after step {step}; training stopped",
            hint=f"{records.last_good()}; a lower train.optimizer.lr or a train.clip_grad may help",
        )
