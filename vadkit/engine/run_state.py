"""Everything a run needs to continue as if it had never stopped, as one tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from vadkit import json_file
from vadkit.engine import distributed, random_state
from vadkit.engine.checkpoints import Checkpoint
from vadkit.engine.moving_average import MovingAverage
from vadkit.engine.optimizers import plain_state, state_of_one_weight
from vadkit.engine.random_state import RandomState
from vadkit.engine.run_log import OpenInterval, RecordHook
from vadkit.engine.run_record import Step
from vadkit.engine.schedules import Schedule
from vadkit.engine.selection import Best, Selection
from vadkit.kinds import Optimizer
from vadkit.problems import fail


class OptimizerState(msgspec.Struct):
    """What torch's optimizers save: tensors by number of the weight, and the options of each group."""

    state: dict[int, dict[str, Any]]
    param_groups: list[dict[str, Any]]


class SavedRun(msgspec.Struct):
    """What ``RunState`` saves, as it comes back from a checkpoint."""

    model: dict[str, Tensor]
    optimizer: OptimizerState
    scaler: dict[str, float] | None
    ema: dict[str, Tensor] | None
    random: list[RandomState]
    records: OpenInterval
    best: Best | None
    evaluated: Step | None


def stream_seed(seed: int, rank: int) -> int:
    """Return the seed of a process's noise while training: another stream than the initial weights'."""
    return int(np.random.SeedSequence((seed, 1 + rank)).generate_state(1, np.uint64)[0] >> np.uint64(1))


class RunState:
    """Takes and restores the state of a run. All processes must call both together.

    Args:
        records, selection, ema: the hooks and the selection that keep something; ``ema`` may be None.
        schedule: set to the step at hand.
        rule: what the optimizer was built by.
    """

    def __init__(
        self, records: RecordHook, selection: Selection, schedule: Schedule, ema: MovingAverage | None, rule: Optimizer
    ) -> None:
        self.records, self.selection, self.schedule, self.ema, self.rule = records, selection, schedule, ema, rule

    def take(self, runner: Any) -> dict[str, Any]:
        """Return the state after ``runner.iter`` steps. Raises VadkitError if a weight is not finite."""
        self.records.check(runner.iter)
        model = runner.graph.state_dict()
        refuse_broken(model, runner.iter, self.records)
        wrapper = runner.optim_wrapper
        return {
            "model": model,
            "optimizer": plain_state(wrapper.optimizer, self.schedule.rates),
            "scaler": None if wrapper.scaler is None else wrapper.scaler.state_dict(),
            "ema": None if self.ema is None else dict(self.ema.ema_model.state_dict()),
            "random": distributed.gather(random_state.capture()),
            "records": self.records.state(),
            "best": self.selection.state(),
            "evaluated": runner.train_loop.evaluated,
        }

    def restore(self, runner: Any, checkpoint: Checkpoint) -> None:
        """Set everything to what it was. Raises VadkitError for a state of another model or optimizer."""
        where = str(checkpoint.folder / "state.json")
        try:
            self._restore(runner, json_file.typed(checkpoint.state, SavedRun, where), checkpoint.step)
        except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
            cause = str(error).strip().splitlines() or [type(error).__name__]
            fail(
                f"{where}: does not fit this run: {cause[-1].strip()}",
                hint=f"delete {checkpoint.folder} to resume from the one before, or start again with --overwrite",
            )

    def _restore(self, runner: Any, saved: SavedRun, step: int) -> None:
        """Random state is kept only for the same number of processes."""
        wrapper = runner.optim_wrapper
        runner.graph.load_state_dict(saved.model)
        _restore_optimizer(wrapper.optimizer, saved.optimizer, state_of_one_weight(self.rule))
        if wrapper.scaler is not None and saved.scaler is not None:
            wrapper.scaler.load_state_dict(saved.scaler)
        if self.ema is not None and saved.ema is not None:
            self.ema.ema_model.load_state_dict(saved.ema)
        if saved.best is not None and _shapes(saved.best.weights) != _shapes(runner.graph.state_dict()):
            raise ValueError("the best weights are of another model")
        self.records.load(saved.records)
        self.selection.load(saved.best)
        runner.train_loop.iter, runner.train_loop.evaluated = step, saved.evaluated
        self.schedule.go_to(step)
        if len(saved.random) == distributed.world_size():
            random_state.restore(saved.random[distributed.rank()])


def _restore_optimizer(optimizer: torch.optim.Optimizer, saved: OptimizerState, examples: Mapping[str, Any]) -> None:
    """Restore what the optimizer knows of each weight, as ``examples`` of one; its options are the config's."""
    options = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(msgspec.structs.asdict(saved))
    for group, own in zip(optimizer.param_groups, options):
        group.update(own)
        if group.get("capturable"):
            _to_device(optimizer, group["params"])
    for weight, state in optimizer.state.items():
        if not all(key in state and _alike(state[key], example, weight) for key, example in examples.items()):
            raise ValueError("the optimizer's state is of another optimizer or model")


def _to_device(optimizer: torch.optim.Optimizer, weights: list[Tensor]) -> None:
    """Bring counters of a run that kept them on the host to the weights."""
    for weight in set(weights) & optimizer.state.keys():
        state = optimizer.state[weight]
        state.update({key: x.to(weight.device) for key, x in state.items() if isinstance(x, Tensor)})


def _alike(value: Any, example: Any, weight: Tensor) -> bool:
    if not isinstance(value, Tensor) or not isinstance(example, Tensor):
        return type(value) is type(example)
    return value.shape == (weight.shape if example.ndim else ())


def _shapes(weights: dict[str, Tensor]) -> dict[str, Any]:
    return {name: tensor.shape for name, tensor in weights.items()}


def refuse_broken(model: dict[str, Any], step: int, records: RecordHook) -> None:
    """Raise VadkitError if a weight is not finite: a finite loss may still have had a gradient that is not."""
    weights = [v for v in model.values() if v.is_floating_point()]
    if weights and not all(bool(norm.isfinite()) for norm in torch._foreach_norm(weights, float("inf"))):
        broken = next(n for n, v in model.items() if v.is_floating_point() and not bool(v.isfinite().all()))
        fail(
            f"the weights '{broken}' are not finite after step {step}; training stopped",
            hint=f"{records.last_good()}; a lower train.optimizer.lr or a train.clip_grad may help",
        )
