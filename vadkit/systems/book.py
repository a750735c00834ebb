"""The results book: which results are of which system and graph, and the columns in which they may be shown.

A ``Column`` holds figures that can be compared: of one data set, metric and level, and all published or all measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vadkit.problems import Problem, VadkitError, fail, unknown
from vadkit.systems.card import LEVELS, Card, Reference, read_cards
from vadkit.systems.result import METRICS, STATUSES, Result, read_result, read_results

TOGETHER = {"kind": "published and measured", "level": "levels", "dataset": "data sets", "metric": "metrics"}
ORDER = {status: place for place, status in enumerate(STATUSES)}


@dataclass(frozen=True)
class Entry:
    """A result as it is shown: of which graph, and what the card adds to it."""

    result: Result
    graph: str | None = None
    remark: str | None = None


@dataclass(frozen=True)
class Book:
    """All cards, and the entries of each system by its name; systems without a card have entries, too."""

    cards: Mapping[str, Card]
    entries: Mapping[str, Sequence[Entry]]

    def of_graph(self, card: Card, graph: str) -> list[Entry]:
        """Return the entries that are of a graph."""
        return [entry for entry in self.entries.get(card.name, ()) if entry.graph == graph]


@dataclass(frozen=True)
class Column:
    """Figures that may be compared. Raises VadkitError for any that differ in what ``TOGETHER`` names."""

    entries: Sequence[Entry]
    kind: str = field(init=False)
    dataset: str = field(init=False)
    metric: str = field(init=False)
    level: str = field(init=False)

    def __post_init__(self) -> None:
        results = [entry.result for entry in self.entries]
        for key, what in TOGETHER.items():
            found = list(dict.fromkeys(getattr(result, key) for result in results))
            if len(found) != 1:
                first = [next(r for r in results if getattr(r, key) == value) for value in found[:2]]
                named = " and ".join(f"{r.system}/{r.name} ({getattr(r, key)})" for r in first)
                fail(f"one column cannot mix {what}: {named}" if found else "a column needs figures")
            object.__setattr__(self, key, found[0])

    @property
    def title(self) -> str:
        """What the column holds, in words."""
        return f"{self.dataset} {METRICS[self.metric]}, {self.level} level, {self.kind}"

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells the column apart from others."""
        return self.dataset, self.metric, self.level, self.kind

    def cell(self, system: str, graph: str | None) -> list[Entry]:
        """Return the entries of a graph, or of none, the authors' own first."""
        own = [entry for entry in self.entries if entry.result.system == system and entry.graph == graph]
        return sorted(own, key=lambda entry: ORDER.get(entry.result.source.status, 0) if entry.result.source else 0)


def columns(entries: Iterable[Entry]) -> list[Column]:
    """Return the columns of entries, by data set, metric, level and kind, the published one before the measured."""
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        r = entry.result
        groups.setdefault((r.dataset, r.metric, r.level, r.kind), []).append(entry)
    places = list(METRICS)
    by_name = sorted(groups, key=lambda k: (k[0], places.index(k[1]), k[2], k[3] != "published"))
    return [Column(groups[key]) for key in by_name]


def lists(entries: Iterable[Entry]) -> list[tuple[str, str, list[Entry]]]:
    """Return the entries that one list of figures may hold, each with its kind and level, published ones first."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.result.kind, entry.result.level), []).append(entry)
    by_name = sorted(groups, key=lambda key: (key[0] != "published", LEVELS.index(key[1])))
    return [(kind, level, groups[kind, level]) for kind, level in by_name]


def read_book(folders: Iterable[Path], more: Iterable[Path] = ()) -> Book:
    """Return the book of folders of configs; ``more`` are folders of results, each with a folder per system.

    Raises VadkitError for a wrong card or result, and a reference of a card to no result.
    """
    folders = list(folders)
    own = [read_result(file) for folder in more for file in sorted(folder.glob("*/*.yaml"))]
    return make_book(read_cards(folders), [*read_results(folders), *own])


def make_book(cards: Mapping[str, Card], results: Sequence[Result]) -> Book:
    """Return the book of cards and results. Raises VadkitError for a reference of a card to no result."""
    by_system: dict[str, list[Result]] = {}
    for result in results:
        by_system.setdefault(result.system, []).append(result)
    problems: list[Problem] = []
    entries = {}
    for system, own in by_system.items():
        card = cards.get(system)
        problems += _unused_references(card, own) if card else []
        entries[system] = [_entry(result, card) for result in own]
    for card in cards.values():
        problems += _unused_references(card, []) if card.name not in by_system else []
    if problems:
        raise VadkitError(problems)
    return Book(cards, entries)


def _entry(result: Result, card: Card | None) -> Entry:
    if result.record is not None:
        return Entry(result, result.graph or None)
    found = [reference for reference in card.published if refers(reference, result)] if card else []
    whole = next((r for r in found if r.id == result.name), found[0] if found else None)
    return Entry(result, whole.graph, whole.protocol) if whole else Entry(result)


def refers(reference: Reference, result: Result) -> bool:
    """Return whether a card's reference is to a result: to its name, or to the part of it before the first "_"."""
    return result.record is None and reference.id in (result.name, result.name.partition("_")[0])


def _unused_references(card: Card, results: Sequence[Result]) -> list[Problem]:
    names = [result.name for result in results if result.record is None]
    known = list(dict.fromkeys([*(name.partition("_")[0] for name in names), *names]))
    return [
        unknown(reference.id, known, "result", f"of '{card.name}' in {card.file}")
        for reference in card.published
        if not any(refers(reference, result) for result in results)
    ]
