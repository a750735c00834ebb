"""The results book as a page: what its template shows, from the rows of the book and the cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vadkit.cli.book_rows import Row, cell, changes, floors, rows_of, value
from vadkit.cli.graph_costs import count, mflop
from vadkit.report import Point, render, scatter
from vadkit.systems.book import Book, Column, Entry, columns, lists
from vadkit.systems.card import FIDELITIES, LEVELS, STANDINGS, SUPERVISION, Card
from vadkit.systems.result import METRICS, MODALITIES, PROTOCOL

MAIN = ("ap", "auc")  # metrics of the table; a system's own list has all
FEW = 2  # graphs that a column needs, unless it is the only one of its data set, level and kind
LEAST = 3  # points of a chart
NONE = "no graph here"
Facts = dict[str, Any]


@dataclass(frozen=True)
class _Line:
    """A row of the table: a graph, or the figures of a system of which there is no graph."""

    system: str
    title: str
    entries: Sequence[Entry]
    row: Row | None = None
    has_card: bool = True

    def cells(self, column: Column) -> list[Entry]:
        return column.cell(self.system, self.row.graph if self.row else None)


def book_page(book: Book) -> str:
    """Return the page as HTML."""
    rows = rows_of(book)
    lines = _lines(book, rows)
    shown = _shown(columns(entry for line in lines for entry in line.entries))
    kinds = [(kind, sum(column.kind == kind for column in shown)) for kind in ("published", "measured")]
    return render(
        "book.html",
        title="Results book",
        rows=[_row(line, shown) for line in lines],
        columns=[_head(column) for column in shown],
        kinds=[(kind, number) for kind, number in kinds if number],
        charts=_charts(rows, shown),
        systems=[_system(card, book.entries.get(card.name, ())) for card in book.cards.values()],
        filters=_filters(lines),
    )


def _lines(book: Book, rows: Sequence[Row]) -> list[_Line]:
    """Return a line per graph, and one per system with figures that are of no graph."""
    found = []
    for card in book.cards.values():
        found += [_Line(card.name, card.title, row.entries, row) for row in rows if row.card is card]
        found += _loose(card.name, card.title, book.entries.get(card.name, ()))
    for system in sorted(book.entries.keys() - book.cards.keys()):
        found += _loose(system, system, book.entries[system], has_card=False)
    return found


def _loose(system: str, title: str, entries: Sequence[Entry], has_card: bool = True) -> list[_Line]:
    own = [entry for entry in entries if entry.graph is None]
    return [_Line(system, title, own, has_card=has_card)] if own else []


def _shown(found: Sequence[Column]) -> list[Column]:
    """Return the columns of the table: the published ones first."""
    main = [column for column in found if column.metric in MAIN]

    def alone(column: Column) -> bool:
        key = (column.dataset, column.level, column.kind)
        return [(c.dataset, c.level, c.kind) for c in main].count(key) == 1

    kept = [c for c in main if alone(c) or len({(e.result.system, e.graph) for e in c.entries}) >= FEW]
    return sorted(kept, key=lambda column: column.kind != "published")


def _head(column: Column) -> Facts:
    return {
        "title": f"{column.dataset} {METRICS[column.metric]}",
        "level": column.level,
        "kind": column.kind,
        "dataset": column.dataset,
    }


def _row(line: _Line, shown: Sequence[Column]) -> Facts:
    row = line.row
    found = [line.cells(column) for column in shown]
    datasets = row.datasets if row else sorted({entry.result.dataset for entry in line.entries})
    used = row.modalities if row else sorted({name for e in line.entries for name in e.result.modalities})
    levels = [row.card.level] if row else sorted({entry.result.level for entry in line.entries})
    return {
        "system": line.system,
        "title": line.title,
        "has_card": line.has_card,
        "graph": row.graph if row else NONE,
        "fidelity": row.fidelity if row else "",
        "modalities": used,
        "supervision": row.card.supervision if row else ", ".join(sorted({e.result.supervision for e in line.entries})),
        "levels": levels,
        "datasets": datasets,
        "parameters": count(row.cost.parameters) if row else "",
        "parameters_value": row.cost.parameters if row else None,
        "mflop": mflop(row.cost.flops) if row else "",
        "flops": row.cost.flops if row else None,
        "cells": [_cell(entries) for entries in found],
    }


def _cell(entries: Sequence[Entry]) -> Facts:
    kept = _counted(entries)
    below = next((text for text in map(floors, kept) if text), "")
    text = cell(entries).replace("+-", "\u00b1")
    return {"text": text, "value": kept[0].result.percent if kept else None, "floors": below}


def _counted(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries whose figure a cell shows."""
    own = [entry for entry in entries if not changes(entry)]
    return own or (list(entries) if len(entries) == 1 else [])


# -- the charts ----------------------------------------------------------------------------------
def _charts(rows: Sequence[Row], shown: Sequence[Column]) -> list[Facts]:
    """Return the two charts of each column and kind of labels with enough points, the fullest first."""
    found = []
    for column in shown:
        points = [(row, kept[0]) for row in rows if (kept := _counted(column.cell(row.card.name, row.graph)))]
        for labels in SUPERVISION:
            own = [(row, entry) for row, entry in points if entry.result.supervision == labels]
            if len(own) >= LEAST:
                pair = [_chart(own, column, name) for name in ("parameters", "MFLOP per snippet")]
                title = f"{column.title}, {labels} labels"
                found.append({"title": title, "charts": pair, "points": len(own)})
    return sorted(found, key=lambda chart: -chart["points"])


