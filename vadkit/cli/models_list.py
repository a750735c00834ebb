"""List the published systems: graphs, fidelity, parameters, and operations per snippet at test time."""

from __future__ import annotations

import argparse
import json
from typing import Any

from vadkit.cli.graph_costs import Cost, count, mflop, print_unbuilt, snippet_costs
from vadkit.cli.tables import print_table
from vadkit.plugin_manager import config_folders
from vadkit.systems.card import Card, read_cards


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    cards = read_cards(config_folders())
    costs = snippet_costs([graph for card in cards.values() for graph in card.graphs])
    found = [_entry(card, graph, costs[graph]) for card in cards.values() for graph in card.graphs]
    if args.json:
        print(json.dumps(found, indent=1))
        return 0
    columns = ["system", "title", "graph", "fidelity", "parameters", "MFLOP/snippet"]
    rows = [
        [e["system"], e["title"], e["graph"], e["fidelity"], count(e["parameters"]), mflop(e["flops_per_snippet"])]
        for e in found
    ]
    print_table(columns, rows, right=("parameters", "MFLOP/snippet"))
    print_unbuilt(costs)
    print("\n'vadkit models info SYSTEM' shows one.")
    return 0


def _entry(card: Card, graph: str, cost: Cost) -> dict[str, Any]:
    facts = card.graphs[graph]
    return {
        "system": card.name,
        "title": card.title,
        "cited_as": list(card.cited_as),
        "graph": graph,
        "fidelity": facts.fidelity,
        "parameters": cost.parameters,
        "flops_per_snippet": cost.flops,
        "level": card.level,
        "supervision": card.supervision,
        "paper": card.paper,
    }
