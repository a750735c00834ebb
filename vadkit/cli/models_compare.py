"""Put systems next to one another: fidelity, size, operations, and their figures.

A column holds figures of one data set, metric and level; published and measured ones are in tables of their own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from vadkit.cli.book_rows import Row, add_results, cell, floors, rows_of, short_title, whole_book
from vadkit.cli.completion import system_names
from vadkit.cli.graph_costs import count, mflop, print_unbuilt
from vadkit.cli.tables import print_table
from vadkit.problems import VadkitError, unknown
from vadkit.systems.book import Book, columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    names = parser.add_argument(
        "names", nargs="+", metavar="SYSTEM|GRAPH", help="a system, with all graphs, or a graph"
    )
    names.completer = system_names  # type: ignore[attr-defined]
    add_results(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    book = whole_book(args.results)
    graphs = _graphs(book, args.names)
    rows = sorted(rows_of(book, graphs), key=lambda row: graphs.index(row.graph))
    if args.json:
        print(json.dumps([row.facts() for row in rows], indent=1))
        return 0
    facts = ["graph", "system", "fidelity", "modalities", "level", "labels", "parameters", "MFLOP/snippet"]
    print_table(facts, [_facts(row) for row in rows], right=("parameters", "MFLOP/snippet"))
    print_unbuilt({row.graph: row.cost for row in rows})
    _print_figures(rows, "published")
    _print_figures(rows, "measured")
    return 0


def _graphs(book: Book, names: Sequence[str]) -> list[str]:
    """Return the graphs that are named. Raises VadkitError for each name that is neither a system nor a graph."""
    known = [*book.cards, *(graph for card in book.cards.values() for graph in card.graphs)]
    wrong = [name for name in names if name not in known]
    if wrong:
        raise VadkitError([unknown(name, known, "system or graph") for name in wrong])
    return [graph for name in names for graph in (book.cards[name].graphs if name in book.cards else [name])]


def _facts(row: Row) -> list[str]:
    own = [row.graph, row.card.name, row.fidelity, "+".join(row.modalities), row.card.level, row.card.supervision]
    return [*own, count(row.cost.parameters), mflop(row.cost.flops)]


def _print_figures(rows: Sequence[Row], kind: str) -> None:
    found = [column for column in columns(e for row in rows for e in row.entries) if column.kind == kind]
    if not found:
        print(f"\nno {kind} figures")
        return
    print(f"\n{kind} figures, in percent:")
    titles = [short_title(column.key) for column in found]
    cells = [[row.graph, *(cell(column.cell(row.card.name, row.graph)) for column in found)] for row in rows]
    print_table(["graph", *titles], cells, right=titles)
    for row in rows:
        for entry in row.entries:
            if entry.result.kind == kind and (text := floors(entry)):
                print(f"  {row.graph}, {entry.result.name}: scores that know nothing reach {text}")
