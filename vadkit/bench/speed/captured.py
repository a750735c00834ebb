"""A train step recorded once as a CUDA graph and replayed on the same batch. Not measured: no GPU was at hand."""

from __future__ import annotations

from collections.abc import Callable

import torch

from vadkit.bench.speed.work import Work
from vadkit.cuda_graph import CudaDevice

WARM = 3  # usual steps before one is recorded, so that all exists that is created on first use


def captured(work: Work, device: torch.device) -> Callable[[], None]:
    """Return what replays a train step of ``work``, whose optimizer must be capturable."""
    recorder = CudaDevice(device)

    def step() -> None:
        with work.ready("train", device):  # what autocast rounds is forgotten after each step
            work.run("train")

    with recorder.aside():
        for _ in range(WARM):
            step()
        replay, _ = recorder.capture(step)
    return replay
