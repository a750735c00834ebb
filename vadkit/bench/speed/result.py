"""The file of a run: times of every round, from which each figure follows, and the conditions."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta

from vadkit import json_file
from vadkit.bench.machine import machine
from vadkit.bench.speed.counting import limit_ms
from vadkit.problems import fail

KIND = "vadkit bench speed"
Positive = Annotated[float, Meta(gt=0)]
Times = Annotated[list[Positive], Meta(min_length=1)]
SAME = ("device", "threads", "python", "packages", "commit", "vadkit")  # of a machine: what one file is of


class Machine(msgspec.Struct):
    """Where and with what a run was measured: see ``vadkit.bench.machine``."""

    device: str
    threads: int
    system: str
    python: str
    vadkit: str
    packages: dict[str, str]
    commit: str
    date: str


class Row(msgspec.Struct):
    """A train step or the scoring of a batch; times are milliseconds of each round."""

    subject: str  # a graph, or a component
    kind: str  # "graph", or the component's kind
    what: str  # "train" or "score"
    bags: int
    snippets: int
    precision: str
    mode: str  # eager, compiled or captured
    ours_ms: Times
    product_ms: Times
    copy_ms: Times
    product_flops: Positive
    copy_bytes: Positive
    flops: float | None
    bytes: Positive
    plain_ms: list[Positive] | None = None  # of the restatement, as its authors run it
    memory_mib: float | None = None  # at its peak, on CUDA
    kernels: int | None = None
    host_waits: int | None = None
    why: str | None = None

    @property
    def ms(self) -> float:
        return statistics.median(self.ours_ms)

    @property
    def spread(self) -> float:
        """The median deviation from the median, as a share of it."""
        return statistics.median(abs(t - self.ms) for t in self.ours_ms) / self.ms

    @property
    def flops_per_ms(self) -> float:
        return self.product_flops / statistics.median(self.product_ms)

    @property
    def limit(self) -> float:
        """The least milliseconds that this device needs, by operations or by bytes."""
        moved = self.copy_bytes / statistics.median(self.copy_ms)
        return limit_ms(self.flops or 0.0, self.bytes, self.flops_per_ms, moved)

    @property
    def over_limit(self) -> float:
        return self.ms / self.limit

    @property
    def ratio(self) -> float | None:
        """How many times as long the authors' way takes."""
        return statistics.median(self.plain_ms) / self.ms if self.plain_ms else None


class Size(msgspec.Struct):
    """The scoring of one video: its time, and the most memory that the process has had."""

    snippets: int
    ms: Positive
    peak_mib: float | None


class Growth(msgspec.Struct):
    """The scoring of ever longer videos in a fresh process."""

    subject: str
    base_mib: float | None  # with torch and the model loaded
    sizes: list[Size]
    stopped: str | None = None
    seconds: float = 0.0  # the ceiling of one length


class Missing(msgspec.Struct):
    """What was asked for and could not be measured."""

    what: str
    why: str


class Run(msgspec.Struct):
    """All that one file holds."""

    kind: str
    machine: Machine
    conditions: dict[str, Any]
    rows: dict[str, Row] = {}
    growth: dict[str, Growth] = {}
    missing: dict[str, Missing] = {}


def read(path: Path) -> Run:
    """Return the run in a file. Raises VadkitError for another file."""
    found = json_file.read(path, Run, "the result of vadkit bench speed")
    if found.kind != KIND:
        fail(f"{path}: is not the result of vadkit bench speed")
    return found


def write(run: Run, path: Path) -> None:
    json_file.write(path, run)


def differing(one: Machine, other: Machine) -> list[str]:
    """Return in what two machines differ, out of what must be equal to go on with a run.

    Changes of files do not count: the result file itself is one of them.
    """
    pairs = {key: (getattr(one, key), getattr(other, key)) for key in SAME}
    pairs["commit"] = (one.commit.partition("+")[0], other.commit.partition("+")[0])
    return [key for key, (first, second) in pairs.items() if first != second]


def here(device: torch.device) -> Machine:
    """Return this machine."""
    return Machine(**machine(device))


def row_key(subject: str, what: str, bags: int, snippets: int, precision: str, mode: str) -> str:
    return f"{subject} {what} {bags}x{snippets} {precision} {mode}"
