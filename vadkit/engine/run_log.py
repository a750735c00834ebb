"""The log: a record per interval and per evaluation, as JSON lines and for the loggers of ``train.log``.

Records are plain dictionaries with a ``kind``:

``train``       step, epoch, losses (means over the interval), lr by group, grad_norm where the
                gradient is clipped, weights of the losses whose weight changes (at this step), seconds
                since the start, steps_per_second, waiting (share of the time spent waiting for batches)
``evaluation``  step, split, select, figures, for select test_best a note that they flatter, and
                ``final`` for the figures of the selected weights at the end
``start`` and ``resume``  what runs: versions, seed, device

mmengine keeps every value of every loss in an array that it copies at each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import msgspec
import torch
from mmengine.hooks import Hook
from torch import Tensor

from vadkit import json_file
from vadkit.engine.distributed import average
from vadkit.engine.progress import Progress
from vadkit.engine.run_record import Record
from vadkit.files import cannot_read, open_to_append, write_atomically
from vadkit.problems import VadkitError, fail


class Writer(Protocol):
    """Where records go."""

    def write(self, record: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


class JsonLines:
    """One record per line, on the disk as soon as it is written.

    A resumed run drops the lines after the checkpoint it starts from (``keep`` steps), the figures of an
    earlier end, and damaged lines, so the file reads like that of one run. ``report`` is called about each
    damaged line.
    """

    def __init__(self, path: Path, keep: int | None = None, report: Callable[[str], None] = lambda text: None) -> None:
        self.path = path
        old = [] if keep is None else read_log(path, report)
        self.kept = [r for r in old if r["step"] <= (keep or 0) and not r.get("final")]
        try:
            write_atomically(path, b"".join(map(as_line, self.kept)))
            self._stream = open_to_append(path)
        except OSError as error:
            self._refused(error)

    def write(self, record: dict[str, Any]) -> None:
        try:
            self._stream.write(as_line(record))
            self._stream.flush()
        except OSError as error:
            self._refused(error)

    def close(self) -> None:
        try:
            self._stream.close()
        except OSError as error:
            self._refused(error)

    def _refused(self, error: OSError) -> None:
        fail(
            f"the log {self.path} cannot be written: {error.strerror or error}",
            hint="what was saved before is intact; make room or allow writing, then use --resume",
        )


def as_line(record: dict[str, Any]) -> bytes:
    """Return a record as a line; JSON has no number that is not finite, so it is null."""
    return json_file.as_line(plain(record.items()))


def read_log(path: Path, report: Callable[[str], None] = lambda text: None) -> list[dict[str, Any]]:
    """Return the records of a log file, each of which fits ``Record``; an absent file has none.

    A damaged line is left out, and ``report`` is called about it; of the last one, which a kill may have cut off,
    it is not. Raises VadkitError for a file that cannot be read.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        fail(f"{path}: is not a file")  # reading from a pipe might never end
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        cannot_read(path, error)
    records = []
    for number, line in enumerate([*lines, rest], 1):
        try:
            if line.strip():
                records.append(_record(line, f"{path}: line {number}"))
        except VadkitError as error:
            if number <= len(lines):
                report(f"{error.problems[0].message}; it is left out")
    return records


def _record(line: bytes, where: str) -> dict[str, Any]:
    record = json_file.from_bytes(line, dict[str, Any], where)
    json_file.typed(record, Record, where)  # type: ignore[arg-type]  # a union
    return record


class Log:
    """Passes records on to the writers and the progress, and keeps them."""

    def __init__(self, writers: Sequence[Writer] = (), progress: Progress | None = None) -> None:
        self.writers, self.progress = list(writers), progress or Progress()
        self.history: list[dict[str, Any]] = []

    def write(self, record: dict[str, Any]) -> None:
        self.history.append(record)
        for writer in self.writers:
            writer.write(record)
        self.progress.record(record)

    def close(self) -> None:
        for writer in self.writers:
            writer.close()


class OpenInterval(msgspec.Struct):
    """What a checkpoint keeps of an interval that has not ended: a row of losses for each of its steps."""

    names: list[str]
    rows: Tensor | None

    def __post_init__(self) -> None:
        if self.rows is not None and ("total" not in self.names or self.rows.shape[1:] != (len(self.names),)):
            raise ValueError("rows that do not fit names")


