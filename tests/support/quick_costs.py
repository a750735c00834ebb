"""What the commands of systems show of a graph, without building it: inputs from its config, and made-up costs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from vadkit.cli.graph_costs import Cost
from vadkit.graph.load import load_config
from vadkit.plugin_manager import own_configs


def quick_costs(graphs: Iterable[str]) -> dict[str, Cost]:
    """Return the costs of graphs, in the place of ``snippet_costs``."""
    return {graph: _cost(graph) for graph in graphs}


@cache
def _cost(graph: str) -> Cost:
    data = load_config(graph, (), [own_configs()]).data
    root = (data.get("data") or {}).get("args", {}).get("root", "")
    return Cost(1000 + len(graph), 2e6 * len(graph), "", list(data["inputs"]), Path(str(root)).name)
