"""The model a graph becomes: nodes as children, and torch.fx graphs over them.

Legend: ``b`` bags x crops, ``t`` snippets, ``v`` videos.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from vadkit.graph.call_checks import check_call
from vadkit.graph.plan import Plan, Ref, Step, feed, lacks
from vadkit.graph.presence import all_there, with_absent
from vadkit.kinds import BATCH_PORTS
from vadkit.presence import STREAM as PRESENCE
from vadkit.problems import VadkitError, fail, unknown
from vadkit.shapes import Pattern

_AT_TEST = tuple(name for name, port in BATCH_PORTS.items() if not port.training)


class VadModel(nn.Module):
    """A trained or trainable system. Its children are the nodes by name, shared ones by ``share``, and ``losses``.

    Calling it scores bags: ``model(rgb=..., clip=...)`` or in the order of ``input_sizes``, each stream float32 (b, t,
    size); the result is (b, t), probabilities unless ``output_range`` says otherwise. If ``takes_presence``, streams
    may be left out, or come with ``presence`` (b, t, inputs) in the order of ``training_sizes``, 1 where a stream is
    there and 0 where its rows are zeros. The rows of an input ``b t 16 2048`` are given as 32768 numbers, or unfolded.
    ``mask`` is bool (b, t), True where a snippet is real. In training, see ``loss``.

    Attributes: ``spec`` (the resolved YAML as plain data), ``input_sizes`` (stream -> size, of those that scores need),
    ``training_sizes`` (of all streams: a teacher may take some in training only), ``output_range``, ``lookahead``
    (snippets, or "all"), ``takes_presence``, ``plan``.
    """

    def __init__(self, plan: Plan, nodes: Mapping[str, nn.Module], losses: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.plan = plan
        self.spec = plan.spec
        self.output_range = plan.output_range
        self.lookahead = plan.lookahead
        self.takes_presence = plan.takes(PRESENCE)
        self.training_sizes = {name: pattern.width for name, pattern in plan.inputs.items()}
        self.input_sizes = {name: plan.inputs[name].width for name in plan.scored_inputs}
        self._graphs: dict[Any, fx.GraphModule] = {}
        for name, module in nodes.items():
            self.add_module(name, module)
        self.losses = nn.ModuleDict(losses)

    @property
    def inference(self) -> fx.GraphModule:
        """The graph of the scores alone: streams in order, then ``mask`` if a node uses it.

        This is what torch.export, torch.compile and ONNX export take.
        """
        return self._graph({"scores": self.plan.output}, _AT_TEST, single=True)

    def forward(
        self,
        *streams: Tensor,
        mask: Tensor | None = None,
        crops: int | None = None,
        presence: Tensor | None = None,
        **named: Tensor,
    ) -> Tensor:
        """Return scores (b, t) for streams (b, t, size).

        Numpy arrays and other float types are converted. Raises VadkitError, naming the stream, for what does not
        fit: a width, a shape, NaN, an unknown or missing stream.
        """
        graph = self.inference
        inputs = {name: self.plan.inputs[name] for name in self.input_sizes}
        given = check_call(inputs, streams, named, self.parameters())
        if self.takes_presence:
            given, presence = with_absent(self.training_sizes, self.input_sizes, given, presence)
        scores: Tensor = graph(**self._feed(graph, given, {"mask": mask, "crops": crops, PRESENCE: presence}))
        return scores

    def loss(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``total`` (weighted), each loss by name (unweighted) and its parts as ``name.part``.

        ``batch`` holds the streams (b, t, size) by name and those of the ``BATCH_PORTS`` that nodes and losses
        need. A weight that changes goes by ``epoch``; without one it is the last. Raises VadkitError for what is
        missing.
        """
        wanted = {_key(ref): ref for step in self.plan.losses for ref in step.refs if not ref.batch}
        graph = self._graph(wanted, tuple(BATCH_PORTS), single=False)
        values: dict[str, Tensor] = graph(**self._feed(graph, batch, batch))
        result: dict[str, Tensor] = {}
        total: Tensor | None = None
        for step in self.plan.losses:
            ports = feed(step.wires, lambda ref: batch.get(ref.name) if ref.batch else values[_key(ref)])
            missing = [ref.name for ref in step.required_of_batch if batch.get(ref.name) is None]
            if missing and not step.weight.ever:
                continue  # it only logs, and there is nothing to log
            if missing:
                fail(*lacks(step, missing[0]))
            out = self.losses[step.name](**ports)
            parts = out if isinstance(out, dict) else {"total": out}
            result[step.name] = parts["total"]
            result |= {f"{step.name}.{part}": value for part, value in parts.items() if part != "total"}
            weight = step.weight.at(batch.get("epoch"))
            if weight:  # a loss of weight 0 is logged but never added, not even as 0 * nan
                weighted = weight * parts["total"]
                total = weighted if total is None else total + weighted
        if total is None:
            fail("this graph has no loss with a weight above 0", "add one under losses: to train it")
        return {"total": total, **result}

    def changing_weights(self, epoch: int) -> dict[str, float]:
        """Return the weights of those losses whose weight changes, after ``epoch`` whole epochs."""
        return {step.name: step.weight.at(epoch) for step in self.plan.losses if step.weight.changes}

    def values(self, batch: Mapping[str, Any], names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Return values inside the graph by name ("node.port"), all of them unless ``names`` are given."""
        graph = self.graph(names)
        values: dict[str, Tensor] = graph(**self._feed(graph, batch, batch))
        return values

    def graph(self, names: Iterable[str] | None = None) -> fx.GraphModule:
        """Return the graph of the named values, all of them unless ``names`` are given, and of nothing else.

        It takes the streams and batch values it needs, by name, and returns the values by name.
        Raises VadkitError for an unknown name.
        """
        known = {f"{s.name}.{port}": Ref(s.name, port) for s in self.plan.steps for port in s.outputs}
        if names is None:
            return self._graph(known, tuple(BATCH_PORTS), single=False)
        first = {s.name: f"{s.name}.{next(iter(s.outputs))}" for s in self.plan.steps}
        wanted = {}
        for name in names:
            full = first.get(name, name)
            if full not in known:
                raise VadkitError([unknown(name, [*first, *known], "value", "in the graph")])
            wanted[name] = known[full]
        return self._graph(wanted, tuple(BATCH_PORTS), single=False)

    # -- how it works ----------------------------------------------------------------------------
    def _graph(self, wanted: dict[str, Ref], batch: Sequence[str], single: bool) -> fx.GraphModule:
        key = (tuple(wanted), tuple(wanted.values()), single)
        if key not in self._graphs:
            graph = _trace(self.plan, wanted, batch, single)
            self._graphs[key] = fx.GraphModule(self, graph, class_name="VadGraph")
        self._graphs[key].training = self.training
        return self._graphs[key]

    def _feed(self, graph: fx.GraphModule, streams: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for node in graph.graph.find_nodes(op="placeholder"):
            name = str(node.target)
            if name in BATCH_PORTS:
                given[name] = batch.get(name)
                if name == PRESENCE and given[name] is None:
                    given[name] = all_there(self.training_sizes, streams)
                if given[name] is None:
                    self._refuse_without(name, {str(user.target) for user in node.users})
            elif name in streams:
                given[name] = streams[name]
            else:
                fail(f"the graph needs the stream '{name}'", f"it takes {', '.join(self.training_sizes)}")
        for name in streams if streams is not batch else ():
            if name not in self.training_sizes and name not in BATCH_PORTS:
                raise VadkitError([unknown(name, self.training_sizes, "input", "of the graph")])
        return given

    def _refuse_without(self, name: str, modules: set[str]) -> None:
        """Raise VadkitError if one of these modules cannot do without a value that the batch lacks."""
        for step in self.plan.steps:
            if step.module in modules and name in {ref.name for ref in step.required_of_batch}:
                fail(*lacks(step, name))

    def __getstate__(self) -> dict[str, Any]:
        # The fx graphs are derived; a copy (EMA, teachers) builds its own over its own nodes.
        return {**self.__dict__, "_graphs": {}}


def model_of(plan: Plan) -> VadModel:
    """Return the module of a plan, its weights drawn from torch's global generator.

    Raises VadkitError if the weights take more memory than is free.
    """
    plan.weights.need_memory()
    return _module(plan)


def without_weights(plan: Plan) -> VadModel:
    """Return the module of a plan on the meta device, where it takes no memory and computes shapes alone."""
    with torch.device("meta"):
        return _module(plan)


def _module(plan: Plan) -> VadModel:
    owners = plan.owners
    nodes = {s.module: s.component(**s.args) for s in plan.steps if owners[s.module] is s}
    losses = {step.name: step.component(**step.args) for step in plan.losses}
    return VadModel(plan, nodes, losses)


def _key(ref: Ref) -> str:
    return f"{ref}:probability" if ref.probability else str(ref)


def _trace(plan: Plan, wanted: Mapping[str, Ref], batch: Sequence[str], single: bool) -> fx.Graph:
    """Return the fx graph that computes exactly the wanted values."""
    steps = plan.needed(wanted.values())
    graph = fx.Graph()
    values: dict[str, fx.Node] = {}
    refs = [*wanted.values(), *(r for s in steps for r in s.refs if not r.batch)]
    used = {str(ref) for ref in refs}
    for name in plan.inputs:
        if name in used:
            values[name] = _unfolded(graph, graph.placeholder(name, Tensor), plan.inputs[name])
    from_batch = {r.name for s in steps for r in s.refs if r.batch}
    for name in BATCH_PORTS:
        if name in batch and name in from_batch:
            values[name] = graph.placeholder(name, default_value=None)
    for step in steps:
        _call(graph, step, values, used)
    result = {name: _value(graph, ref, values) for name, ref in wanted.items()}
    graph.output(next(iter(result.values())) if single else result)
    return graph


def _unfolded(graph: fx.Graph, rows: fx.Node, pattern: Pattern) -> fx.Node:
    """Return the rows of a stream (b, t, 16 * 2048) as its pattern ``b t 16 2048`` says."""
    sizes = tuple(int(token) for token in pattern.tokens[2:])
    if len(sizes) < 2:
        return rows
    flat = graph.call_method("flatten", (rows, 2))  # callers may give them unfolded
    return graph.call_method("unflatten", (flat, 2, sizes))


def _call(graph: fx.Graph, step: Step, values: dict[str, fx.Node], used: set[str]) -> None:
    ports = feed(step.wires, lambda ref: values.get(ref.name) if ref.batch else _value(graph, ref, values))
    node = graph.call_module(step.module, kwargs=ports)
    for port in step.outputs:
        if f"{step.name}.{port}" not in used:
            continue
        value = node if len(step.outputs) == 1 else graph.call_function(operator.getitem, (node, port))
        values[f"{step.name}.{port}"] = graph.call_method("detach", (value,)) if step.detach else value


def _value(graph: fx.Graph, ref: Ref, values: dict[str, fx.Node]) -> fx.Node:
    if not ref.probability:
        return values[str(ref)]
    key = _key(ref)
    if key not in values:  # the sigmoid is applied once
        values[key] = graph.call_function(torch.sigmoid, (values[str(ref)],))
    return values[key]
