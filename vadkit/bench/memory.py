"""A fresh process that makes one train step and says by how much that let it grow (MiB, Linux and macOS)."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch

from vadkit.api import build
from vadkit.bench.timing import Load, Trainee


def grown(spec: dict[str, Any], load: Load) -> float | None:
    """Return the growth of this process's peak memory over one train step, in MiB."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    torch.manual_seed(0)
    model, cpu = build(spec), torch.device("cpu")
    # A tiny step first: libraries that load on first use are not part of the step.
    Trainee(model, Load(2, 8), cpu).train_step()
    trainee = Trainee(model, load, cpu)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    trainee.train_step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit


if __name__ == "__main__":
    job = json.load(sys.stdin)
    json.dump({"mib": grown(job["spec"], Load(**job["load"]))}, sys.stdout)
