"""One node of a graph, or one step after it, fed a few snippets at a time, in bounded memory.

It gives what it gives of the whole video: outputs are computed from as many earlier and later rows as they depend on,
or by the node's own ``step``.

Legend: b crops, n new snippets; rows are counted from the first of the video.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vadkit.kinds import Postprocess
from vadkit.shapes import Pattern, parse_ports

Slot = tuple[str, int]  # a port, and which of its streams: 0 of a port that takes one


def is_timed(pattern: Pattern) -> bool:
    """Return whether a value of this shape has a row for each snippet."""
    return pattern.tokens[:2] == ("b", "t")


def why_whole(part: Any) -> str | None:
    """Return why a node or postprocess needs the whole video at once; None if it can be fed snippet by snippet."""
    if getattr(part, "lookahead", "all") == "all":
        return "looks at the whole video"
    if part.lookback == "all" and not has_step(part):
        return "declares no lookback and has no step"
    return None


def has_step(part: Any) -> bool:
    """Return whether a node remembers by itself what it needs of earlier snippets."""
    return part.lookahead == 0 and callable(getattr(part, "step", None))


def tensors_of(state: Any) -> Iterator[Tensor]:
    """Yield every tensor in a state: a tensor, a number, None, or lists and dicts of them."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, Mapping):
        for value in state.values():
            yield from tensors_of(value)
    elif isinstance(state, list | tuple):
        for value in state:
            yield from tensors_of(value)


@dataclass
class Cut:
    """Which outputs can be computed, and from which row on, given how far each looks.

    Attributes:
        ahead, back: later and earlier rows that an output depends on.
        period: the row from which outputs are computed is a multiple of it.
        done: outputs computed so far.
    """

    ahead: int
    back: int
    period: int = 1
    done: int = 0

    def due(self, rows: int, finished: bool) -> int:
        """Return how many outputs of the video can have been computed from its first ``rows``."""
        return rows if finished else max(self.done, rows - self.ahead)

    @property
    def first(self) -> int:
        """The first row that the next output is computed from."""
        start = max(0, self.done - self.back)
        return start - start % self.period


def cut_of(part: Any) -> Cut:
    """Return the cut of a node without a step, or of a postprocess."""
    return Cut(part.lookahead, part.lookback, part.period)


@dataclass
class Rows:
    """The latest rows (b, n, ...) of one value."""

    first: int = 0
    held: Tensor | None = None

    @property
    def end(self) -> int:
        return self.first + (0 if self.held is None else self.held.shape[1])

    def add(self, rows: Tensor) -> None:
        # A copy: the caller may use its memory again, or have cut the rows from a whole video.
        self.held = rows.clone() if self.held is None else torch.cat([self.held, rows], dim=1)

    def span(self, start: int, stop: int) -> Tensor:
        assert self.held is not None
        return self.held[:, start - self.first : stop - self.first]

    def drop(self, before: int) -> None:
        """Forget the rows before a number."""
        if self.held is None or before <= self.first:
            return
        # A slice would keep the memory of the rows that are dropped.
        self.held = None if before >= self.end else self.held[:, before - self.first :].clone()
        self.first = before


@dataclass
class Stage:
    """A node that is fed rows of its ports as they come.

    Attributes:
        module: the node, in evaluation mode.
        slots: the streams that it is fed, of ports with a row for each snippet.
    """

    module: nn.Module
    slots: Iterable[Slot]
    rows: dict[Slot, Rows] = field(init=False)
    state: Any = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.rows = {slot: Rows() for slot in self.slots}
        self.steps = has_step(self.module)
        self.cut = Cut(0, 0) if self.steps else cut_of(self.module)
        ports = parse_ports(self.module.inputs)  # type: ignore[arg-type]
        self.lists = {name for name, port in ports.items() if port.variadic}
        outputs = parse_ports(self.module.outputs)  # type: ignore[arg-type]
        self.main, self.timed = next(iter(outputs)), [n for n, port in outputs.items() if is_timed(port.pattern)]

    def advance(self, new: Mapping[Slot, Tensor], constants: Mapping[str, Any], finished: bool) -> dict[str, Tensor]:
        """Take the next rows (b, n, ...) of some streams; return those of the outputs that they complete, by port.

        ``constants`` are what its other ports get. The rows that are ``finished`` are the last ones of the video.
        """
        for slot, x in new.items():
            self.rows[slot].add(x)
        end = min(rows.end for rows in self.rows.values())
        stop = self.cut.due(end, finished)
        if stop <= self.cut.done:
            return {}
        found = self._step(stop, constants) if self.steps else self._again(end, stop, constants)
        self.cut.done = stop
        for rows in self.rows.values():
            rows.drop(self.cut.first)
        return found

    def _step(self, stop: int, constants: Mapping[str, Any]) -> dict[str, Tensor]:
        ports = self._ports(self.cut.done, stop, constants)
        found, self.state = self.module.step(self.state, **ports)  # type: ignore[operator]
        return self._named(found)

    def _again(self, end: int, stop: int, constants: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the next outputs, computed together with those before that they depend on."""
        start = self.cut.first
        found = self._named(self.module(**self._ports(start, end, constants)))
        return {port: x[:, self.cut.done - start : stop - start] for port, x in found.items()}

    def _ports(self, start: int, stop: int, constants: Mapping[str, Any]) -> dict[str, Any]:
        given: dict[str, Any] = dict(constants)
        for (port, _), rows in self.rows.items():
            x = rows.span(start, stop)
            if port in self.lists:
                given.setdefault(port, []).append(x)
            else:
                given[port] = x
        return given

    def _named(self, found: Any) -> dict[str, Tensor]:
        """Return the outputs with a row for each snippet, by port."""
        named = found if isinstance(found, dict) else {self.main: found}
        return {name: named[name] for name in self.timed}

    @property
    def held(self) -> Iterator[Tensor]:
        """Every tensor that is kept from call to call."""
        yield from (rows.held for rows in self.rows.values() if rows.held is not None)
        yield from tensors_of(self.state)


@dataclass
class PostStage:
    """A postprocess that is fed scores as they come."""

    change: Postprocess

    def __post_init__(self) -> None:
        self.cut = cut_of(self.change)
        self.first, self.held = 0, np.empty(0, np.float32)

    def advance(self, scores: np.ndarray, finished: bool) -> np.ndarray:
        """Take the next scores (n,); return those that they make final."""
        self.held = np.concatenate([self.held, scores])
        stop = self.cut.due(self.first + len(self.held), finished)
        if stop <= self.cut.done:
            return np.empty(0, np.float32)
        found = np.asarray(self.change(self.held))[self.cut.done - self.first : stop - self.first]
        self.cut.done = stop
        self.held = self.held[self.cut.first - self.first :].copy()
        self.first = self.cut.first
        return found
