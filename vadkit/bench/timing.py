"""Time and memory of a train step and of scoring, of all variants in one run.

The variants take turns, round by round, so that a machine that gets warm or busy slows all of them;
the median over the rounds is reported. On CUDA, events measure time, and memory is what torch
allocated; on the CPU, memory is the growth of a fresh process.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta
from torch import Tensor

from vadkit import json_file
from vadkit.batch_ports import BATCH_PORTS, Drawing, as_shape
from vadkit.graph.module import VadModel
from vadkit.graph.plan import Ref, Wired
from vadkit.graph.wiring import ports_of
from vadkit.problems import fail


@dataclass(frozen=True)
class Timing:
    """Medians in milliseconds; peak memory of a train step in MiB, None if it is unknown."""

    train_ms: Annotated[float, Meta(gt=0)]
    score_ms: Annotated[float, Meta(gt=0)]
    memory_mib: Annotated[float, Meta(ge=0)] | None


class GrownJson(msgspec.Struct):
    """What ``vadkit.bench.memory`` prints."""

    mib: float | None


@dataclass(frozen=True)
class Load:
    """What is timed: a batch of ``bags`` (half of them abnormal) with ``snippets`` each."""

    bags: int = 16
    snippets: int = 200
    rounds: int = 5


def random_batch(model: VadModel, load: Load, device: torch.device) -> dict[str, Any]:
    """Return a training batch of random numbers that fits the model."""
    generator = torch.Generator().manual_seed(0)
    batch: dict[str, Any] = {
        name: torch.rand(load.bags, load.snippets, size, generator=generator).to(device)
        for name, size in model.training_sizes.items()
    }
    labels = (torch.arange(load.bags) >= load.bags // 2).float()
    counts = {"b": load.bags, "v": load.bags, "t": load.snippets}
    for name, shape in batch_shapes(model, counts).items():
        value = BATCH_PORTS[name].draw(Drawing(shape, labels, generator=generator))
        batch[name] = value.to(device) if isinstance(value, Tensor) else value
    return batch


def batch_shapes(model: VadModel, counts: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each value of the batch that a node or loss takes and has a size for.

    ``counts`` are the rows ``b``, videos ``v`` and snippets ``t`` of the batch.
    """
    shapes = {}
    users: list[tuple[Wired, Any]] = [(step, model.get_submodule(step.module)) for step in model.plan.steps]
    users += [(step, model.losses[step.name]) for step in model.plan.losses]
    for step, module in users:
        ports = ports_of(step.component)
        for port, wire in step.wires.items():
            sizes = {**counts, **{word: getattr(module, word, None) for word in ports[port].pattern.words}}
            if isinstance(wire, Ref) and wire.batch and None not in sizes.values():
                shapes[wire.name] = as_shape(ports[port].pattern, sizes)
    return shapes


def measure(
    models: Mapping[str, VadModel], load: Load, device: torch.device, on_round: Callable[[], None] = lambda: None
) -> dict[str, Timing]:
    """Return the timing of every model. Memory on the CPU is measured separately by ``peak_memory``."""
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in models}
    memory: dict[str, float | None] = dict.fromkeys(models)
    trainees = {name: Trainee(model, load, device) for name, model in models.items()}
    for number in range(load.rounds + 1):
        for name, trainee in trainees.items():
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            train = clock(trainee.train_step, device)
            if device.type == "cuda":
                memory[name] = torch.cuda.max_memory_allocated(device) / 2**20
            score = clock(trainee.score, device)
            if number:  # the first round warms up
                times[name][0].append(train)
                times[name][1].append(score)
        on_round()
    return {
        name: Timing(statistics.median(train), statistics.median(score), memory[name])
        for name, (train, score) in times.items()
    }


class Trainee:
    """A model with its own batch and Adam optimizer."""

    def __init__(self, model: VadModel, load: Load, device: torch.device) -> None:
        self.model = model.to(device)
        self.batch = random_batch(model, load, device)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)  # as in vadkit train

    def train_step(self) -> None:
        """Run forward, backward and the optimizer."""
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        self.model.loss(self.batch)["total"].backward()
        self.optimizer.step()

    @torch.inference_mode()
    def score(self) -> Tensor:
        """Score the batch, (b, t)."""
        scores: Tensor = self.model.eval()(**{name: self.batch[name] for name in self.model.input_sizes})
        return scores


def clock(work: Callable[[], Any], device: torch.device) -> float:
    """Return the milliseconds that ``work`` takes."""
    if device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        torch.cuda.synchronize(device)
        return float(start.elapsed_time(end))
    before = time.perf_counter()
    work()
    return (time.perf_counter() - before) * 1e3


def peak_memory(spec: dict[str, Any], load: Load) -> float | None:
    """Return by how many MiB a train step makes a fresh CPU process grow, or None if that is unknown."""
    job = json_file.as_line({"spec": spec, "load": load}).decode()
    done = subprocess.run([sys.executable, "-m", "vadkit.bench.memory"], input=job, capture_output=True, text=True)
    if done.returncode:
        output = "\n".join(done.stderr.strip().splitlines()[-4:])
        fail(f"the memory of a train step could not be measured (exit code {done.returncode}):\n{output}")
    return json_file.from_bytes(done.stdout.encode(), GrownJson, "the memory of a train step").mib
