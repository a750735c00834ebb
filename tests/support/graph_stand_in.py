"""A stand-in for CUDA graphs and streams on the CPU. It records operations, and a replay computes them once more.

As on a GPU, recording changes no tensor, a replay works on the very tensors of the recording, and what Python decided
meanwhile is not decided again. What CUDA refuses while it records is refused: looking at a value, shapes that
depend on values, copies of numbers from Python, generators that are not torch's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vadkit.cuda_graph import CudaDevice
from vadkit.engine.host_waits import waits

REFUSED = "CUDA error: operation not permitted when stream is capturing"


def storage(x: Tensor) -> int:
    return x.untyped_storage()._cdata


def tensors(tree: Any) -> list[Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor)]


class Recorder(TorchDispatchMode):
    """Keeps operations with their tensors, and what all tensors held that were there before."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self.before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self.own: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self._refuse(func, args, kwargs)
        for x in tensors((args, kwargs)):
            if storage(x) not in self.own and storage(x) not in self.before:
                self.before[storage(x)] = x.untyped_storage(), x.untyped_storage().clone()
        found = func(*args, **kwargs)
        given = {storage(x) for x in tensors((args, kwargs))}
        fresh = [x for x in tensors(found) if storage(x) not in given]
        self.own |= {storage(x) for x in fresh}
        if fresh or func._schema.is_mutable or func._schema.name == "aten::native_batch_norm":
            self.calls.append((func, args, kwargs, tensors(found)))
        return found

    def _refuse(self, func: Any, args: Any, kwargs: Any) -> None:
        name = func._schema.name
        copied = name == "aten::lift_fresh" and args[0].ndim > 0  # a single number is an argument of a kernel
        foreign = isinstance(kwargs.get("generator"), torch.Generator)
        if copied or foreign or waits(func, args, kwargs, "cpu"):
            raise RuntimeError(f"{REFUSED}\n{name}")

    def undo(self) -> None:
        for now, before in self.before.values():
            now.copy_(before)

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, found in self.calls:
            given = {storage(x) for x in tensors((args, kwargs))}
            for own, new in zip(found, tensors(func(*args, **kwargs)), strict=True):
                if storage(own) not in given:
                    own.copy_(new)


class Stream:
    """Operations of the CPU are in order whatever the stream; which one is current is all there is to it."""

    current: Stream

    def __init__(self, device: Any = None) -> None:
        self.waited_for: list[Any] = []

    def wait_stream(self, other: Stream) -> None:
        self.waited_for.append(other)

    def wait_event(self, event: Event) -> None:
        self.waited_for.append(event)

    def record_event(self) -> Event:
        return Event()


class Event:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.recorded = False

    def record(self, stream: Any = None) -> None:
        self.recorded = True

    def synchronize(self) -> None:
        pass


@contextmanager
def stream(wanted: Stream) -> Iterator[None]:
    before, Stream.current = Stream.current, wanted
    try:
        yield
    finally:
        Stream.current = before


class CUDAGraph:
    def __init__(self) -> None:
        self.recorder = Recorder()
        self.replays = 0

    def replay(self) -> None:
        self.replays += 1
        self.recorder.replay()


class Graphs:
    """What takes the place of names in ``torch.cuda``, and the graphs recorded so far."""

    def __init__(self) -> None:
        self.recorded: list[CUDAGraph] = []
        Stream.current = Stream()

    @contextmanager
    def graph(self, graph: CUDAGraph, stream: Stream, capture_error_mode: str) -> Iterator[None]:
        assert Stream.current is stream and capture_error_mode == "thread_local"
        state = torch.get_rng_state()
        try:
            with graph.recorder:
                yield
        finally:
            graph.recorder.undo()
            torch.set_rng_state(state)
        self.recorded.append(graph)

    def names(self) -> dict[str, Any]:
        return {
            "Stream": Stream,
            "Event": Event,
            "stream": stream,
            "current_stream": lambda device=None: Stream.current,
            "CUDAGraph": CUDAGraph,
            "graph": self.graph,
        }


def allow_on_cpu(patch: Any) -> None:
    """Let torch's optimizers take ``capturable`` for weights of the CPU, and do without the driver."""
    for name in ("nadam", "adam", "radam", "rmsprop"):
        module = __import__(f"torch.optim.{name}", fromlist=[name])
        supported = module._get_capturable_supported_devices
        patch.setattr(module, "_get_capturable_supported_devices", lambda *a, f=supported, **k: [*f(*a, **k), "cpu"])
    for name in ("_accelerator_graph_capture_health_check", "_cuda_graph_capture_health_check"):
        patch.setattr(torch.optim.Optimizer, name, lambda self: None, raising=False)


@contextmanager
def graphs_on_cpu(monkeypatch: Any) -> Iterator[Graphs]:
    """Let runs on the CPU be captured meanwhile; yield the stand-in."""
    graphs = Graphs()
    with monkeypatch.context() as patch:
        for name, value in graphs.names().items():
            patch.setattr(torch.cuda, name, value)
        allow_on_cpu(patch)
        patch.setattr("vadkit.cuda_graph.device_of", CudaDevice)
        yield graphs
