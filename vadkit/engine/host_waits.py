"""Operations of an update that make the host wait for the device, or copy between them, and the node they are in.

A captured update runs without the host, so it can have none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from vadkit.engine.optimizers import node_modules

# Their result is a number on the host, or has a shape that only the device can tell.
WAITING = frozenset(
    f"aten::{name}"
    for name in (
        "_local_scalar_dense",
        "is_nonzero",
        "equal",
        "nonzero",
        "masked_select",
        "unique_dim",
        "unique_consecutive",
        "_unique",
        "_unique2",
        "bincount",
    )
)
INDEXING = frozenset(("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"))
# Functions of the engine -> what they are part of. torch runs the backward pass of a GPU in a thread of its own.
PARTS = {"backward": "the backward pass", "step": "the optimizer", "average": "train.ema", "apply": "train.blend"}
ELSEWHERE = "the backward pass"


def waits(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], device: str) -> bool:
    """Return whether an operation asks ``device`` for a value, or copies between it and another."""
    name = func._schema.name
    if name in WAITING:
        return isinstance(args[0], Tensor) and args[0].device.type == device
    if name == "aten::repeat_interleave":
        return kwargs.get("output_size") is None
    if name in INDEXING:
        return any(isinstance(x, Tensor) and x.dtype in (torch.bool, torch.uint8) for x in args[1])
    if name == "aten::_to_copy":
        return bool(args[0].device.type != torch.device(kwargs.get("device") or args[0].device).type)
    return bool(name == "aten::copy_" and args[0].device.type != args[1].device.type)


@dataclass(frozen=True)
class HostWait:
    """An operation, and what it is in: "node 'context'", "the optimizer"."""

    operation: str
    where: str

    def __str__(self) -> str:
        return f"{self.where} waits for the host ({self.operation})"


class Watch(TorchDispatchMode):
    """Notes the first operation that a captured update cannot have. It changes no result.

    Args:
        model: whose nodes are named.
        device: type of the device that computes.
    """

    def __init__(self, model: nn.Module, device: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model, self.device = model, device
        self.found: HostWait | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.found is None and waits(func, args, kwargs, self.device):
            operation = func._schema.name.replace("::", ".")
            self.found = HostWait(operation, place(_outwards(sys._getframe()), self.model))
        return func(*args, **kwargs)


def place(frames: Iterable[FrameType], model: nn.Module) -> str:
    """Return the part of the update that the first of the frames belongs to that is in one; innermost first."""
    nodes = {id(module): name for name, module in node_modules(model).items()}
    for frame in frames:
        owner, name = frame.f_locals.get("self"), frame.f_code.co_name
        if id(owner) in nodes:
            return f"node '{nodes[id(owner)]}'"
        if owner is model:
            return "the graph"
        if name in PARTS and str(frame.f_globals.get("__name__")).startswith("vadkit."):
            return PARTS[name]
    return ELSEWHERE


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
