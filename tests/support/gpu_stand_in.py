"""A stand-in for the GPU of an extraction, on a machine without one: its code for CUDA runs, on CPU tensors.

On top of ``cuda_stand_in``: streams, events and pinned memory. What makes the real one wait, or gives wrong numbers
there, is refused or shows here: a copy that does not wait from memory that is not pinned, pinned memory that is
changed before its copy is waited for, a result that is read before its event, a stream or a choice of device
without an index.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any

import cuda_stand_in
import torch
from cuda_stand_in import OnTheCpu, StandIn
from torch.cuda._utils import _get_device_index

from vadkit.extract import stages

POISON = {torch.uint8: 171, torch.float32: float("nan")}  # what memory holds before a copy into it is done


class Memory:
    """Pinned memory, and the copies that were begun and not waited for."""

    def __init__(self) -> None:
        self.pinned: dict[int, torch.Tensor] = {}
        self.begun: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.sent: list[tuple[int, ...]] = []  # shapes that went to the device without waiting
        self.waited = 0

    def is_pinned(self, x: torch.Tensor) -> bool:
        return x.data_ptr() in self.pinned

    def copy_later(self, target: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        if not self.is_pinned(target):
            raise RuntimeError("a copy into pageable memory would make the host wait")
        target.fill_(POISON[target.dtype])
        self.begun.append((target, source.clone()))
        return target


class Event:
    """Takes over the copies begun so far when it is recorded; they are done when it is waited for."""

    memory: Memory

    def __init__(self) -> None:
        self.copies: list[tuple[torch.Tensor, torch.Tensor]] | None = None
        self.asked = 0

    def record(self, stream: Any = None) -> None:
        self.copies, self.memory.begun = self.memory.begun, []

    def query(self) -> bool:
        self.asked += 1
        if self.asked > 1:  # not at once
            self.synchronize()
        return self.asked > 1

    def synchronize(self) -> None:
        if self.copies is None:
            raise RuntimeError("this event was never recorded")
        with torch.inference_mode():
            for target, source in self.copies:
                target.copy_(source)
        self.memory.waited += bool(self.copies)
        self.copies = []


class Stream:
    def __init__(self, device: Any = None) -> None:
        self.device = torch.device("cuda", _get_device_index(device))  # the real check: an index is needed

    def wait_event(self, event: Event) -> None:
        assert event.copies is not None, "waits for an event that was never recorded"


class OnTheGpu(OnTheCpu):
    """Also keeps track of pinned memory, and copies to the host later."""

    def __init__(self, cuda: StandIn, memory: Memory) -> None:
        super().__init__(cuda)
        self.memory = memory

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name == "empty" and kwargs.pop("pin_memory", False):
            x = func(*args, **kwargs)
            self.memory.pinned[x.data_ptr()] = x
            return x
        if name == "is_pinned":
            return self.memory.is_pinned(args[0])
        if name == "copy_" and kwargs.pop("non_blocking", False):
            return self.memory.copy_later(args[0], args[1])
        if name == "to" and kwargs.pop("non_blocking", False):
            if not self.memory.is_pinned(args[0]):
                raise RuntimeError("a copy of pageable memory would make the host wait")
            self.memory.sent.append(tuple(args[0].shape))
            copy = super().__torch_function__(func, types, args, kwargs).clone()
            args[0].fill_(POISON[args[0].dtype])  # whoever reads or changes it later gets nonsense
            return copy
        return super().__torch_function__(func, types, args, kwargs)


@contextmanager
def gpu_stand_in(monkeypatch: Any, count: int = 1) -> Iterator[Memory]:
    """Let torch seem to have GPUs meanwhile, in this thread and in those of an extraction."""
    memory = Memory()
    Event.memory = memory
    with cuda_stand_in.stand_in(monkeypatch, count) as cuda, monkeypatch.context() as patch:

        class Threads(ThreadPoolExecutor):
            def __init__(self, workers: int, name: str = "") -> None:
                super().__init__(workers, name, initializer=lambda: OnTheGpu(cuda, memory).__enter__())

        patch.setattr(stages, "ThreadPoolExecutor", Threads)
        patch.setattr(torch.cuda, "Stream", Stream)
        patch.setattr(torch.cuda, "Event", Event)
        patch.setattr(torch.cuda, "current_stream", lambda device=None: Stream(device))
        patch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
        patch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: None)
        with OnTheGpu(cuda, memory):
            yield memory