def _chart(points: Sequence[tuple[Row, Entry]], column: Column, cost: str) -> str:
    drawn = []
    for row, entry in points:
        flops = row.cost.flops
        x = row.cost.parameters if cost == "parameters" else None if flops is None else flops / 1e6
        known = float("nan") if x is None else float(x)
        drawn.append(Point(row.graph, known, entry.result.percent, entry.result.spread or 0.0))
    label = METRICS[column.metric]
    return scatter(drawn, x_label=cost, y_label=label, title=f"{label} against {cost}", front=True, x_log=True)


# -- the systems ---------------------------------------------------------------------------------
def _system(card: Card, entries: Sequence[Entry]) -> Facts:
    return {
        "name": card.name,
        "title": card.title,
        "facts": [(what, text) for what, text in _about(card) if text],
        "graphs": [(graph, facts.fidelity) for graph, facts in card.graphs.items()],
        "lists": [(title, texts) for title, texts in _lists(card) if texts],
        "figures": [
            (f"{kind.capitalize()} figures, {level} level", [FIGURES[kind](entry) for entry in own])
            for kind, level, own in lists(entries)
        ],
    }


def _about(card: Card) -> list[tuple[str, str]]:
    return [
        ("paper", card.paper),
        ("cited as", "; ".join(card.cited_as)),
        ("code", card.code),
        ("protocol", card.protocol),
        ("scores", card.level),
        ("labels", card.supervision),
    ]


def _lists(card: Card) -> list[tuple[str, list[Facts]]]:
    """Return what is certain, guessed and unusual: each a text, the graphs it is of, and what changes it."""
    found = [("Certain", [_item(text) for text in card.certain])]
    for standing in STANDINGS:
        of_it = [block for block in card.blocks if block.standing == standing]
        found.append((f"{standing.capitalize()}, block by block", [
            _item(f"{b.block}: {b.what}" + (f" ({b.source})" if b.source else ""), b.graphs, b.switch) for b in of_it
        ]))  # fmt: skip
    found.append(("Guesses", [_item(text) for text in card.guesses]))
    found.append(("Quirks", [_item(quirk.what, quirk.graphs, quirk.switch) for quirk in card.quirks]))
    return found


def _item(text: str, graphs: Sequence[str] = (), switch: Sequence[str] = ()) -> Facts:
    return {"text": text, "graphs": ", ".join(graphs), "switch": " ".join(f"--set {change}" for change in switch)}


def _figure(entry: Entry) -> Facts:
    r = entry.result
    return {
        "data set": r.dataset,
        "metric": METRICS[r.metric],
        "percent": value(entry).replace("+-", "\u00b1"),
        "labels": r.supervision,
        "features": r.features or "+".join(r.modalities),
        "graph": entry.graph or "none here",
    }


def _published(entry: Entry) -> Facts:
    source = entry.result.source
    assert source is not None
    remarks = "; ".join(filter(None, (entry.result.variant, entry.remark, entry.result.note)))
    where = {"source": f"{source.where} of: {source.paper}", "status": source.status.replace("_", " ")}
    return {**_figure(entry), **where, "protocol": _protocol(entry), "remarks": remarks}


def _measured(entry: Entry) -> Facts:
    record = entry.result.record
    assert record is not None
    facts = {"variant": entry.result.variant or "as it is", **_figure(entry)}
    runs = {"floors": floors(entry) or "not measured", "changed": ", ".join(record.changed), "runs": str(record)}
    more = {"features as": record.recipe, "protocol": _protocol(entry), "remarks": entry.result.note}
    return {**facts, **runs, **more}


FIGURES = {"published": _published, "measured": _measured}


def _protocol(entry: Entry) -> str:
    known = {key: entry.result.protocol[key] for key in PROTOCOL if entry.result.protocol[key] != "unknown"}
    return "; ".join(f"{key.replace('_', ' ')}: {text}" for key, text in known.items()) or "unknown"


# -- the filters ---------------------------------------------------------------------------------
def _filters(lines: Sequence[_Line]) -> list[tuple[str, str, list[str]]]:
    """Return the menus: an id, a label and the choices that the table has."""
    rows = [line.row for line in lines if line.row]
    datasets = {name for line in lines for e in line.entries for name in [e.result.dataset]}
    datasets |= {name for row in rows for name in row.datasets}
    used = {name for row in rows for name in row.modalities}
    levels = {entry.result.level for line in lines for entry in line.entries} | {row.card.level for row in rows}
    return [
        ("dataset", "Data set", sorted(datasets)),
        ("modality", "Modality", [name for name in MODALITIES if name in used]),
        ("level", "Level", [name for name in LEVELS if name in levels]),
        ("fidelity", "Fidelity", [name for name in FIDELITIES if name in {row.fidelity for row in rows}]),
    ]
