"""The conditions of a measurement: device, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import vadkit

PACKAGES = ("torch", "numpy", "mmengine", "timm", "librosa", "av")


def machine(device: torch.device) -> dict[str, Any]:
    """Return plain data that describes the machine and does not identify its owner."""
    return {
        "device": _device(device),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "vadkit": vadkit.__version__,
        "packages": {name: version(name) for name in PACKAGES},
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {os.cpu_count()} cores, {_cpu_model()}"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown model"


def commit() -> str:
    """Return the commit of the checkout that runs, marked if files have changed since."""
    here = Path(__file__).parent
    try:
        command = ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--dirty=+changes"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "not a checkout"
