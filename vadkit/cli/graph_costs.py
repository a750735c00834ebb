"""Parameters, operations and inputs of graphs, kept between calls: to count them takes building, and so torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vadkit.cli.catalogue import fingerprint
from vadkit.cli.kept import keep, kept
from vadkit.plugin_manager import config_folders, configs_in
from vadkit.problems import VadkitError

NAME = "graph-facts"  # of what is kept
SNIPPETS = 200  # of the bag that is counted: attention costs more per snippet in a longer one


@dataclass(frozen=True)
class Cost:
    """Parameters, and operations per snippet at test time, or why there is no such number.

    ``inputs`` are the names of the streams, and ``store`` is the name of the folder that the config reads them from.
    """

    parameters: int | None
    flops: float | None
    cause: str = ""
    inputs: Sequence[str] = ()
    store: str = ""


def snippet_costs(graphs: Sequence[str]) -> dict[str, Cost]:
    """Return the cost of each graph that comes with vadkit or a plugin, for a bag of ``SNIPPETS``."""
    now = _fingerprint()
    known = _kept(now)
    missing = [graph for graph in graphs if graph not in known]
    for graph in missing:
        known[graph] = _count(graph)
    if missing:
        keep(NAME, now, {name: vars(cost) for name, cost in known.items()})
    return {graph: known[graph] for graph in graphs}


def _count(graph: str) -> Cost:
    from vadkit.graph.compiler import compile_plan
    from vadkit.graph.cost import costs, parameters
    from vadkit.graph.load import load_config
    from vadkit.graph.module import without_weights
    from vadkit.plugin_manager import load_plugins

    plugins = load_plugins()
    try:
        plan = compile_plan(load_config(graph, (), plugins.config_folders), plugins)
    except VadkitError as error:
        return Cost(None, None, error.first)
    model = without_weights(plan)
    root = (plan.spec["data"].get("args") or {}).get("root") if plan.spec.get("data") else None
    streams: dict[str, Any] = {"inputs": list(plan.spec["inputs"]), "store": os.path.basename(str(root or ""))}
    found = [cost.flops for cost in costs(model, SNIPPETS).values()]
    whole = [flops for flops in found if flops is not None]
    if len(whole) < len(found):
        return Cost(parameters(model), None, "its operations cannot be counted", **streams)
    return Cost(parameters(model), sum(whole) / SNIPPETS, **streams)


def _fingerprint() -> str | None:
    """Return what the costs depend on: plugins, vadkit and every config."""
    plugins = fingerprint()
    if plugins is None:
        return None
    digest = hashlib.sha256(plugins.encode())
    for file in configs_in(config_folders()):
        digest.update(f"{file}\0".encode("utf-8", "surrogateescape") + file.read_bytes())
    return digest.hexdigest()


def _kept(now: str | None) -> dict[str, Cost]:
    try:
        return {name: Cost(**cost) for name, cost in kept(NAME, now).items()}
    except (TypeError, AttributeError):  # nothing was kept, or something else
        return {}


def count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def mflop(flops: float | None) -> str:
    return "?" if flops is None else f"{flops / 1e6:.1f}"


def print_unbuilt(costs: Mapping[str, Cost]) -> None:
    """Say of each graph without a number why it has none."""
    for graph, cost in costs.items():
        if cost.cause:
            print(f"{graph}: {cost.cause}")
