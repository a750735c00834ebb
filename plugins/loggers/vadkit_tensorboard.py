"""Curves of a training run for TensorBoard: ``tensorboard --logdir FOLDER``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vadkit import Logger, fail, hookimpl

# Which numbers of a record are curves.
CURVES = {"train": ("losses", "lr", "weights"), "evaluation": ("figures",)}


class TensorBoard(Logger):
    """Write losses, learning rates, changing weights of losses and figures as TensorBoard's event files.

    Raises VadkitError where tensorboard is not installed.
    """

    name = "tensorboard"

    def open(self, folder: Path, keep: int | None) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            fail(
                "train.log names tensorboard, which is not installed",
                hint="pip install 'vadkit[tensorboard]', or leave it out of train.log",
            )
        self._writer = SummaryWriter(str(folder), purge_step=None if keep is None else keep + 1)

    def write(self, record: dict[str, Any]) -> None:
        for group in CURVES.get(record["kind"], ()):
            for name, value in record.get(group, {}).items():
                if isinstance(value, (int, float)):
                    head = record["split"] if group == "figures" else group
                    self._writer.add_scalar(f"{head}/{name}", value, record["step"])
        if record.get("note"):
            self._writer.add_text("note", record["note"], record["step"])
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


@hookimpl
def vadkit_components() -> list[type]:
    return [TensorBoard]
