"""Build the tensors that a component's ports take, and call it with them.

Legend: ``b`` rows = videos x crops (the crops of one video adjacent), ``t`` snippets, ``v`` videos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vadkit.batch_ports import BATCH_PORTS, Drawing
from vadkit.devices import seed_torch
from vadkit.graph.ranges import PER_SNIPPET, input_needs
from vadkit.shapes import Port, parse_ports
from vadkit.testing.report import Broken

Labels = Literal["mixed", "normal", "abnormal"]
Inputs = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """The counts of one batch and which of its videos are abnormal."""

    videos: int = 2
    t: int = 9
    crops: int = 1
    labels: Labels = "mixed"

    @property
    def rows(self) -> int:
        return self.videos * self.crops

    @property
    def counts(self) -> dict[str, int]:
        return {"b": self.rows, "t": self.t, "v": self.videos}

    def label_vector(self) -> Tensor:
        """Return (v,): 1 abnormal, 0 normal; abnormal first, so that no loss can rely on order."""
        if self.labels == "mixed":
            return (torch.arange(self.videos) % 2 == 0).float()
        return torch.full((self.videos,), float(self.labels == "abnormal"))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with its own seed and restore the global random state afterwards."""
    with torch.random.fork_rng():
        seed_torch(seed)
        yield


def size_of(module: Any, word: str) -> Any:
    """Return what a size word stands for on a built module: int, list of int, or None."""
    return getattr(module, word, None)


def shape_of(module: Any, port: Port, counts: Mapping[str, int], stream: int = 0) -> list[int]:
    """Return the declared shape of a port as numbers. ``stream`` picks from a list, for a variadic port."""
    shape, pattern = [], port.pattern
    for token in pattern.tokens:
        if isinstance(token, str):
            size = counts[token] if token in counts else size_of(module, token)
        else:
            size = token
        size = size[stream] if isinstance(size, list | tuple) else size
        if not isinstance(size, int):
            raise Broken(
                f"'{token}' of the pattern '{pattern}' is not a whole number on the built module: it is {size!r}"
            )
        shape.append(size)
    below = module.indices.get(port.name)
    return [*shape[:-1], min(shape[-1], counts[below])] if below else shape


def feedable(module: Any, port: Port) -> bool:
    """Return whether the module, as built, has a size for every word of a port."""
    return all(size_of(module, word) is not None for word in port.pattern.words)


def make_inputs(
    module: Any, batch: Batch = Batch(), seed: int = 0, leave_out: Sequence[str] = (), streams: int | None = None
) -> Inputs:
    """Return a value for every port but those in ``leave_out`` and those this build has no size for.

    ``streams`` is the number of tensors for a variadic port; without it, as many as sizes are known.
    """
    inputs: Inputs = {}
    with seeded(1000 + seed):
        for port in parse_ports(module.inputs).values():
            if port.name in leave_out or (port.optional and not feedable(module, port)):
                continue
            if port.variadic:
                count = streams or _known_streams(module, port)
                inputs[port.name] = [_value(module, port, batch, i) for i in range(count)]
            else:
                inputs[port.name] = _value(module, port, batch)
    return inputs


def _known_streams(module: Any, port: Port) -> int:
    lists = [size_of(module, word) for word in port.pattern.words]
    return next((len(sizes) for sizes in lists if isinstance(sizes, list | tuple)), 2)


def _value(module: Any, port: Port, batch: Batch, stream: int = 0) -> Any:
    shape = shape_of(module, port, batch.counts, stream)
    if port.name in BATCH_PORTS:
        return BATCH_PORTS[port.name].draw(Drawing(tuple(shape), batch.label_vector(), batch.crops))
    if port.name in module.indices:
        return torch.rand(*shape[:-1], batch.counts[module.indices[port.name]]).argsort(-1)[..., : shape[-1]]
    x = torch.randn(shape)
    if module.kind == "loss" and port.pattern.tokens == ("b", "t"):
        x = x + _levels(batch)
    return torch.sigmoid(x) if _is_probability(module, port) else x


def _levels(batch: Batch) -> Tensor:
    """Return (b, 1): another level for each video, since a loss may go by which bags score high."""
    levels = torch.linspace(-1.5, 1.5, batch.videos)[torch.randperm(batch.videos)]
    return levels.repeat_interleave(batch.crops)[:, None]


