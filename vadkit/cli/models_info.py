"""Show a published system. Its figures are those that were published, each with its source; none is measured here."""

from __future__ import annotations

import argparse
import dataclasses
import json
import textwrap
from typing import Any

from vadkit.cli.graph_costs import mflop, print_unbuilt, snippet_costs
from vadkit.cli.tables import print_table
from vadkit.plugin_manager import config_folders
from vadkit.systems.card import Card, find_card
from vadkit.systems.published import Published, figures_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="SYSTEM", help="a system of 'vadkit models list'")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    card = find_card(config_folders(), args.name)
    figures, costs = figures_of(card), snippet_costs(list(card.graphs))
    if args.json:
        flops = {graph: cost.flops for graph, cost in costs.items()}
        print(json.dumps(_facts(card, figures, flops), indent=1))
        return 0
    print(f"{card.name}: {card.title}\n\n{card.paper}")
    if card.code:
        print(f"code: {card.code}")
    print(f"scores: {card.level}   supervision: {card.supervision}   official names: {card.names}\n")
    rows = [
        [name, f.fidelity, f"{f.ours:,}", f"{f.parameters:,}", f"{f.unused:,}", mflop(costs[name].flops)]
        for name, f in card.graphs.items()
    ]
    columns = ["graph", "fidelity", "parameters", "of the authors", "unused", "MFLOP/snippet"]
    print_table(columns, rows, right=columns[2:])
    print_unbuilt(costs)
    _print_texts(card)
    if figures:
        _print_figures(card, figures)
    return 0


def _facts(card: Card, figures: list[Published], flops: dict[str, float | None]) -> dict[str, Any]:
    facts = dataclasses.asdict(card)
    graphs = {
        name: {**dataclasses.asdict(g), "ours": g.ours, "flops_per_snippet": flops[name]}
        for name, g in card.graphs.items()
    }
    published = [{**dataclasses.asdict(f), **dataclasses.asdict(f.figure)} for f in figures]
    for entry in published:
        del entry["figure"]
    return {**facts, "file": str(card.file), "graphs": graphs, "published": published}


def _print_texts(card: Card) -> None:
    _print_list("protocol", [card.protocol])
    _print_list("certain", card.certain)
    _print_list("guesses", card.guesses)
    quirks = []
    for quirk in card.quirks:
        switch = f" Off: {' '.join(f'--set {change}' for change in quirk.switch)}" if quirk.switch else ""
        where = f" ({', '.join(quirk.graphs)})" if quirk.graphs else ""
        quirks.append(f"{quirk.what}{where}.{switch}")
    _print_list("quirks", quirks)


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
