"""Scores of a stream that never ends: a graph that is fed snippet by snippet and keeps a state of bounded size.

Legend: b crops, n new snippets, dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from vadkit.batch_ports import BATCH_PORTS
from vadkit.devices import float32
from vadkit.graph.call_checks import as_numbers, check_call
from vadkit.graph.module import VadModel
from vadkit.graph.plan import Plan, Ref, Step, Wires, feed
from vadkit.graph.presence import with_absent
from vadkit.graph.stages import PostStage, Rows, Slot, Stage, is_timed, tensors_of, why_whole
from vadkit.kinds import Postprocess
from vadkit.presence import STREAM as PRESENCE
from vadkit.problems import fail
from vadkit.shapes import parse_ports

Crops = Literal["mean", "first"] | int
WAY_OUT = (
    "use a causal variant of the graph, or stream it in a sliding window of N snippets, window=N, whose scores are not "
    "those of the whole video"
)


def obstacles(model: VadModel) -> list[str]:
    """Return why the scores of a model cannot be computed snippet by snippet; nothing if they can."""
    found = []
    steps = model.plan.needed([model.plan.output])
    fed = {step.name: step for step in steps if _timed_refs(model.plan, step)}
    for step in fed.values():
        reason = why_whole(model.get_submodule(step.module))
        found += [f"{step.title} {reason}"] if reason else []
    for ref in dict.fromkeys(ref for step in steps for ref in step.refs):
        if ref.name in fed and not _is_row(model.plan, ref):
            found.append(f"{fed[ref.name].title} gives {ref.port} once for the whole video")
    sampler = ((model.spec.get("eval") or {}).get("sampler") or {}).get("use")
    return [*found, f"eval.sampler ({sampler}) cuts the whole video into pieces"] if sampler else found


class Stepper:
    """A model that is fed one snippet after the other, and gives the scores that each makes final.

    With ``window`` each snippet is scored as the last one of so many, which is another score than that of the whole
    video; without it, the scores are those of the whole video. The model is put into evaluation mode.

    Attributes:
        model: the model.
        window: snippets of the sliding window; None for exact scores.
        lookahead: snippets after its own for which a score waits.
        left_out: sentences on what evaluation does and a live score does without.
    """

    def __init__(
        self,
        model: VadModel,
        *,
        window: int | None = None,
        post: Sequence[Postprocess] = (),
        crops: Crops = "mean",
        left_out: Sequence[str] = (),
    ) -> None:
        if window is not None and (isinstance(window, bool) or not isinstance(window, int) or window < 1):
            fail(f"window is {window!r}; it must be a whole number of snippets, at least 1, or None")
        reasons = obstacles(model) if window is None else []
        if reasons:
            fail(f"this graph cannot be streamed: {'; '.join(reasons)}", WAY_OUT)
        self.model, self.window, self.left_out, self._crops = model.eval(), window, tuple(left_out), crops
        self._engine: _Whole | _Sliding = _Whole(model) if window is None else _Sliding(model, window)
        self._post = [PostStage(change) for change in post]
        own = model.lookahead if window is None else 0
        self.lookahead = int(own) + sum(stage.cut.ahead for stage in self._post)
        self._rows: int | None = None
        self._given = 0
        self._finished = False

    def step(self, streams: Mapping[str, Any]) -> list[tuple[int, float]]:
        """Take one snippet, (dim,) or (crops, dim) by input name; return (index, score) of those that are now final.

        Scores of crops are averaged, as the model's ``eval.crops`` says. A stream that this snippet lacks may be left
        out, or be None, if the model ``takes_presence``. Raises VadkitError, naming the stream, for what does not fit.
        """
        return self.chunk({name: _one_row(name, x) for name, x in streams.items() if x is not None})

    def chunk(self, streams: Mapping[str, Any]) -> list[tuple[int, float]]:
        """Take the next n snippets, (n, dim) or (crops, n, dim), and return what n calls of ``step`` would."""
        if self._finished:
            fail("the stream is finished", "start another: vadkit.stream(model)")
        return self._advance(self._checked(streams), finished=False)

    def finish(self) -> list[tuple[int, float]]:
        """End the stream; return the (index, score) pairs that waited for later snippets."""
        if self._finished or self._rows is None:
            self._finished = True
            return []
        self._finished = True
        return self._advance({}, finished=True)

    @property
    def state_bytes(self) -> int:
        """Bytes of all that is kept from snippet to snippet."""
        held = sum(x.untyped_storage().nbytes() for x in self._engine.held)
        return held + sum(stage.held.nbytes for stage in self._post)

    def _advance(self, streams: dict[str, Tensor], finished: bool) -> list[tuple[int, float]]:
        if self.model.training:
            self.model.eval()
        # Not inference_mode: a table that a component makes here and keeps must work in training.
        with torch.no_grad(), float32():
            found = self._engine.advance(streams, finished)
        scores = np.empty(0, np.float32) if found is None else _mean(found)
        for stage in self._post:
            scores = stage.advance(scores, finished)
        first, self._given = self._given, self._given + len(scores)
        return [(first + i, float(score)) for i, score in enumerate(scores)]

    def _checked(self, streams: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the streams as (b, n, dim) of the model's type and device."""
        inputs = {name: self.model.plan.inputs[name] for name in self.model.input_sizes}
        streams = {name: x for name, x in streams.items() if x is not None}
        lacking = [name for name in inputs if name not in streams]
        if lacking and not (self.model.takes_presence and streams):
            fail(f"the graph needs the stream '{lacking[0]}'", f"it takes {', '.join(inputs)}")
        device = next((weight.device for weight in self.model.parameters()), torch.device("cpu"))
        given = {name: _with_crops(name, x).to(device) for name, x in streams.items()}
        crops = max(map(len, given.values()))
        given = {n: x.expand(crops, *x.shape[1:]) if len(x) == 1 else x for n, x in given.items()}
        if self._crops != "mean":
            number = 0 if self._crops == "first" or crops == 1 else self._crops
            given = {name: x[number : number + 1] for name, x in given.items()}
        checked = check_call(inputs, (), given, self.model.parameters())
        rows = len(next(iter(checked.values())))
        if self._rows not in (None, rows):
            fail(f"a snippet has {rows} crops, those before it have {self._rows}", "a stream has one number of crops")
        self._rows = rows
        if self.model.takes_presence:
            checked, presence = with_absent(self.model.training_sizes, self.model.input_sizes, checked, None)
            checked[PRESENCE] = presence
        return checked


