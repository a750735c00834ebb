"""A fresh process that runs one train step and prints by how much it has grown (MiB, Linux and macOS)."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import msgspec
import torch

from vadkit import json_file
from vadkit.bench.timing import GrownJson, Load, Trainee
from vadkit.graph.compiler import compile_config
from vadkit.graph.load import load_config
from vadkit.plugin_manager import load_plugins


class Job(msgspec.Struct):
    """What this process reads: a resolved config, and the batch of the step."""

    spec: dict[str, Any]
    load: Load


def grown(spec: dict[str, Any], load: Load) -> float | None:
    """Return the growth of this process's peak memory over one train step, in MiB."""
    torch.manual_seed(0)
    model, cpu = compile_config(load_config(spec), load_plugins()), torch.device("cpu")
    # A tiny step first: libraries that load on first use are not part of the step.
    Trainee(model, Load(2, 8), cpu).train_step()
    trainee = Trainee(model, load, cpu)
    before = peak()
    trainee.train_step()
    after = peak()
    return None if before is None or after is None else after - before


def peak() -> float | None:
    """Return the peak of this process's resident memory in MiB, or None if it is unknown.

    On Linux from the kernel's high-water mark, because getrusage there never reports less than the memory of the
    parent process.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    job = json_file.from_bytes(sys.stdin.buffer.read(), Job, "the job")
    sys.stdout.buffer.write(json_file.as_line(GrownJson(grown(job.spec, job.load))))
