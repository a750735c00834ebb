"""List the published systems: graphs, fidelity, parameters, and operations per snippet at test time."""

from __future__ import annotations

import argparse
import json

from vadkit.cli.book_rows import add_filters, filtered, rows_of, whole_book
from vadkit.cli.graph_costs import count, mflop, print_unbuilt
from vadkit.cli.tables import print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_filters(parser)
    parser.add_argument("--json", action="store_true", help="print JSON: each graph with its figures")


def run(args: argparse.Namespace) -> int:
    rows = filtered(rows_of(whole_book(args.results)), args)
    if args.json:
        print(json.dumps([row.facts() for row in rows], indent=1))
        return 0
    columns = ["system", "title", "graph", "fidelity", "modalities", "parameters", "MFLOP/snippet"]
    shown = [
        [row.card.name, row.card.title, row.graph, row.fidelity, "+".join(row.modalities)]
        + [count(row.cost.parameters), mflop(row.cost.flops)]
        for row in rows
    ]
    if not rows:
        print("no graph is left by the filters")
        return 0
    print_table(columns, shown, right=("parameters", "MFLOP/snippet"))
    print_unbuilt({row.graph: row.cost for row in rows})
    print("\n'vadkit models info SYSTEM' shows one, 'compare' several with their figures, 'page' all of them.")
    return 0
