"""Show a published system. Its figures are those that were published, each with its source; none is measured here."""

from __future__ import annotations

import argparse
import dataclasses
import json
import textwrap
from typing import Any

from vadkit.cli.graph_costs import Cost, count, mflop, print_unbuilt, snippet_costs
from vadkit.cli.tables import print_table
from vadkit.plugin_manager import config_folders
from vadkit.systems.card import STANDINGS, Block, Card, Quirk, find_card
from vadkit.systems.published import Published, figures_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="SYSTEM", help="a system of 'vadkit models list'")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    card = find_card(config_folders(), args.name)
    figures, costs = figures_of(card), snippet_costs(list(card.graphs))
    if args.json:
        print(json.dumps(_facts(card, figures, costs), indent=1))
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
    if figures:
        _print_figures(card, figures)
    return 0


def _facts(card: Card, figures: list[Published], costs: dict[str, Cost]) -> dict[str, Any]:
    facts = dataclasses.asdict(card)
    graphs = {
        name: {**dataclasses.asdict(g), "ours": costs[name].parameters, "flops_per_snippet": costs[name].flops}
        for name, g in card.graphs.items()
    }
    published = [{**dataclasses.asdict(f), **dataclasses.asdict(f.figure)} for f in figures]
    for entry in published:
        del entry["figure"]
    return {**facts, "file": str(card.file), "graphs": graphs, "published": published}


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


def _print_figures(card: Card, figures: list[Published]) -> None:
    print("\npublished figures, none of them measured here:")
    rows = [
        [f.dataset, f.metric, f"{f.value:g} {f.unit}", f.features or f.modality, f.figure.level, f.figure.supervision]
        + [f"{f.origin} ({f.status})", f.figure.graph or ""]
        for f in figures
    ]
    print_table(["data set", "metric", "value", "features", "level", "supervision", "source", "graph"], rows)
    for figure in figures:
        if figure.figure.protocol != card.protocol:
            print(f"  {figure.figure.id}: {figure.figure.protocol}")
