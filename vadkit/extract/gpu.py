"""Everything that extraction asks of ``torch.cuda``: pinned memory, a stream for uploads, and results that come later.

Copies between the device and pageable memory would make the host wait, so there are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vadkit.devices import choose_device


@dataclass(frozen=True)
class Coming:
    """Numbers on their way from the device. Reading them before the event is reading what was there before."""

    host: Tensor
    event: torch.cuda.Event

    def is_here(self) -> bool:
        return bool(self.event.query())

    def array(self) -> np.ndarray:
        """Return the numbers; waits for them."""
        self.event.synchronize()
        return self.host.numpy()


class Gpu:
    """One CUDA device. Raises VadkitError, with the cause, if it cannot be used."""

    def __init__(self, device: str | torch.device) -> None:
        self.device = choose_device(str(device))  # has an index, which streams need
        self.uploads = torch.cuda.Stream(self.device)

    def pinned(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Return memory of the host that the device can copy while the host goes on.

        torch keeps it for the next one of that size, once all copies that were begun from it are done.
        """
        return torch.empty(tuple(shape), dtype=dtype, pin_memory=True)

    def upload(self, host: Tensor) -> Tensor:
        """Return a copy of pinned memory on the device, which what is computed next waits for, but not the host."""
        if not host.is_pinned():
            raise ValueError("only pinned memory is copied to the device: other memory makes the host wait")
        computing = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self.uploads):
            copy = host.to(self.device, non_blocking=True)
            done = torch.cuda.Event()
            done.record(self.uploads)
        computing.wait_event(done)
        copy.record_stream(computing)  # its memory was taken on the other stream
        return copy

    def fetch(self, x: Tensor) -> Coming:
        """Begin to copy a tensor of the device to the host, after what is being computed."""
        host = self.pinned(x.shape, x.dtype)
        host.copy_(x, non_blocking=True)
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(self.device))
        return Coming(host, event)
