"""What a graph costs: parameters and floating point operations of every node.

Operations are counted on the meta device, where no fused kernel hides any; a multiply-add counts
as two. Only matrix products, convolutions and attention are counted, as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch.utils.flop_counter import FlopCounterMode

from vadkit.graph.module import VadModel, without_weights


@dataclass(frozen=True)
class NodeCost:
    """Parameters a node owns (0 if another node shares its weights with it) and its operations."""

    parameters: int
    flops: int | None  # None: a component could not be run on the meta device


def costs(model: VadModel, snippets: int = 200) -> dict[str, NodeCost]:
    """Return the cost of every node for one bag of ``snippets``, at test time."""
    flops = _count(model, snippets)
    result = {}
    for step in model.plan.steps:
        own = step.module == step.name
        module = model.get_submodule(step.module)
        count = sum(p.numel() for p in module.parameters()) if own else 0
        result[step.name] = NodeCost(count, None if flops is None else flops.get(step.name, 0))
    return result


def parameters(model: VadModel) -> int:
    """Return the number of parameters, those of the losses included."""
    return sum(p.numel() for p in model.parameters())


class _Counter(fx.Interpreter):
    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.calls: list[int] = []

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        with FlopCounterMode(display=False) as counter:
            result = super().call_module(target, args, kwargs)
        self.calls.append(counter.get_total_flops())
        return result


def _count(model: VadModel, snippets: int) -> dict[str, int] | None:
    meta = without_weights(model.plan).eval()
    outputs = {f"{s.name}.{next(iter(s.outputs))}" for s in meta.plan.steps}
    streams = [
        torch.zeros([1, snippets, *(t for t in pattern.tokens[2:] if isinstance(t, int))], device="meta")
        for pattern in meta.plan.inputs.values()
    ]
    batch = dict(zip(meta.plan.inputs, streams))
    try:
        with torch.no_grad():
            graph = meta.graph(sorted(outputs))
            counter = _Counter(graph)
            counter.run(*[batch.get(str(node.target)) for node in graph.graph.find_nodes(op="placeholder")])
    except (NotImplementedError, RuntimeError, TypeError):
        return None
    return dict(zip((s.name for s in meta.plan.steps), counter.calls))
