"""Work recorded as a CUDA graph and replayed on the same memory. Not measured: no GPU was at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor


class Memory(Protocol):
    """Memory of the device for batches of one shape: ``own`` keeps its place."""

    @property
    def own(self) -> Mapping[str, Tensor]: ...

    def fill(self, batch: Mapping[str, Tensor]) -> None: ...


class Device(Protocol):
    """What a recording needs of a device; ``CudaDevice`` explains each."""

    @property
    def type(self) -> str: ...

    def aside(self) -> AbstractContextManager[Any]: ...

    def memory(self, batch: Mapping[str, Tensor]) -> Memory: ...

    def capture(self, work: Callable[[], Any]) -> tuple[Callable[[], None], Any]: ...


def device_of(device: torch.device) -> Device | None:
    """Return what records on ``device``, or None if nothing can."""
    return CudaDevice(device) if device.type == "cuda" else None


class CudaDevice:
    """Updates run on a stream of their own, where torch can record them.

    Args:
        device: with its index.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.type = device, device.type
        self.side, self.copies = torch.cuda.Stream(device), torch.cuda.Stream(device)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Run operations on the side stream, after what was asked for before and before what is asked for next.

        The usual updates run there too: autograd remembers on which stream a weight was first used.
        """
        outside = torch.cuda.current_stream(self.device)
        self.side.wait_stream(outside)
        with torch.cuda.stream(self.side):
            yield
        outside.wait_stream(self.side)

    def memory(self, batch: Mapping[str, Tensor]) -> CudaMemory:
        """Return memory for batches like this one."""
        return CudaMemory(self, batch)

    def capture(self, work: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        """Record ``work`` on the side stream. Other threads may go on, such as the one that pins the next batch."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.side, capture_error_mode="thread_local"):
            found = work()
        return graph.replay, found


class CudaMemory:
    """The tensors that updates read, and a copy that is filled while an update before still reads them."""

    def __init__(self, device: CudaDevice, batch: Mapping[str, Tensor]) -> None:
        self.copies = device.copies
        self.own, self.next = (
            {name: torch.empty(x.shape, dtype=x.dtype, device=device.device) for name, x in batch.items()}
            for _ in range(2)
        )
        self.read = torch.cuda.Event()

    def fill(self, batch: Mapping[str, Tensor]) -> None:
        """Take a batch. Its memory may be refilled afterwards: the host waits for this copy, not for the update."""
        with torch.cuda.stream(self.copies):
            self.copies.wait_event(self.read)
            for name, x in batch.items():
                self.next[name].copy_(x, non_blocking=True)
            copied = self.copies.record_event()
        copied.synchronize()
        for name, x in self.next.items():
            self.own[name].copy_(x)
        self.read.record()
