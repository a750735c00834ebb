"""What the weights of a graph will be, known from modules on the meta device before anything is allocated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from vadkit import memory
from vadkit.problems import Place, Problem, VadkitError


@dataclass(frozen=True)
class Weight:
    """Shape and type of one tensor."""

    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass
class Weights:
    """The tensors by state-dict name, and the bytes of each module with its title and where it is written."""

    tensors: dict[str, Weight] = field(default_factory=dict)
    bytes: dict[str, tuple[int, Place | None]] = field(default_factory=dict)

    def add(self, prefix: str, title: str, module: nn.Module, place: Place | None) -> None:
        """Add a module, whose tensors have names that begin with ``prefix``."""
        self.tensors |= {f"{prefix}.{name}": Weight(tuple(x.shape), x.dtype) for name, x in module.state_dict().items()}
        self.bytes[title] = sum(x.numel() * x.element_size() for x in _tensors(module)), place

    def need_memory(self) -> None:
        """Raise VadkitError if the weights take more memory than is free."""
        needed, free = sum(count for count, _ in self.bytes.values()), memory.free_memory()
        if free is None or needed <= free:
            return
        title, (most, place) = max(self.bytes.items(), key=lambda item: item[1][0])
        said = (
            f"the weights of the graph take {memory.gigabytes(needed)}, and {memory.gigabytes(free)} of memory are "
            f"free; {title} has most of them: {memory.gigabytes(most)}"
        )
        raise VadkitError([Problem(said, place, "check the sizes for an extra digit")])

    def misfit(self, found: Mapping[str, Weight]) -> str | None:
        """Return why tensors that were ``found`` are not those of the graph, as the end of a sentence."""
        if other := sorted(self.tensors.keys() ^ found.keys()):
            return f"{other[0]} is {'missing' if other[0] in self.tensors else 'not in the graph'}"
        for name, weight in self.tensors.items():
            has = found[name]
            if has.shape != weight.shape:
                return f"{name} is of shape {list(has.shape)}, and the graph has {list(weight.shape)}"
            if _sort(has.dtype) != _sort(weight.dtype):
                return f"{name} holds {_sort(has.dtype)} numbers, and the graph has {_sort(weight.dtype)} ones"
        return None


def _tensors(module: nn.Module) -> list[Tensor]:
    """Return every tensor of a module once, those that are mere attributes included."""
    loose = [x for part in module.modules() for x in vars(part).values() if isinstance(x, Tensor)]
    found = [*module.parameters(), *module.buffers(), *loose]
    return list({id(x): x for x in found}.values())


def _sort(dtype: torch.dtype) -> str:
    return "complex" if dtype.is_complex else "floating-point" if dtype.is_floating_point else "whole"
