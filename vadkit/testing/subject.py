"""The component under test with the arguments it is built from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from vadkit.graph.arguments import arguments
from vadkit.kinds import BATCH_PORTS, ModuleComponent
from vadkit.shapes import Port, parse_ports
from vadkit.testing.feeding import feedable, seeded, size_of


@dataclass
class Subject:
    """A class, its constructor arguments, and the optional ports that this build has wired."""

    cls: type[Any]
    args: dict[str, Any]
    wired: tuple[str, ...] = ()

    def build(self, more: Mapping[str, Any] | None = None, seed: int = 0, awake: bool = True) -> Any:
        """Build it in eval mode, with ``more`` arguments.

        ``awake``: move every parameter a little off its initial value, because a layer that starts
        at zero would hide what precedes it.
        """
        with seeded(seed):
            built = self.cls(**{**self.args, **(more or {})})
            if awake and isinstance(built, torch.nn.Module):
                _wake(built)
        return built.eval() if isinstance(built, torch.nn.Module) else built

    @property
    def ports(self) -> dict[str, Port]:
        return parse_ports(self.cls.inputs)

    @property
    def droppable(self) -> list[str]:
        """The ports that may stay unwired in this build."""
        return [port.name for port in self.ports.values() if port.optional and port.name not in self.wired]

    def variants(self) -> Iterator[Subject]:
        """Yield this subject, then one with the optional ports wired that the example has no size for."""
        yield self
        if not issubclass(self.cls, ModuleComponent):
            return
        module, known = self.build(), arguments(self.cls)
        unfed = [port for port in self.ports.values() if port.optional and not feedable(module, port)]
        words = [word for port in unfed for word in port.pattern.words if word in known]
        if words:
            width = self._width(module)
            yield Subject(self.cls, {**self.args, **dict.fromkeys(words, width)}, tuple(p.name for p in unfed))

    def _width(self, module: Any) -> int:
        sizes = [size_of(module, w) for p in self.ports.values() if not p.optional for w in p.pattern.words]
        return next((size for size in sizes if isinstance(size, int)), 8)

    def inferred(self) -> set[str]:
        """The constructor arguments that the compiler fills from what arrives."""
        fed = [p for p in self.ports.values() if p.name not in BATCH_PORTS or p.pattern.words]
        return {word for port in fed for word in port.pattern.words} & set(arguments(self.cls))


def _wake(module: torch.nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1 + 0.1 * torch.randn_like(parameter)).add_(0.02 * torch.randn_like(parameter))
