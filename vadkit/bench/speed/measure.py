"""Measure one batch of one graph, or the components in it: times, limit, and why it is above the limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from vadkit.bench.speed import nodes, why
from vadkit.bench.speed.captured import captured
from vadkit.bench.speed.counting import operations
from vadkit.bench.speed.grid import LARGEST, Point, length_of
from vadkit.bench.speed.peaks import peaks
from vadkit.bench.speed.result import Row
from vadkit.bench.speed.turns import Turn, take_turns
from vadkit.bench.speed.work import Work, of_graph, of_restatement
from vadkit.bench.timing import Load, random_batch
from vadkit.graph.cost import costs
from vadkit.graph.module import VadModel
from vadkit.problems import fail
from vadkit.restatement import Restatement

MOST, LEAST = 2e11, 4  # operations of a step on a CPU, and the snippets to which a bag is shortened at most
FAR = 2.0  # times the limit, from which a figure is explained


@dataclass(frozen=True)
class Care:
    """How thoroughly: rounds, and the seconds after which no more rounds of a point begin."""

    rounds: int = 5
    seconds: float = 15.0


def batch_of(model: VadModel, point: Point, device: torch.device) -> tuple[dict[str, Any], int]:
    """Return a batch of random numbers and its length. Raises VadkitError for one that is too large."""
    snippets = point.snippets or _affordable(model, point.bags, device)
    numbers = point.bags * snippets * sum(model.input_sizes.values())
    if numbers > LARGEST * (1 if device.type == "cpu" else 16):
        fail(f"a batch of {point.bags} x {snippets} has {numbers:,} numbers, more than is measured on {device.type}")
    return random_batch(model, Load(point.bags, snippets), device), snippets


def _affordable(model: VadModel, bags: int, device: torch.device) -> int:
    """Return how many snippets a graph trains with; fewer on a CPU, if a step would take too many operations."""
    length = length_of(model.spec)
    counts = [cost.flops or 0 for cost in costs(model, length).values()]
    step = 3 * bags * sum(counts)  # backward takes twice as many as forward
    return length if device.type != "cpu" or step <= MOST else max(LEAST, int(length * MOST / step))


def of_point(
    model: VadModel, plain: type[Restatement] | None, point: Point, device: torch.device, care: Care
) -> Iterator[Row]:
    """Yield the train step and the scoring of one batch."""
    batch, snippets = batch_of(model.to(device), point, device)
    ours = of_graph(model, batch, point.precision, point.mode)
    theirs = None
    if plain is not None:
        restated = plain(**plain.graphs[point.graph]).to(device)
        theirs = of_restatement(restated, batch, {name: batch[name] for name in model.input_sizes})
    frame = {"subject": point.graph, "kind": "graph", "bags": point.bags, "snippets": snippets}
    for what in ours.kinds:
        yield _row(ours, theirs, what, device, care, {**frame, "mode": point.mode, "precision": point.precision})


def of_components(
    model: VadModel, names: Iterable[str], point: Point, device: torch.device, care: Care
) -> Iterator[Row]:
    """Yield forward with backward, and forward alone, of each component in ``names``."""
    batch, snippets = batch_of(model.to(device), point, device)
    frame = {"bags": point.bags, "snippets": snippets, "mode": "eager", "precision": "fp32"}
    for name, kind, work in nodes.works(model, batch, set(names)):
        for what in work.kinds:
            if what == "train" and not _has_gradient(work):
                continue
            yield _row(work, None, what, device, care, {"subject": name, "kind": kind, **frame})


def _has_gradient(work: Work) -> bool:
    """Whether there is anything to train: a selector, or a loss of constants, has no backward pass."""
    try:
        work.forward_backward()
    except RuntimeError:
        return False
    return True


def _row(ours: Work, theirs: Work | None, what: str, device: torch.device, care: Care, frame: dict[str, Any]) -> Row:
    roof = peaks(device, frame["precision"])
    turns = {"product": Turn(roof.product), "copy": Turn(roof.copy)}
    for name, work in (("ours", ours), ("plain", theirs)):
        if work is not None:
            turns[name] = Turn(partial(work.run, what), partial(work.ready, what, device))
    if ours.is_captured:
        turns["ours"] = Turn(captured(ours, device))
    with ours.ready(what, device):
        flops = operations(ours.forward_backward if what == "train" else partial(ours.run, what))
    memory = _peak_memory(ours, what, device)
    times = take_turns(turns, device, care.rounds, care.seconds)
    row = Row(
        what=what,
        ours_ms=times["ours"],
        plain_ms=times.get("plain"),
        product_ms=times["product"],
        copy_ms=times["copy"],
        product_flops=roof.flops,
        copy_bytes=roof.bytes,
        flops=None if flops is None else sum(flops.values()),
        bytes=ours.moved(what),
        memory_mib=memory,
        **frame,
    )
    if row.over_limit > FAR or device.type == "cuda":
        _explain(row, ours, what, device, flops)
    return row


def _peak_memory(work: Work, what: str, device: torch.device) -> float | None:
    """Return the MiB that torch holds at most on a GPU; the CPU's memory is measured by growth."""
    if device.type != "cuda":
        return None
    with work.ready(what, device):
        work.run(what)
        torch.cuda.reset_peak_memory_stats(device)
        work.run(what)
    return torch.cuda.max_memory_allocated(device) / 2**20


def _explain(row: Row, work: Work, what: str, device: torch.device, flops: dict[str, float] | None) -> None:
    with work.ready(what, device):
        if what == "train":
            optimize = work.optimize if work.optimizer is not None else None
            found = why.profile(work.forward_backward, optimize, device)
        else:
            found = why.profile(partial(work.run, what), None, device)
    if device.type == "cuda":
        row.kernels, row.host_waits = found.kernels, found.host_waits
    if work.is_captured:  # the kernels are those of a usual step, the time is a replay's
        found = replace(found, wall_ms=row.ms)
    if row.over_limit > FAR:
        row.why = why.sentence(found, flops, row.flops_per_ms)
