"""The rows of the results book, each graph of each system with its costs and results, and the filters of rows."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vadkit.cli.graph_costs import Cost, snippet_costs
from vadkit.plugin_manager import config_folders
from vadkit.problems import VadkitError, fail, unknown
from vadkit.systems.book import Book, Entry, read_book
from vadkit.systems.card import FIDELITIES, LEVELS, Card
from vadkit.systems.result import METRICS, MODALITIES, modalities

DATA_SETS = {"xd_violence": "XD-Violence", "ucf_crime": "UCF-Crime", "shanghaitech": "ShanghaiTech"}
CHANGED = ("nodes", "losses", "output")  # sections that make a graph another one


@dataclass(frozen=True)
class Row:
    """A graph of a system."""

    card: Card
    graph: str
    cost: Cost
    entries: Sequence[Entry]

    @property
    def modalities(self) -> list[str]:
        return modalities(self.cost.inputs)

    @property
    def dataset(self) -> str | None:
        """The data set that the graph is for, by the store that it reads."""
        return DATA_SETS.get(self.cost.store)

    @property
    def datasets(self) -> list[str]:
        """The data sets that it is for, or that it has results on."""
        found = [self.dataset, *(entry.result.dataset for entry in self.entries)]
        return sorted({name for name in found if name})

    @property
    def fidelity(self) -> str:
        return self.card.graphs[self.graph].fidelity

    def facts(self) -> dict[str, Any]:
        """Return the row as plain data."""
        card, cost = self.card, self.cost
        return {
            "system": card.name,
            "title": card.title,
            "cited_as": list(card.cited_as),
            "graph": self.graph,
            "fidelity": self.fidelity,
            "dataset": self.dataset,
            "modalities": self.modalities,
            "parameters": cost.parameters,
            "flops_per_snippet": cost.flops,
            "level": card.level,
            "supervision": card.supervision,
            "paper": card.paper,
            "card": str(card.file),
            "published": [entry_facts(e) for e in self.entries if e.result.source],
            "measured": [entry_facts(e) for e in self.entries if e.result.record],
        }


def entry_facts(entry: Entry) -> dict[str, Any]:
    """Return a result as plain data: all that its file says, its graph, and what the card adds."""
    facts = dataclasses.asdict(entry.result)
    del facts["record" if entry.result.source else "source"]
    return {**facts, "graph": entry.graph, "remark": entry.remark, "kind": entry.result.kind}


def add_results(parser: argparse.ArgumentParser) -> None:
    """Take ``--results``."""
    parser.add_argument("--results", type=Path, metavar="DIR", help="a folder of results of 'vadkit models record'")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Take the filters of the list."""
    parser.add_argument("--dataset", metavar="NAME", help="graphs for a data set, or with results on it")
    parser.add_argument("--modality", metavar="A,B,...", help=f"graphs that use all of these: {', '.join(MODALITIES)}")
    parser.add_argument("--fidelity", choices=FIDELITIES, help="graphs of this fidelity")
    parser.add_argument("--level", choices=LEVELS, help="systems that score this")
    add_results(parser)


def whole_book(results: Path | None = None) -> Book:
    """Return the book of vadkit and its plugins, and of a folder of results. Raises VadkitError."""
    if results is not None and not results.is_dir():
        fail(f"there is no folder {results}", "give the --out of a 'vadkit models record'")
    return read_book(config_folders(), [] if results is None else [results])


def rows_of(book: Book, graphs: Sequence[str] | None = None) -> list[Row]:
    """Return the rows of all graphs, or of some, in the order of the cards."""
    wanted = [(card, graph) for card in book.cards.values() for graph in card.graphs if not graphs or graph in graphs]
    costs = snippet_costs([graph for _, graph in wanted])
    return [Row(card, graph, costs[graph], book.of_graph(card, graph)) for card, graph in wanted]


def filtered(rows: Sequence[Row], args: argparse.Namespace) -> list[Row]:
    """Return the rows that the filters leave. Raises VadkitError for a data set or modality that no row has."""
    dataset = _named(args.dataset, {name for row in rows for name in row.datasets}) if args.dataset else None
    wanted = args.modality.split(",") if args.modality else []
    if wrong := [name for name in wanted if name not in MODALITIES]:
        raise VadkitError([unknown(name, MODALITIES, "modality") for name in wrong])
    return [
        row
        for row in rows
        if (dataset is None or dataset in row.datasets)
        and set(wanted) <= set(row.modalities)
        and args.fidelity in (None, row.fidelity)
        and args.level in (None, row.card.level)
    ]


def _named(name: str, known: set[str]) -> str:
    """Return the data set that a name means: in any case, with or without signs, or its beginning."""
    plain = {_plain(each): each for each in sorted(known)}
    found = [each for key, each in plain.items() if key.startswith(_plain(name))]
    if len(found) == 1 or _plain(name) in plain:
        return plain.get(_plain(name)) or found[0]
    raise VadkitError([unknown(name, sorted(known), "data set", "of the book")])


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def value(entry: Entry) -> str:
    """Return a figure in percent, with its spread over seeds."""
    spread = entry.result.spread
    return f"{entry.result.percent:.2f}" + ("" if spread is None else f" +- {spread:.2f}")


def floors(entry: Entry) -> str:
    """Return what scores that know nothing reach, in percent; a constant score mostly equals chance."""
    own = entry.result.floors
    kept = {name: floor for name, floor in own.items() if name != "constant" or floor != own.get("chance")}
    return ", ".join(f"{name.replace('_', ' ')} {floor:.2f}" for name, floor in kept.items())


def changes(entry: Entry) -> list[str]:
    """Return the sections in which a measured graph is another one than that of the card."""
    record = entry.result.record
    return [section for section in CHANGED if record and section in record.changed]


def cell(entries: Sequence[Entry]) -> str:
    """Return what a table shows of the figures of one graph in one column.

    Different published figures are all shown, the authors' own first. Of measured ones those of the graph itself count;
    if there are only others, a single one is marked, and several are counted.
    """
    own = [entry for entry in entries if not changes(entry)]
    if own:
        return " / ".join(dict.fromkeys(map(value, own)))
    if len(entries) == 1:
        return f"{value(entries[0])} ({', '.join(changes(entries[0]))} changed)"
    return f"{len(entries)} variants" if entries else ""


def short_title(key: tuple[str, str, str, str]) -> str:
    """Return the title of a column in a table of published, or of measured, figures."""
    dataset, metric, level, _ = key
    return f"{dataset} {METRICS[metric]} ({level})"
