"""A training run on the terminal: a bar with losses, rate and time left, and notes above it."""

from __future__ import annotations

from typing import Any

from rich.progress import MofNCompleteColumn
from rich.progress import Progress as Bar

from vadkit.engine.progress import Progress
from vadkit.terminal import console, progress_columns

SHOWN = ("auc", "ap", "far")  # while training; all figures are in the log


class TrainProgress(Progress):
    """Shows steps as a bar, evaluations and notes as lines above it."""

    def __init__(self) -> None:
        self.console = console(stderr=True)
        self._round = ""
        self._bar: Any = None
        self._task: Any = None

    def round(self, name: str, number: int, count: int) -> None:
        self._round = f"round {number} of {count}, "
        self.note(f"{self._round}{name}")

    def labelling(self, done: int, videos: int) -> None:
        if self._bar is None:
            self._start("labelling", 0, videos)
        self._bar.update(self._task, completed=done)
        if done == videos:
            self.end()

    def begin(self, step: int, steps: int) -> None:
        self._start("training", step, steps)

    def _start(self, what: str, done: int, count: int) -> None:
        self.end()
        self._bar = Bar(
            *progress_columns(f"{self._round}{what}", [MofNCompleteColumn], "{task.fields[status]}"),
            console=self.console,
            expand=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("", total=count, completed=done, status="")
        self._bar.start()

    def step(self, step: int) -> None:
        self._bar.update(self._task, completed=step)

    def record(self, record: dict[str, Any]) -> None:
        if record["kind"] == "train":
            losses = " ".join(f"{name} {value:.4g}" for name, value in record["losses"].items() if "." not in name)
            self._bar.update(self._task, status=f"{record['steps_per_second']:.3g} steps/s  {losses}")
        elif record["kind"] == "evaluation" and not record.get("final"):
            figures = " ".join(f"{k} {record['figures'][k]:.4f}" for k in SHOWN if record["figures"].get(k) is not None)
            label = " (test_best: flatters)" if record["select"] == "test_best" else ""
            self.note(f"step {record['step']}, {record['split']}{label}: {figures}")

    def note(self, text: str) -> None:
        self.console.print(text, soft_wrap=True)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
