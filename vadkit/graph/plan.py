"""The checked graph as plain data: what the compiler passes to the module builder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vadkit.graph.weights import Weights
from vadkit.kinds import BATCH_PORTS
from vadkit.shapes import Pattern, parse_ports


@dataclass(frozen=True)
class Ref:
    """A value in the graph: output ``port`` of a node, an input (no port), or a batch value."""

    name: str
    port: str | None = None
    batch: bool = False
    probability: bool = False  # take the sigmoid of it first

    def __str__(self) -> str:
        return self.name if self.port is None else f"{self.name}.{self.port}"


Wires = dict[str, Ref | list[Ref]]


def feed(wires: Wires, value: Callable[[Ref], Any]) -> dict[str, Any]:
    """Return the arguments of a call by port. A port whose value is None, absent from the batch, is left out."""
    found = {
        port: [value(ref) for ref in wire] if isinstance(wire, list) else value(wire) for port, wire in wires.items()
    }
    return {port: x for port, x in found.items() if x is not None}


class Wired:
    """What nodes and losses have in common."""

    name: str
    component: type
    wires: Wires

    @property
    def title(self) -> str:
        what = "loss" if isinstance(self, LossStep) else "node"
        return f"{what} '{self.name}' ({self.component.name})"  # type: ignore[attr-defined]

    @property
    def refs(self) -> list[Ref]:
        return [ref for port in self.wires for ref in self.of(port)]

    @property
    def required_of_batch(self) -> list[Ref]:
        """The values of the batch that it cannot do without."""
        ports = parse_ports(self.component.inputs)  # type: ignore[attr-defined]
        return [ref for port in self.wires if not ports[port].optional for ref in self.of(port) if ref.batch]

    def of(self, port: str) -> list[Ref]:
        """Return what feeds a port."""
        wire = self.wires[port]
        return wire if isinstance(wire, list) else [wire]


@dataclass
class Step(Wired):
    """One node, ready to run: the module's name (the ``share`` key of a shared one) and where each port comes from."""

    name: str
    component: type
    module: str
    wires: Wires
    outputs: dict[str, Pattern]  # filled with sizes
    args: dict[str, Any]
    detach: bool = False
    train_only: bool = False


@dataclass(frozen=True)
class LossWeight:
    """The factor of a loss in the total: in a straight line from ``first`` to ``last``, over whole ``epochs``."""

    first: float
    last: float
    epochs: int = 0

    @property
    def changes(self) -> bool:
        return self.first != self.last

    @property
    def ever(self) -> bool:
        """Whether the loss counts at any time."""
        return bool(self.first or self.last)

    def at(self, epoch: int | None) -> float:
        """Return the weight after ``epoch`` whole epochs. None, of a batch outside a run, means after all of them."""
        if epoch is None or epoch >= self.epochs:
            return self.last
        return self.first + (self.last - self.first) * epoch / self.epochs

    def as_written(self) -> float | dict[str, float]:
        """Return the weight as a config has it."""
        return {"from": self.first, "to": self.last, "epochs": self.epochs} if self.changes else self.last

    def __str__(self) -> str:
        return f"{self.first:g} to {self.last:g}" if self.changes else f"{self.last:g}"


@dataclass
class LossStep(Wired):
    """One loss: its ports, its weight, and its module's arguments."""

    name: str
    component: type
    wires: Wires
    weight: LossWeight
    args: dict[str, Any]


@dataclass
class Plan:
    """A graph without problems: inputs with sizes, steps in running order, losses, the output."""

    inputs: dict[str, Pattern]
    steps: list[Step]
    losses: list[LossStep]
    output: Ref
    output_range: str
    lookahead: int | str
    spec: dict[str, Any] = field(default_factory=dict)
    weights: Weights = field(default_factory=Weights)

    @property
    def owners(self) -> dict[str, Step]:
        """The first step of each module, by the module's name."""
        return {step.module: step for step in reversed(self.steps)}

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    def takes(self, name: str) -> bool:
        """Return whether a node or loss takes a value of the batch."""
        return any(ref.batch and ref.name == name for step in (*self.steps, *self.losses) for ref in step.refs)

    def needed(self, refs: Iterable[Ref]) -> list[Step]:
        """Return the steps that compute values, in running order."""
        steps = {step.name: step for step in self.steps}
        found: set[str] = set()
        todo = [ref.name for ref in refs]
        while todo:
            name = todo.pop()
            if name in steps and name not in found:
                found.add(name)
                todo += [ref.name for ref in steps[name].refs if not ref.batch]
        return [step for step in self.steps if step.name in found]

    @property
    def scored_inputs(self) -> list[str]:
        """The inputs that the scores depend on, in order; others are needed in training only."""
        used = {ref.name for step in self.needed([self.output]) for ref in step.refs if not ref.batch}
        return [name for name in self.inputs if name in used]

    def empty(self, config: Mapping[str, Any]) -> list[tuple[Wired, str, bool]]:
        """Return the values of the batch that are needed in training and that ``config`` leaves empty.

        Each is (who needs it, its name, whether something besides the config may fill it later). A loss of weight 0
        does without: it only logs.
        """
        users: list[Wired] = [*self.steps, *(loss for loss in self.losses if loss.weight.ever)]
        found = [(step, ref.name) for step in users for ref in step.required_of_batch]
        return [(step, name, BATCH_PORTS[name].later) for step, name in found if BATCH_PORTS[name].lacks(config)]


def needs(step: Wired, name: str) -> str:
    """Return the sentence for a value of the batch that a node or loss needs and the config leaves empty."""
    return f"{step.title} needs {name}: {BATCH_PORTS[name].hint}"


def lacks(step: Wired, name: str) -> tuple[str, str | None]:
    """Return the sentence, and the hint, for a value that a node or loss needs and a batch does not have."""
    return f"{step.title} needs {name}, and the batch has none", BATCH_PORTS[name].hint or None