class RecordHook(Hook):  # type: ignore[misc]
    """Collects the losses of each step and writes their means every ``every`` steps.

    Stops the run when the total is not finite: on the CPU at that step; on CUDA, where looking at every
    step would make the device wait, at the end of the interval.

    Args:
        log: where records go.
        every: steps in an interval.
        last_good: says where a stopped run can resume from.
        rates: returns the learning rate of each group.
    """

    priority = "BELOW_NORMAL"

    def __init__(
        self,
        log: Log,
        every: int,
        device: torch.device,
        last_good: Callable[[], str],
        rates: Callable[[], Iterable[float]],
    ) -> None:
        self.log, self.every, self.device, self.last_good, self.rates = log, every, device, last_good, rates
        self.names: list[str] = []
        self.rows: list[Tensor] = []
        self.start = self.since = perf_counter()
        self.waited = 0.0
        self.counted = 0  # steps since the last record in this process, for the rate

    def before_train(self, runner: Any) -> None:
        self.start = self.since = perf_counter()
        self.log.progress.begin(runner.iter, runner.max_iters)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict[str, Tensor] | None = None
    ) -> None:
        assert outputs is not None
        step = batch_idx + 1
        self.names = list(outputs)
        self.rows.append(torch.stack([value.float() for value in outputs.values()]))
        self.counted += 1
        if self.device.type == "cpu" and not math.isfinite(float(outputs["total"])):
            self.check(step)
        if step % self.every == 0 or step == runner.max_iters:
            self.flush(runner, step)
        self.log.progress.step(step)

    def flush(self, runner: Any, step: int) -> None:
        """Write the record of the interval that ends with ``step``."""
        self.check(step)
        means = average(torch.stack(self.rows).mean(0), self.device)
        now, waited = perf_counter(), runner.train_loop.waited
        seconds = max(now - self.since, 1e-9)
        record: dict[str, Any] = {
            "kind": "train",
            "step": step,
            "epoch": round(step / runner.train_loop.epoch_steps, 4),
            "losses": dict(zip(self.names, means.tolist())),
            "lr": dict(zip((group["name"] for group in runner.optim_wrapper.optimizer.param_groups), self.rates())),
        }
        if runner.optim_wrapper.grad_norm is not None:
            record["grad_norm"] = float(runner.optim_wrapper.grad_norm)
        changing = getattr(runner.graph, "changing_weights", None)
        if changing is not None and (weights := changing(runner.train_loop.epoch_of(step))):
            record["weights"] = weights
        record["seconds"] = round(now - self.start, 3)
        record["steps_per_second"] = round(self.counted / seconds, 3)
        record["waiting"] = round((waited - self.waited) / seconds, 3)
        self.rows, self.counted, self.since, self.waited = [], 0, now, waited
        self.log.write(record)

    def check(self, step: int) -> None:
        """Raise VadkitError if a total since the last record is not finite."""
        if not self.rows:
            return
        table = torch.stack(self.rows).cpu()
        bad = torch.nonzero(~torch.isfinite(table[:, self.names.index("total")])).flatten().tolist()
        if bad:
            row, at = table[bad[0]], step - len(self.rows) + 1 + bad[0]
            culprit = next((n for n, v in zip(self.names, row) if n != "total" and not v.isfinite()), "total")
            value = float(row[self.names.index(culprit)])
            fail(
                f"the loss '{culprit}' became {value} at step {at}; training stopped",
                hint=f"{self.last_good()}; a lower train.optimizer.lr or a train.clip_grad may help",
            )

    def state(self) -> dict[str, Any]:
        """Return the open interval, so that a resumed run writes the same means."""
        return {"names": self.names, "rows": torch.stack(self.rows) if self.rows else None}

    def load(self, state: OpenInterval) -> None:
        self.names = state.names
        self.rows = [] if state.rows is None else list(state.rows.to(self.device))


def plain(figures: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return figures as JSON can hold them: numpy numbers become Python's, what is not finite becomes null."""
    result: dict[str, Any] = {}
    for name, value in figures:
        if isinstance(value, dict):
            result[name] = plain(value.items())
        elif hasattr(value, "item"):
            result[name] = value.item()
        else:
            result[name] = value
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in result.items()}
