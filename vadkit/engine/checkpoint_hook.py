"""When checkpoints are written, and where a run can resume from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from mmengine.hooks import Hook

from vadkit.engine import checkpoints, distributed


class CheckpointHook(Hook):  # type: ignore[misc]
    """Writes a checkpoint every so many steps, or when ``seconds`` have passed since the last one, and on request.

    Several processes look at the clock at the end of an epoch only, because they have to agree.

    Args:
        folder: where checkpoints go, or None: then nothing is kept.
        take: runner -> the state to save.
        about: plain data saved with every checkpoint (config, versions).
        seconds: least time between two checkpoints.
        device: for the agreement between processes.
        every: steps between two checkpoints; None goes by the clock.
    """

    priority = "VERY_LOW"

    def __init__(
        self,
        folder: Path | None,
        take: Callable[[Any], dict[str, Any]],
        about: dict[str, Any],
        seconds: float,
        device: Any,
        every: int | None = None,
    ) -> None:
        self.folder, self.take, self.about, self.seconds, self.device = folder, take, about, seconds, device
        self.every = every
        self.last = monotonic()
        self.saved: int | None = None

    def after_step(self, runner: Any) -> None:
        if self.folder is None:
            return
        if self.every is not None:
            if runner.iter % self.every == 0:
                self.save(runner)
            return
        if distributed.active() and runner.iter % runner.train_loop.epoch_steps:
            return
        due = monotonic() - self.last >= self.seconds
        if distributed.any_process(due and distributed.rank() == 0, self.device):
            self.save(runner)

    def save(self, runner: Any) -> None:
        """Write a checkpoint now, unless the last one is of this very step and nothing came after."""
        folder = self.folder
        if folder is None:
            return
        state = {**self.about, **self.take(runner)}
        distributed.first(lambda: checkpoints.write(folder, runner.iter, state))
        self.last, self.saved = monotonic(), runner.iter

    def last_good(self) -> str:
        """Return a clause that says where the run can resume from."""
        if self.folder is None:
            return "no checkpoints were kept"
        whole = checkpoints.found(self.folder)
        if not whole:
            return "there was no checkpoint yet"
        return f"the last good checkpoint is that of step {int(whole[0].name[5:])} in {whole[0]}"
