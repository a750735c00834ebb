"""What a graph costs: parameters and floating point operations of every node.

Operations are counted on the meta device, where no fused kernel hides any; a multiply-add counts
as two. Only matrix products, convolutions and attention are counted, as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils.flop_counter import FlopCounterMode

from vadkit.graph.module import VadModel, without_weights
from vadkit.graph.plan import Plan, Step
from vadkit.graph.presence import all_there
from vadkit.presence import STREAM as PRESENCE


@dataclass(frozen=True)
class NodeCost:
    """Parameters that a node owns (0 if an earlier node has the same weights), and its operations."""

    parameters: int
    flops: int | None  # 0 of a node that only training runs; None: the operations could not be counted


def costs(model: VadModel, snippets: int = 200) -> dict[str, NodeCost]:
    """Return the cost of every node for one bag of ``snippets``, at test time."""
    flops = _count(model, snippets)
    result, owners = {}, model.plan.owners
    for step in model.plan.steps:
        module = model.get_submodule(step.module)
        count = sum(p.numel() for p in module.parameters()) if owners[step.module] is step else 0
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


def _at_test(plan: Plan) -> list[Step]:
    """Return the steps that exist at test time, without those fed by one that does not."""
    absent: set[str] = set()
    for step in plan.steps:
        if step.train_only or any(ref.name in absent for ref in step.refs if not ref.batch):
            absent.add(step.name)
    return [step for step in plan.steps if step.name not in absent]


def _count(model: VadModel, snippets: int) -> dict[str, int] | None:
    try:
        return _counted(model, snippets)
    except Exception:  # a component may do anything in its forward; a cost is never worth a failed build
        return None


def _counted(model: VadModel, snippets: int) -> dict[str, int]:
    # Without gradients: the counter hooks into autograd, which an expanded parameter of a frozen forward has not.
    meta = without_weights(model.plan).eval().requires_grad_(False)
    steps = _at_test(meta.plan)
    outputs = {f"{s.name}.{next(iter(s.outputs))}" for s in steps}
    streams = [
        torch.zeros([1, snippets, *(t for t in pattern.tokens[2:] if isinstance(t, int))], device="meta")
        for pattern in meta.plan.inputs.values()
    ]
    batch: dict[str, Tensor | None] = dict(zip(meta.plan.inputs, streams))
    batch[PRESENCE] = all_there(meta.plan.inputs, batch)
    with torch.no_grad():
        graph = meta.graph(sorted(outputs))
        counter = _Counter(graph)
        counter.run(*[batch.get(str(node.target)) for node in graph.graph.find_nodes(op="placeholder")])
    return dict(zip((step.name for step in steps), counter.calls))
