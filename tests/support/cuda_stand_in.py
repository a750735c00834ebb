"""A stand-in for ``torch.cuda`` on a machine without a GPU: the code for CUDA runs, its tensors stay on the CPU.

What the real module refuses is refused here by the real check: ``set_device`` without an index, an index that
there is no GPU for. Every operation that asks for a CUDA device gets the CPU instead.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import torch
from graph_stand_in import Graphs, allow_on_cpu
from torch.cuda._utils import _get_device_index
from torch.overrides import TorchFunctionMode


class OnTheCpu(TorchFunctionMode):
    """Replaces CUDA devices in the arguments of every torch function by the CPU, and notes their indices."""

    def __init__(self, cuda: StandIn) -> None:
        super().__init__()
        self.cuda = cuda

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name in ("pin_memory", "cuda"):
            return args[0]
        if name == "device" or func is torch.device:
            return func(*args, **kwargs)
        return func(*map(self._replaced, args), **{key: self._replaced(value) for key, value in kwargs.items()})

    def _replaced(self, value: Any) -> Any:
        if isinstance(value, torch.device) and value.type == "cuda":
            self.cuda.used.append(value.index)
            self.cuda.check(value)
            return torch.device("cpu")
        if isinstance(value, str) and value.partition(":")[0] == "cuda":
            return self._replaced(torch.device(value))
        return value


class StandIn:
    """``count`` GPUs. ``set`` and ``used`` are the indices given to set_device and to operations."""

    def __init__(self, count: int = 1) -> None:
        self.count, self.index = count, 0
        self.set: list[int] = []
        self.used: list[int | None] = []
        self.states = [torch.full((16,), 7, dtype=torch.uint8) for _ in range(count)]  # of the random generators
        self.restored: list[torch.Tensor] = []

    def check(self, device: torch.device) -> None:
        if device.index is not None and device.index >= self.count:
            raise RuntimeError("CUDA error: invalid device ordinal")

    def set_device(self, device: Any) -> None:
        index = _get_device_index(device)  # the real check: raises ValueError for a device without an index
        self.check(torch.device("cuda", index))
        self.set.append(index)
        self.index = index

    def set_rng_state(self, state: torch.Tensor, device: Any = "cuda") -> None:
        self.states[_get_device_index(device, optional=True) if device != "cuda" else self.index] = state.clone()
        self.restored.append(state.clone())

    def manual_seed_all(self, seed: int) -> None:
        for state in self.states:
            state.fill_(seed % 251)

    def functions(self) -> dict[str, Any]:
        return {
            "is_available": lambda: True,
            "is_initialized": lambda: True,
            "is_bf16_supported": lambda *args: True,
            "device_count": lambda: self.count,
            "current_device": lambda: self.index,
            "set_device": self.set_device,
            "get_rng_state": lambda device="cuda": self.states[self.index].clone(),
            "set_rng_state": self.set_rng_state,
            "manual_seed_all": self.manual_seed_all,
            "get_device_capability": lambda device=None: (9, 0),
            "get_device_name": lambda device=None: "stand-in",
            "synchronize": lambda device=None: None,
            "reset_peak_memory_stats": lambda device=None: None,
            "max_memory_allocated": lambda device=None: 2**20,
        }


@contextmanager
def stand_in(monkeypatch: Any, count: int = 1) -> Any:
    """Let torch seem to have ``count`` GPUs meanwhile."""
    cuda = StandIn(count)
    with monkeypatch.context() as patch:
        for name, function in {**cuda.functions(), **Graphs().names()}.items():
            patch.setattr(torch.cuda, name, function)
        allow_on_cpu(patch)
        zeros = torch.zeros  # in threads, which the mode below does not reach
        patch.setattr(torch, "zeros", lambda *args, pin_memory=False, **kwargs: zeros(*args, **kwargs))
        with OnTheCpu(cuda):
            yield cuda
