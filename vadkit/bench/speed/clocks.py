"""The clocks of a GPU as its driver reports them. They are read, never set."""

from __future__ import annotations

import subprocess

import torch

FIELDS = ("clocks.sm", "clocks.max.sm", "clocks.mem", "clocks.max.mem", "power.draw", "persistence_mode")


def clocks(device: torch.device) -> dict[str, str] | None:
    """Return the clocks of a GPU, or None for another device or without the driver's tool."""
    if device.type != "cuda":
        return None
    command = ["nvidia-smi", f"--id={device.index}", f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return parsed(done.stdout)


def parsed(text: str) -> dict[str, str] | None:
    """Return the line that the tool prints as a mapping."""
    values = [value.strip() for value in text.strip().split(",")]
    return dict(zip(FIELDS, values, strict=True)) if len(values) == len(FIELDS) else None
