"""A system as one table: what the authors' settings, inputs, outputs and losses are called in our graph.

``System.run(case)`` runs cases of the modes eval, train, train-steps and protocol by it. See the README.

Legend: b rows, v videos, t snippets, c channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from cases import Case
from names import Names
from torch import Tensor

from systems import protocol
from systems.errors import NotSupported
from systems.graphs import Graph, backward, graph, merge, norms, optimizer, steps, training_batch
from systems.harness import give_noise, listen, no_dropout, norms_of, numpy, tensor
from systems.taps import OPERATIONS, Taps

Results = Mapping[str, Any]
Inputs = Mapping[str, np.ndarray]
Value = str | Callable[["Run"], Any]


@dataclass
class Run:
    """One forward pass of a case: what went in, and what came out at the taps."""

    case: Case
    graph: Graph
    inputs: Inputs
    batch: dict[str, Any]
    taps: Taps
    calls: dict[str, list[Any]]
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def crops(self) -> int:
        return int(self.batch.get("crops", 1))

    @property
    def labels(self) -> Tensor:
        labels: Tensor = self.batch["labels"]
        return labels

    def tap(self, value: str) -> Tensor:
        """Return what "place | operation | ..." says: a node, one of its ports, a module in it, or ``output``."""
        place, *operations = (part.strip() for part in value.split("|"))
        x = self.taps[place]
        for operation in operations:
            x = OPERATIONS[operation](x, self)
        return x


@dataclass(frozen=True)
class System:
    """What is needed to run the cases of one system.

    Args:
        graph: the graph to build, or a function of the case that chooses one.
        names: the table of official names in ``registry_configs/names``.
        args: config key ("transformer.dim") -> argument ("embedding.dim", "losses.mil.k", "losses.mil weight",
            "inputs.rgb"), a list of such, or a pair (argument, function of the value or dictionary).
        changes: further changes of the graph, as a function of the case; it also refuses what is not supported.
        inputs: input -> stream, or the streams that it joins, in order. Inputs of the same stream are rows, in order.
        draws: module -> the input that replaces its random draws, a list of inputs (rows in order), or a function
            (run, names are those of ``inputs``). Where the case has none, the draws are 0.
        outputs: output -> "place | operation" (see ``Run.tap``), or a function of the run; where they differ,
            {"train": one, "eval": other}.
        taps: further places that functions among ``outputs`` ask for.
        calls: methods ("losses.mc.compare") whose calls a function among ``outputs`` finds in ``run.calls``, as a
            list of (positional arguments, result).
        losses: official name of a loss -> our part, or {part: factor or config key} to sum.
        protocol: output of a test set -> "output of eval" (all videos in a row) or "output of eval, figure".
        batch: further entries of a training batch, as a function of (graph, inputs).
        sampler: whether a training batch is cut and filled by the graph's own sampler; else lengths give the mask.
        optimizer: for ``stepped_norm``, where the case does not give it.
        modes: other modes (or kinds) of cases -> function of the case.
    """

    graph: str | Callable[[Case], str]
    names: str
    inputs: Mapping[str, str | Sequence[str]]
    outputs: Mapping[str, Value | Mapping[str, Value]]
    args: Mapping[str, Any] = field(default_factory=dict)
    changes: Callable[[Case], dict[str, Any]] = lambda case: {}
    draws: Mapping[str, Any] = field(default_factory=dict)
    taps: Sequence[str] = ()
    calls: Sequence[str] = ()
    losses: Mapping[str, str | Mapping[str, Any]] = field(default_factory=dict)
    protocol: Mapping[str, str] = field(default_factory=dict)
    batch: Callable[[Graph, Inputs], dict[str, Any]] = lambda graph, inputs: {}
    sampler: bool = False
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    modes: Mapping[str, Callable[[Case], Results]] = field(default_factory=dict)

    def run(self, case: Case) -> Results:
        mode = case.config.get("mode", "")
        own: dict[str, Callable[[Case], Results]] = {
            "eval": self.evaluate,
            "train": self.train,
            "train-steps": self.train_steps,
            "protocol": self.test_set,
        }
        known = {**own, **self.modes}
        for key in (mode, case.kind):
            if key in known:
                return known[key](case)
        raise NotSupported(f"a {case.system} case of mode {mode}")

    # -- the graph -------------------------------------------------------------------------------
    def build(self, case: Case) -> Graph:
        """Return the graph with every setting of the case on top and its weights."""
        base = self.graph if isinstance(self.graph, str) else self.graph(case)
        return graph(case, base, merge(self._settings(case.config), self.changes(case)), Names(self.names))

    def _settings(self, config: Mapping[str, Any]) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        for key, target in self.args.items():
            value = _at(config, key)
            if value is None:
                continue
            if isinstance(target, tuple):
                target, convert = target
                value = convert[value] if isinstance(convert, Mapping) else convert(value)
            for place in [target] if isinstance(target, str) else target:
                settings = merge(settings, _setting(place, value))
        return settings

    # -- one pass --------------------------------------------------------------------------------
    def prepare(self, g: Graph, inputs: Inputs, training: bool) -> Run:
        """Return a run that is ready to go: streams by name, labels, mask, draws."""
        streams, crops, labels = self._streams(g, inputs)
        given = g.case.given
        labels = torch.tensor(given["labels"]).float() if "labels" in given else labels
        batch: dict[str, Any] = {**streams, "labels": labels, "crops": crops}
        if training and self.sampler:
            batch |= training_batch(g.model, {n: numpy(x) for n, x in streams.items()}, given)
        elif lengths := given.get("lengths" if training else "seq_len"):
            t = next(iter(streams.values())).shape[1]
            batch["mask"] = (torch.arange(t) < torch.tensor(lengths)[:, None]).repeat_interleave(crops, 0)
        if training:
            batch |= self.batch(g, inputs)
        heard = {call: _listen(g, call) for call in self.calls}
        run = Run(g.case, g, inputs, batch, Taps(g.model, self._places()), heard)
        for module, source in self.draws.items():
            _draw(g, module, run, source)
        return run

    def _streams(self, g: Graph, inputs: Inputs) -> tuple[dict[str, Tensor], int, Tensor]:
        found: dict[str, list[Tensor]] = {}
        labels, crops = [], 1
        for name, streams in self.inputs.items():
            if name not in inputs:
                continue
            x = tensor(inputs[name])
            streams = [streams] if isinstance(streams, str) else [s for s in streams if s in g.model.input_sizes]
            if x.ndim == 4 and len(g.model.plan.inputs[streams[0]].tokens) == 3:  # (v, crops, t, c)
                crops, x = x.shape[1], x.flatten(0, 1)
            parts = x.split([g.model.input_sizes[s] for s in streams], -1) if len(streams) > 1 else [x]
            for stream, part in zip(streams, parts):
                if stream in g.model.input_sizes:
                    found.setdefault(stream, []).append(part)
            labels.append((name, len(x) // crops))
        kinds = [torch.full((rows,), float("abnormal" in name)) for name, rows in labels if "normal" in name]
        videos = labels[0][1]
        halves = (torch.arange(videos) >= videos // 2).float()
        return {s: torch.cat(x) for s, x in found.items()}, crops, torch.cat(kinds) if kinds else halves

    def _places(self) -> list[str]:
        values: list[Any] = [*self.taps]
        for value in self.outputs.values():
            values += value.values() if isinstance(value, Mapping) else [value]
        return [value.split("|")[0].strip() for value in values if isinstance(value, str)]

    def scores(self, g: Graph, inputs: Inputs, wanted: Sequence[str] | None = None) -> Run:
        """Run the graph for evaluation; its outputs are in ``results``."""
        g.model.eval()
        run = self.prepare(g, inputs, training=False)
        streams = {n: x for n, x in run.batch.items() if n in g.model.input_sizes}
        with torch.no_grad(), run.taps:
            run.taps.seen["output"] = g.model(**streams, mask=run.batch.get("mask"), crops=run.crops)
            missing = run.taps.missing()
            if missing:
                g.model.values(run.batch, missing)
        self._collect(run, wanted)
        return run

    def _collect(self, run: Run, wanted: Sequence[str] | None = None) -> None:
        for name in self.outputs if wanted is None else wanted:
            if wanted is None and name not in run.case.outputs:
                continue
            value = self.outputs[name]
            if isinstance(value, Mapping):
                value = value["train" if run.graph.model.training else "eval"]
            found = run.tap(value) if isinstance(value, str) else value(run)
            run.results[name] = numpy(found) if isinstance(found, Tensor) else found

    # -- modes -----------------------------------------------------------------------------------
    def evaluate(self, case: Case) -> Results:
        g = self.build(case)
        if any(name in self.losses for name in case.outputs):
            return self._trained(g, train=False)
        return self.scores(g, g.case.inputs).results

    def train(self, case: Case) -> Results:
        return self._trained(self.build(case), train=True)

    def _trained(self, g: Graph, train: bool) -> Results:
        no_dropout(g.model)
        g.model.train(train)
        run = self.prepare(g, g.case.inputs, training=True)
        leaves = [run.batch[stream].requires_grad_() for stream in g.model.input_sizes if stream in run.batch]
        with run.taps:
            parts = g.model.loss(run.batch)
            missing = run.taps.missing()
            if missing:
                g.model.values(run.batch, missing)
        run.results |= self._losses(g.case, parts)
        self._collect(run)
        if "grad_names" in g.case.given:
            run.results |= backward(g, parts["total"])
            run.results |= norms_of(g.weights.values(), leaves)
        if "stepped_norm_names" in g.case.given:
            run.results |= self._stepped(g)
        return run.results

    def _losses(self, case: Case, parts: Mapping[str, Tensor]) -> Results:
        return {n: numpy(_sum(case, parts, part)) for n, part in self.losses.items() if _known(parts, part)}

    def _stepped(self, g: Graph) -> Results:
        optimizer(g, g.case.given.get("optimizer", self.optimizer)).step()
        return {"stepped_norm": norms(g, g.case.given["stepped_norm_names"])}

    def train_steps(self, case: Case) -> Results:
        g = self.build(case)

        def batch(step: int) -> dict[str, Any]:
            return self.prepare(g, self._part(case, f"step{step}"), training=True).batch

        columns = {"total": "total", **self.losses}
        results = steps(g, batch, {name: lambda parts, p=part: _sum(case, parts, p) for name, part in columns.items()})
        probes = [name for name in case.outputs if name.startswith("probe_")]
        run = self.scores(g, self._part(case, "probe"), [name.removeprefix("probe_") for name in probes])
        return {**results, **{f"probe_{name}": value for name, value in run.results.items()}}

    def test_set(self, case: Case) -> Results:
        g = self.build(case)
        curves = {value.split(",")[0].strip() for value in self.protocol.values()}
        videos = range(len(case.given["snippets"]))
        runs = [self.scores(g, self._part(case, f"video{i}"), sorted(curves)).results for i in videos]
        results = {}
        for name, value in self.protocol.items():
            curve, *figure = (part.strip() for part in value.split(","))
            scores = [run[curve] for run in runs]
            results[name] = protocol.figures(case, scores)[figure[0]] if figure else np.concatenate(scores)
        return results

    def _part(self, case: Case, part: str) -> Inputs:
        """Return the inputs of "step3", "probe" or "video0" by their plain names, and those of all parts.

        The main one may be called as the part itself, others "step3.noise", "step3_noise" or "noise3".
        """
        number = part.lstrip("abcdefghijklmnopqrstuvwxyz")
        main = next(iter(self.inputs))
        found = {}
        for name in case.inputs:
            if name == part:
                found[main] = case.inputs[name]
            elif name.startswith((f"{part}.", f"{part}_")):
                found[name[len(part) + 1 :]] = case.inputs[name]
            elif number and name.endswith(number) and not name[: -len(number)][-1:].isdigit():
                found[name[: -len(number)]] = case.inputs[name]
            elif not name[-1:].isdigit() and not name.startswith(("step", "probe", "video")):
                found[name] = case.inputs[name]
        return found


def _at(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list):
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def _setting(place: str, value: Any) -> dict[str, Any]:
    """Return the change of a graph that sets "node.arg", "losses.name.arg", "losses.name weight" or "inputs.rgb"."""
    if place.endswith(" weight"):
        return {"losses": {place.removeprefix("losses.").removesuffix(" weight"): {"weight": float(value)}}}
    section, _, rest = place.partition(".")
    if section == "inputs":
        return {"inputs": {rest: f"b t {value}"}}
    if section != "losses":
        return {"nodes": {section: {"args": {rest: value}}}}
    name, _, argument = rest.partition(".")
    return {"losses": {name: {"args": {argument: value}}}}


def _draw(g: Graph, module: str, run: Run, source: Any) -> None:
    target = g.model.get_submodule(module)
    if callable(source):
        give_noise(target, source(run))
        return
    names = [source] if isinstance(source, str) else source
    found = [tensor(run.inputs[name]) for name in names if name in run.inputs]
    if found:
        give_noise(target, torch.cat(found))
    else:
        target.draw_noise = lambda shape, like: torch.zeros(shape, dtype=like.dtype)  # type: ignore[assignment]


def _listen(g: Graph, call: str) -> list[Any]:
    module, _, method = call.rpartition(".")
    return listen(g.model.get_submodule(module), method)


def _known(parts: Mapping[str, Tensor], part: str | Mapping[str, Any]) -> bool:
    return all(name in parts for name in ([part] if isinstance(part, str) else part))


def _sum(case: Case, parts: Mapping[str, Tensor], part: str | Mapping[str, Any]) -> Tensor:
    if isinstance(part, str):
        return parts[part]
    factors = {name: _at(case.config, f) if isinstance(f, str) else f for name, f in part.items()}
    return torch.stack([factor * parts[name] for name, factor in factors.items()]).sum()
