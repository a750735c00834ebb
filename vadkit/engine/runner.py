"""mmengine's Runner without what it does besides running.

A bare ``Runner(...)`` creates a folder named by the second, prints the machine's description (a second of
probing), dumps a config, forces every later child process of the program to be forked, turns off OpenCV's
threads, and leaves loggers, message hubs and visualisers in process-wide tables under that one-second
name. None of it is wanted by a user who trains nine small models in a loop, so each is replaced here.
"""

from __future__ import annotations

import itertools
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.logging import MessageHub, MMLogger
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from vadkit.engine.distributed import active, wrap

_numbers = itertools.count()


class NoVisualizer:
    """Takes the place of mmengine's visualiser; ``vadkit.engine.run_log`` writes the logs."""

    def add_config(self, config: Any) -> None:
        """Do nothing."""


class QuietRunner(Runner):  # type: ignore[misc]
    """A Runner that only runs: hooks, loop, optimiser wrapper and scheduler, in mmengine's order.

    Args:
        model: an adapter (see ``vadkit.engine.adapter``).
        device: where it trains.
        batches: what the loop takes batches from.
        loop: the train loop's class and arguments, as mmengine's ``train_cfg``.
        optim_wrapper: built.
        schedule: built.
        hooks: all hooks; mmengine's default ones are left out.
        resume: called where mmengine would load a checkpoint: after ``before_run``, when the hooks
            have what they keep.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        batches: Any,
        loop: dict[str, Any],
        optim_wrapper: OptimWrapper,
        schedule: Any,
        hooks: list[Hook],
        resume: Callable[[QuietRunner], None],
    ) -> None:
        self._device, self._resume_from = device, resume
        off = ("runtime_info", "timer", "sampler_seed", "logger", "param_scheduler", "checkpoint")
        super().__init__(
            model,
            tempfile.gettempdir(),  # exists, so nothing is created; nothing is written there
            train_dataloader=batches,
            train_cfg=loop,
            optim_wrapper=optim_wrapper,
            param_scheduler=[schedule],
            default_hooks=dict.fromkeys(off),
            custom_hooks=hooks,
            default_scope=None,
            experiment_name=f"vadkit-{os.getpid()}-{next(_numbers)}",
        )

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        self._distributed = active()
        self._rank, self._world_size = get_dist_info()
        self._timestamp = ""  # names the log folder and ends the run's name: neither is wanted

    def set_randomness(self, **kwargs: Any) -> None:
        """Nothing: the session seeds before the model is built."""
        self._seed, self._deterministic = None, False

    def build_logger(self, **kwargs: Any) -> MMLogger:
        # mmengine speaks to the newest logger: with one of our own that says nothing, a mere print of
        # a run's hooks costs nothing, and others' loggers stay as they are.
        logger = MMLogger.get_instance(self._experiment_name, log_level="CRITICAL")
        logger.setLevel(logging.CRITICAL)
        return logger

    def build_message_hub(self, message_hub: Any = None) -> MessageHub:
        return MessageHub.get_instance(self._experiment_name)

    def build_visualizer(self, visualizer: Any = None) -> Any:
        return NoVisualizer()

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        """Nothing: probing the machine takes a second; ``result.json`` names the versions."""

    def dump_config(self) -> None:
        """Nothing: ``train`` writes config.yaml."""

    def get_hooks_info(self) -> str:
        return ""

    def wrap_model(self, model_wrapper_cfg: Any, model: nn.Module) -> nn.Module:
        """mmengine would take any GPU it sees, whatever device was requested."""
        return wrap(model.to(self._device), self._device)

    def load_or_resume(self) -> None:
        """mmengine's checkpoints are pickles that torch >= 2.6 refuses, without random state."""
        self._resume_from(self)


@contextmanager
def no_trace() -> Iterator[None]:
    """Take what a run put into mmengine's process-wide tables out again."""
    tables = (MMLogger._instance_dict, MessageHub._instance_dict)
    before = [set(table) for table in tables]
    try:
        yield
    finally:
        for table, names in zip(tables, before):
            for name in [name for name in table if name not in names and name.startswith("vadkit-")]:
                table.pop(name, None)
