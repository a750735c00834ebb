"""Show a published system: what is certain, guessed and unusual, and its figures, published and measured apart."""

from __future__ import annotations

import argparse
import dataclasses
import json
import textwrap
from collections.abc import Sequence
from typing import Any

from vadkit.cli.book_rows import entry_facts, floors, value
from vadkit.cli.completion import system_names
from vadkit.cli.graph_costs import Cost, count, mflop, print_unbuilt, snippet_costs
from vadkit.cli.tables import print_table
from vadkit.graph.wording import shorten
from vadkit.plugin_manager import config_folders
from vadkit.systems.book import Entry, lists, make_book
from vadkit.systems.card import STANDINGS, Block, Card, Quirk, find_card
from vadkit.systems.result import METRICS, read_results

KINDS = ("published", "measured")
PAPER = 40  # characters of it that a table shows
CELLS = ("result", "data set", "metric", "value", "features", "labels", "graph")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="SYSTEM", help="a system of 'vadkit models list'").completer = system_names  # type: ignore[attr-defined]
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    card = find_card(config_folders(), args.name)
    entries = make_book({card.name: card}, read_results(config_folders(), card.name)).entries.get(card.name, ())
    costs = snippet_costs(list(card.graphs))
    if args.json:
        print(json.dumps(_facts(card, entries, costs), indent=1))
        return 0
    print(f"{card.name}: {card.title}\n\n{card.paper}")
    if card.code:
        print(f"code: {card.code}")
    names = f"   official names: {card.names}" if card.names_file.is_file() else ""
    print(f"scores: {card.level}   supervision: {card.supervision}{names}\n")
    rows = [
        [name, f.fidelity, count(costs[name].parameters), count(f.parameters), f"{f.unused:,}"]
        + [mflop(costs[name].flops)]
        for name, f in card.graphs.items()
    ]
    columns = ["graph", "fidelity", "parameters", "of the authors", "unused", "MFLOP/snippet"]
    print_table(columns, rows, right=columns[2:])
    print_unbuilt(costs)
    _print_texts(card)
    _print_figures(entries)
    return 0


def _facts(card: Card, entries: Sequence[Entry], costs: dict[str, Cost]) -> dict[str, Any]:
    facts = dataclasses.asdict(card)
    graphs = {
        name: {**dataclasses.asdict(g), "ours": costs[name].parameters, "flops_per_snippet": costs[name].flops}
        for name, g in card.graphs.items()
    }
    found = {kind: [entry_facts(entry) for entry in entries if entry.result.kind == kind] for kind in KINDS}
    return {**facts, "file": str(card.file), "graphs": graphs, **found}


def _print_texts(card: Card) -> None:
    _print_list("protocol", [card.protocol])
    _print_list("certain", card.certain)
    for standing in STANDINGS:
        of_it = [block for block in card.blocks if block.standing == standing]
        _print_list(f"{standing}, block by block", [_block(block) for block in of_it])
    _print_list("guesses", card.guesses)
    _print_list("quirks", [f"{q.what}{_graphs(q)}.{_changes('Off', q)}" for q in card.quirks])


def _block(block: Block) -> str:
    source = f" ({block.source})" if block.source else ""
    return f"{block.block}{_graphs(block)}: {block.what}{source}.{_changes('Otherwise', block)}"


def _graphs(item: Block | Quirk) -> str:
    return f" ({', '.join(item.graphs)})" if item.graphs else ""


def _changes(word: str, item: Block | Quirk) -> str:
    return f" {word}: {' '.join(f'--set {change}' for change in item.switch)}" if item.switch else ""


def _print_list(title: str, texts: Any) -> None:
    if texts:
        print(f"\n{title}:")
    for text in texts:
        print(textwrap.fill(" ".join(text.split()), 110, initial_indent="  - ", subsequent_indent="    "))


def _print_figures(entries: Sequence[Entry]) -> None:
    for kind, level, own in lists(entries):
        how = "none of them measured here" if kind == "published" else "each with the record of its runs"
        print(f"\n{kind} figures, {level} level, in percent, {how}:")
        added = ["source", "status"] if kind == "published" else ["floors", "record"]
        rows = [[*_cells(entry), *_origin(entry)] for entry in own]
        print_table([*CELLS, *added], rows, right=("value",))
    for entry in entries:
        for text in filter(None, (entry.remark, entry.result.note)):
            print(textwrap.fill(f"{entry.result.name}: {text}", 110, initial_indent="  ", subsequent_indent="    "))


def _cells(entry: Entry) -> list[str]:
    r = entry.result
    names = [r.name, r.dataset, METRICS[r.metric], value(entry), r.features or "+".join(r.modalities)]
    return [*names, r.supervision, entry.graph or ""]


def _origin(entry: Entry) -> list[str]:
    source = entry.result.source
    if source is None:
        return [floors(entry), str(entry.result.record)]
    return [f"{source.where}; {shorten(source.paper, PAPER)}", source.status]