def _is_probability(module: Any, port: Port) -> bool:
    if module.kind != "loss":
        return input_needs(module).get(port.name) == "probability"
    # One number per snippet at a loss is a score or an attention; both live between 0 and 1.
    usual = "probability" if port.pattern.tokens == PER_SNIPPET else "logit"
    wanted = input_needs(module).get(port.name, usual)
    return bool(wanted == "probability")


def each_tensor(inputs: Inputs) -> Iterator[tuple[str, Tensor]]:
    """Yield every tensor with the name of its port."""
    for name, value in inputs.items():
        for tensor in value if isinstance(value, list) else [value]:
            if isinstance(tensor, Tensor):
                yield name, tensor


def untouched(inputs: Inputs, copy: Inputs) -> None:
    """Raise Broken if the inputs of a call differ from the copy that was taken before it."""
    for (name, x), (_, before) in zip(each_tensor(inputs), each_tensor(copy)):
        if not torch.equal(x, before):
            raise Broken(f"it modifies its input {name}, which other nodes may read")


def map_tensors(inputs: Inputs, change: Callable[[str, Tensor], Tensor]) -> Inputs:
    """Return the inputs with ``change(port, tensor)`` applied to every tensor."""
    changed: Inputs = {}
    for name, value in inputs.items():
        if isinstance(value, list):
            changed[name] = [change(name, tensor) for tensor in value]
        else:
            changed[name] = change(name, value) if isinstance(value, Tensor) else value
    return changed


def pick_videos(module: Any, inputs: Inputs, videos: Sequence[int], crops: int = 1) -> Inputs:
    """Return the inputs with these videos in this order; a video keeps all its crops."""
    return _pick(parse_ports(module.inputs), inputs, videos, crops)


def pick_outputs(module: Any, outputs: Inputs, videos: Sequence[int]) -> Inputs:
    """Return the outputs for these videos of one crop each; an output without an axis for them stays as it is."""
    return _pick(parse_ports(module.outputs), outputs, videos, 1)


def _pick(ports: Mapping[str, Port], values: Inputs, videos: Sequence[int], crops: int) -> Inputs:
    rows = [video * crops + crop for video in videos for crop in range(crops)]

    def pick(name: str, tensor: Tensor) -> Tensor:
        axis = ports[name].pattern.tokens[:1]
        return tensor[rows] if axis == ("b",) else tensor[list(videos)] if axis == ("v",) else tensor

    return map_tensors(values, pick)


def has_time(module: Any, name: str) -> bool:
    """Return whether a port has the shape (b, t, ...)."""
    return parse_ports(module.inputs)[name].pattern.tokens[:2] == ("b", "t")


def call(module: nn.Module, inputs: Inputs) -> dict[str, Tensor]:
    """Call a module and return its outputs by port. Raises Broken if the ports are not those declared."""
    declared = list(module.outputs)  # type: ignore[arg-type]
    result = module(**inputs)
    if isinstance(result, Tensor):
        result = {declared[0]: result} if len(declared) == 1 else result
    if not isinstance(result, dict):
        raise Broken(
            f"it declares the outputs {', '.join(declared)} but returned {type(result).__name__}; "
            "return a tensor for one output, a dict for several"
        )
    if sorted(result) != sorted(declared):
        raise Broken(f"it declares the outputs {', '.join(declared)} but returned {', '.join(map(str, result))}")
    return {name: result[name] for name in declared}


def worst(a: Tensor, b: Tensor) -> float:
    """Return the largest difference of two tensors, relative to the size of the second."""
    if a.shape != b.shape:
        return float("inf")
    if a.numel() == 0:
        return 0.0
    difference = (a.double() - b.double()).abs().max()
    value = float(difference / b.double().abs().max().clamp(min=1.0))
    return value if value == value else float("inf")


def compare(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], tolerance: float, what: str) -> None:
    """Raise Broken if an output differs by more than ``tolerance`` of its size."""
    for name, tensor in wanted.items():
        difference = worst(found[name], tensor)
        if difference > tolerance:
            raise Broken(f"output {name}: {what}, by {difference:.2g} of its size")


def all_finite(outputs: Mapping[str, Tensor], when: str) -> None:
    """Raise Broken if an output holds a value that is not finite."""
    for name, tensor in outputs.items():
        if not torch.isfinite(tensor).all():
            raise Broken(f"output {name} is not finite {when}")
