"""Why a figure is above its limit: the shares of its time, from a profile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "linear", "matmul", "mkldnn_linear", "addmv", "mv", "dot")
ATTENTION = ("scaled_dot_product", "flash_attention", "efficient_attention")
CONVOLUTIONS = ("convolution", "conv1d", "conv2d", "conv3d", "thnn_conv", "slow_conv", "cudnn_conv", "conv_depthwise")
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")
TIMES, LONG = 3, 1000.0  # profiles of one piece of work, and the milliseconds above which one suffices
SHOWN, LEAST = 3, 0.05  # passes over memory that a line names, and their least share


@dataclass(frozen=True)
class Operation:
    """All calls of one operator: its own milliseconds, and how often it ran."""

    name: str
    ms: float
    calls: int


@dataclass(frozen=True)
class Profile:
    """Where the time of one piece of work goes.

    Attributes:
        wall_ms: from start to end, profiled.
        operations: on the device that computes.
        optimizer_ms: the part of them in the optimizer, which ``operations`` leaves out.
        kernels: launches, on CUDA; else the calls of operators.
        host_waits: waits of the host for the device.
    """

    wall_ms: float
    operations: tuple[Operation, ...]
    optimizer_ms: float
    kernels: int
    host_waits: int


Profiled = tuple[float, tuple[Operation, ...], int, int]  # milliseconds, operations, kernels, waits


def profile(work: Callable[[], Any], optimize: Callable[[], Any] | None, device: torch.device) -> Profile:
    """Profile ``work`` and the optimizer's step, each at most ``TIMES`` times; the fastest counts."""
    wall, operations, kernels, waits = _best(work, device)
    if optimize is None:
        return Profile(wall, operations, 0.0, kernels, waits)
    wall_opt, of_optimizer, more, waits_opt = _best(optimize, device)
    spent = sum(operation.ms for operation in of_optimizer)
    return Profile(wall + wall_opt, operations, spent, kernels + more, waits + waits_opt)


def _best(work: Callable[[], Any], device: torch.device) -> Profiled:
    found = _profiled(work, device)
    for _ in range(TIMES - 1):
        if found[0] > LONG:
            break
        found = min(found, _profiled(work, device), key=lambda each: each[0])
    return found


def _profiled(work: Callable[[], Any], device: torch.device) -> Profiled:
    from torch.profiler import ProfilerActivity

    from vadkit.bench.timing import clock

    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it writes lines to stderr of its own
    is_cuda = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if is_cuda else [])]
    with torch.profiler.profile(activities=activities) as profiler:
        wall = clock(work, device)
    averages = list(profiler.key_averages())
    operations = tuple(operations_of(averages, is_cuda))
    if not is_cuda:
        return wall, operations, sum(operation.calls for operation in operations), 0
    kernels = sum(e.count for e in averages if e.device_type.name == "CUDA" and not e.key.startswith("Mem"))
    waits = sum(e.count for e in averages if e.key in WAITS)
    return wall, operations, kernels, max(0, waits - 1)  # one is that of the clock


def operations_of(averages: Iterable[Any], is_cuda: bool) -> Iterable[Operation]:
    """Yield the operators of a profile by their own time, on the GPU where there is one."""
    for event in averages:
        spent = event.self_device_time_total if is_cuda else event.self_cpu_time_total
        if event.key.startswith("aten::") and spent > 0:
            yield Operation(event.key.removeprefix("aten::"), spent / 1e3, event.count)


def group(name: str) -> str:
    """Return what an operator does: "products", "convolutions", or passes over "memory"."""
    plain = name.removeprefix("_").removesuffix("_")
    if plain in PRODUCTS or any(part in name for part in ATTENTION):
        return "products"
    return "convolutions" if any(part in name for part in CONVOLUTIONS) else "memory"


def sentence(found: Profile, flops: Mapping[str, float] | None, flops_per_ms: float) -> str:
    """Return the line that says where the time goes."""
    groups = {name: [o for o in found.operations if group(o.name) == name] for name in ("products", "convolutions")}
    memory = sorted((o for o in found.operations if group(o.name) == "memory"), key=lambda o: -o.ms)
    busy = sum(o.ms for o in found.operations) + found.optimizer_ms
    whole = max(found.wall_ms, busy)
    mean = 1e3 * busy / max(found.kernels, 1)
    parts = []
    for name, members in groups.items():
        spent = sum(o.ms for o in members)
        if spent >= LEAST * whole:
            parts.append(f"{name} {spent / whole:.0%}{_rate(name, spent, flops, flops_per_ms)}")
    passes = sum(o.ms for o in memory)
    parts.append(f"passes over memory {passes / whole:.0%}{_named(memory, whole)}")
    if found.optimizer_ms >= LEAST * whole:
        parts.append(f"optimizer {found.optimizer_ms / whole:.0%}")
    if whole - busy >= LEAST * whole:
        parts.append(f"between them (Python and launching) {(whole - busy) / whole:.0%}")
    return f"{found.kernels:,} operations of {mean:,.0f} us: {', '.join(parts)}"


def _rate(name: str, spent: float, flops: Mapping[str, float] | None, flops_per_ms: float) -> str:
    """Return at what share of the peak a group computes."""
    count = sum(n for operator, n in (flops or {}).items() if group(operator) == name)
    return f" at {count / spent / flops_per_ms:.0%} of the peak" if count else ""


def _named(memory: list[Operation], whole: float) -> str:
    merged: dict[str, float] = {}
    for operation in memory:
        name = operation.name.strip("_").removesuffix("_backward").removesuffix("_backward_data")
        merged[name] = merged.get(name, 0.0) + operation.ms
    largest = sorted(merged.items(), key=lambda item: -item[1])
    shown = [f"{name} {ms / whole:.0%}" for name, ms in largest[:SHOWN] if ms >= LEAST * whole]
    return f" ({', '.join(shown)})" if shown else ""
