"""Operations of one train step, ours and of the plain restatement: what a GPU would have to launch.

    python benchmarks/step_operations.py [GRAPH ...]          # default: the largest restated graph of each system

Counted are the operators that torch dispatches in forward, backward and update, one by one, with as many bags as the
authors train with. Views and empty buffers are left out, since they compute nothing; an update of many tensors at once
is one operation. On a GPU an operator is one launch or a few. The number depends neither on widths nor on the device;
of a restatement with loops it grows with the bags. Bags have at most 32 snippets, of large graphs 4. The result is in
benchmarks/results/step_operations-cpu-MONTH.json and .md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from results import write
from torch.utils._python_dispatch import TorchDispatchMode

from vadkit.bench.speed.run import restatements
from vadkit.bench.timing import Load, random_batch
from vadkit.graph.compiler import compile_plan
from vadkit.graph.cost import costs
from vadkit.graph.load import load_config
from vadkit.graph.module import VadModel, model_of
from vadkit.graph.plan import Plan
from vadkit.plugin_manager import add_plugin_files, load_plugins, own_configs
from vadkit.systems.card import read_cards

SNIPPETS = (32, 16, 8, 4)
MOST = 5e10  # floating point operations of the nodes in a step, or else bags are shorter
EMPTY = ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "detach", "alias", "lift_fresh")


class Count(TorchDispatchMode):
    """Counts the operators that compute, and the values that the host reads, while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.reads = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.partition("::")[2]
        if name == "_local_scalar_dense":
            self.reads += 1
        elif name not in EMPTY and not _is_view(func):
            self.operations += 1
        return func(*args, **(kwargs or {}))


def _is_view(func: Any) -> bool:
    """Return whether an operator returns its argument in another shape, and computes nothing."""
    return any(each.alias_info is not None and not each.alias_info.is_write for each in func._schema.returns)


def counted(step: Any) -> Count:
    """Return the counts of a step; it is run once before, since the first one makes the state of the optimizer."""
    step()
    with Count() as count:
        step()
    return count


def step_of(model: torch.nn.Module, loss: Any, **adam: bool) -> Any:
    """Return a train step: forward, backward and Adam."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-4, **adam)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    return step


def ours(model: VadModel, batch: Mapping[str, Any]) -> Count:
    return counted(step_of(model.train(), lambda: model.loss(batch)["total"], fused=True))


def plain(restated: Any, batch: Mapping[str, Any]) -> Count:
    return counted(step_of(restated.train(), partial(restated.loss, batch), foreach=True))


def largest(restated: Mapping[str, Any]) -> list[str]:
    """Return of each system the restated graph with the most parameters."""
    found = []
    for card in read_cards([own_configs()]).values():
        known = [graph for graph in card.graphs if graph in restated]
        found += sorted(known, key=lambda graph: -(card.graphs[graph].parameters or 0))[:1]
    return found


def row(graph: str, plan: Plan, restated: type[Any]) -> dict[str, Any]:
    torch.manual_seed(0)
    model = model_of(plan)
    bags = plan.spec["data"]["batch"]
    snippets = _snippets(model, bags)
    batch = random_batch(model, Load(bags, snippets), torch.device("cpu"))
    mine, theirs = ours(model, batch), plain(restated(**restated.graphs[graph]), batch)
    return {
        "graph": graph,
        "bags": bags,
        "snippets": snippets,
        "operations": mine.operations,
        "plain restatement": theirs.operations,
        "times fewer": round(theirs.operations / mine.operations, 1),
        "reads of the host": mine.reads,
        "of the restatement": theirs.reads,
    }


def _snippets(model: VadModel, bags: int) -> int:
    """Return how many snippets a bag has."""
    for snippets in SNIPPETS:
        if 3 * bags * sum(cost.flops or 0 for cost in costs(model, snippets).values()) <= MOST:
            break
    return snippets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphs", nargs="*", metavar="GRAPH")
    args = parser.parse_args()
    torch.set_num_threads(1)
    add_plugin_files(Path(__file__).parent / "restatements")
    restated = restatements(load_plugins())
    rows = []
    for graph in args.graphs or largest(restated):
        source = load_config(graph, (), [own_configs()])
        plan = compile_plan(source, load_plugins(), trainable=False)
        rows.append(row(graph, plan, restated[graph]))
        print(rows[-1], flush=True)
    conditions = {
        "counted": "operators that compute, in forward, backward and Adam's update of a train step (fp32, CPU)",
        "bags": "the authors' batch",
    }
    write("step_operations", "Operations of a train step", rows, conditions, "cpu")


if __name__ == "__main__":
    main()