class _Whole:
    """The graph, node by node."""

    def __init__(self, model: VadModel) -> None:
        self.model = model
        self.steps = model.plan.needed([model.plan.output])
        self.refs = {step.name: refs for step in self.steps if (refs := _timed_refs(model.plan, step))}
        modules = {step.name: model.get_submodule(step.module) for step in self.steps}
        self.stages = {name: Stage(modules[name], refs) for name, refs in self.refs.items()}
        # What feeds the ports that have no row for each snippet.
        self.fixed = {step.name: _untimed(step) for step in self.steps}
        self.constants: dict[str, Any] = {}

    def advance(self, streams: Mapping[str, Tensor], finished: bool) -> Tensor | None:
        """Take the next rows of the streams (b, n, dim); return the scores that they make final (b, m)."""
        values = self._new(streams)
        for step in self.steps:
            if step.name not in self.stages:
                self._constant(step)
                continue
            new = {slot: _value(ref, values) for slot, ref in self.refs[step.name].items() if str(ref) in values}
            fixed = feed(self.fixed[step.name], lambda ref: self.constants.get(str(ref)))
            for port, x in self.stages[step.name].advance(new, fixed, finished).items():
                values[f"{step.name}.{port}"] = x
        output = self.model.plan.output
        return _value(output, values) if str(output) in values else None

    def _new(self, streams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the new rows by name, unfolded, with those of the batch values that a node cannot do without."""
        values: dict[str, Tensor] = {}
        for name, x in streams.items():
            pattern = self.model.plan.inputs.get(name)
            sizes = tuple(int(token) for token in pattern.tokens[2:]) if pattern else ()
            values[name] = x.unflatten(2, sizes) if len(sizes) > 1 else x
        for x in list(streams.values())[:1]:
            self.constants["crops"] = len(x)
            values["mask"] = x.new_ones(x.shape[:2], dtype=torch.bool)
        return values

    def _constant(self, step: Step) -> None:
        """Compute, once, what no stream enters."""
        if f"{step.name}.{next(iter(step.outputs))}" in self.constants:
            return
        given = feed(step.wires, lambda ref: self.constants.get(str(ref)))
        found = self.model.get_submodule(step.module)(**given)
        named = found if isinstance(found, dict) else {next(iter(step.outputs)): found}
        self.constants |= {f"{step.name}.{port}": x for port, x in named.items()}

    @property
    def held(self) -> Iterator[Tensor]:
        yield from tensors_of(self.constants)
        for stage in self.stages.values():
            yield from stage.held


class _Sliding:
    """The graph, called for each snippet with the last ones."""

    def __init__(self, model: VadModel, window: int) -> None:
        self.model, self.window = model, window
        self.rows: dict[str, Rows] = {}

    def advance(self, streams: Mapping[str, Tensor], finished: bool) -> Tensor | None:
        """Take the next rows of the streams (b, n, dim); return their scores (b, n)."""
        found = []
        for i in range(next(iter(streams.values())).shape[1] if streams else 0):
            for name, x in streams.items():
                rows = self.rows.setdefault(name, Rows())
                rows.add(x[:, i : i + 1])
                rows.drop(rows.end - self.window)
            held = {name: rows.span(rows.first, rows.end) for name, rows in self.rows.items()}
            presence = held.pop(PRESENCE, None)
            crops = len(next(iter(held.values())))
            found.append(self.model(**held, crops=crops, presence=presence)[:, -1:])
        return torch.cat(found, dim=1) if found else None

    @property
    def held(self) -> Iterator[Tensor]:
        yield from (rows.held for rows in self.rows.values() if rows.held is not None)


def _timed_refs(plan: Plan, step: Step) -> dict[Slot, Ref]:
    """Return what feeds the ports of a node that have a row for each snippet; a value of the batch if it must be."""
    return {
        (port, number): ref
        for port in step.wires
        for number, ref in enumerate(step.of(port))
        if _is_row(plan, ref) and (not ref.batch or ref.name == PRESENCE or ref in step.required_of_batch)
    }


def _is_row(plan: Plan, ref: Ref) -> bool:
    """Return whether a value has a row for each snippet."""
    if ref.batch:
        return is_timed(BATCH_PORTS[ref.name].shape)
    return ref.port is None or is_timed(plan.step(ref.name).outputs[ref.port])


def _untimed(step: Step) -> Wires:
    """Return the wires of a node to ports that have no row for each snippet."""
    ports = parse_ports(step.component.inputs)  # type: ignore[attr-defined]
    return {port: wire for port, wire in step.wires.items() if not is_timed(ports[port].pattern)}


def _value(ref: Ref, values: Mapping[str, Tensor]) -> Tensor:
    x = values[str(ref)]
    return torch.sigmoid(x) if ref.probability else x


def _mean(scores: Tensor) -> np.ndarray:
    """Return the scores (b, n) averaged over crops, float32 (n,), as evaluation does."""
    return scores.double().mean(0).cpu().numpy().astype(np.float32)


def _one_row(name: str, x: Any) -> Tensor:
    """Return one snippet, (dim,) or (crops, dim), as (crops, 1, dim)."""
    row = x if isinstance(x, Tensor) else torch.from_numpy(as_numbers(name, x))
    if row.ndim not in (1, 2):
        fail(f"stream '{name}' has shape {tuple(row.shape)}; one snippet is (width,) or (crops, width)")
    return row[None, None] if row.ndim == 1 else row[:, None]


def _with_crops(name: str, x: Any) -> Tensor:
    rows = x if isinstance(x, Tensor) else torch.from_numpy(as_numbers(name, x))
    if rows.ndim not in (2, 3):
        fail(f"stream '{name}' has shape {tuple(rows.shape)}; snippets are (n, width) or (crops, n, width)")
    return rows if rows.ndim == 3 else rows[None]
