"""The energy of a train step, where the device has a counter of it: it is read, never estimated.

CUDA: the counter of NVML, if pynvml is installed and the GPU has one. CPU: the counters of RAPL in /sys/class/powercap,
where this user may read them. A counter knows no process: it counts the whole GPU, or all processors of the machine,
with whatever else runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from vadkit.bench.timing import Load, Trainee
from vadkit.graph.module import VadModel

RAPL = Path("/sys/class/powercap")
LEAST = 0.5  # seconds of work: counters advance in steps of about a millisecond (RAPL) or 100 ms (NVML)
Counter = Callable[[], float]  # joules since some moment


def energy_of_step(model: VadModel, load: Load, device: torch.device, counter: Counter | None) -> float | None:
    """Return the joules of a train step, or None where the device does not say."""
    if counter is None:
        return None
    trainee = Trainee(model, load, device)
    trainee.train_step()  # what is set up on first use does not count
    _wait(device)
    before, since, steps = counter(), time.perf_counter(), 0
    while not steps or time.perf_counter() - since < LEAST:
        trainee.train_step()
        _wait(device)
        steps += 1
    joules = (counter() - before) / steps
    return joules if joules > 0 else None  # RAPL has begun again at 0


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def counter_of(device: torch.device) -> Counter | None:
    """Return the counter of a device, or None if it has none that this process may read."""
    return _nvml(device) if device.type == "cuda" else _rapl()


def _rapl() -> Counter | None:
    """Return the sum over processors: the zones of the first level, whose parts are inside of them."""
    files = [zone / "energy_uj" for zone in sorted(RAPL.glob("*-rapl:*")) if zone.name.count(":") == 1]
    if not files:
        return None

    def read() -> float:
        return sum(int(file.read_text()) for file in files) / 1e6

    try:
        read()
    except (OSError, ValueError):
        return None
    return read


def _nvml(device: torch.device) -> Counter | None:
    try:  # no dependency of vadkit: torch asks for it in the same way
        pynvml: Any = import_module("pynvml")
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        handle: Any = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except (pynvml.NVMLError, AttributeError):
        return None
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3  # of millijoules
