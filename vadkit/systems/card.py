"""The card of a published system: its graphs, how faithful each is, what is certain, guessed or unusual, its figures.

A card is ``systems/NAME.yaml`` in a folder of configs, of vadkit or of a plugin. ``KEYS`` describes its keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadkit.plugin_manager import CARDS
from vadkit.problems import Problems, VadkitError, fail, unknown
from vadkit.systems.checked_file import (
    Key,
    check,
    count,
    dotted,
    mapping,
    one_of,
    read_tree,
    sequence,
    text,
    texts,
    without_empty,
)

WHAT = "a card"
STANDINGS = ("certain", "likely", "guess")
FIDELITIES = ("official", "code", "paper", "reconstruction", "ours")
LEVELS = ("frame", "video", "event")
SUPERVISION = ("video", "glance", "none")

KEYS: dict[str, dict[str, Key]] = {
    "": {
        "title": Key("text", text, "what the system is called", required=True),
        "paper": Key("text", text, "authors, title, where and when", required=True),
        "code": Key("text", text, "the authors' code that it was compared with: repository and commit"),
        "cited_as": Key("a list of texts", texts, "what the rows of the paper's tables, or its text, call it"),
        "graphs": Key("a mapping from graph to its facts", mapping, "", required=True),
        "names": Key("the name of a table in names/", text, "the table of official names; default: the card's name"),
        "level": Key(*one_of(*LEVELS), "what its figures score, unless a figure says otherwise", required=True),
        "supervision": Key(*one_of(*SUPERVISION), "the labels that it is trained with", required=True),
        "protocol": Key("text", text, "how the authors train and test it", required=True),
        "certain": Key("a list of texts", texts, "what was checked, and against what"),
        "blocks": Key("a list of mappings", sequence, "block by block, how sure it is that it is as published"),
        "guesses": Key("a list of texts", texts, "what neither paper nor code says, and what is done here"),
        "quirks": Key("a list of mappings", sequence, "what the authors' code does, intended or not"),
        "published": Key("a list of mappings", sequence, "which results of results/ are of which graph"),
    },
    "graphs": {
        "fidelity": Key(*one_of(*FIDELITIES), "how faithful it is", required=True),
        "parameters": Key("a whole number", count, "of the authors' network; left out where it was not published"),
        "unused": Key("a whole number", count, "of these, those that no forward pass of the authors uses; default: 0"),
        "set": Key("a list of texts", texts, "changes under which the counts hold"),
    },
    "blocks": {
        "block": Key("text", text, "a short name, one of this card", required=True),
        "what": Key("text", text, "what it computes", required=True),
        "standing": Key(*one_of(*STANDINGS), "how sure it is", required=True),
        "source": Key("text", text, "equation, figure, section or code that states it; a certain block needs one"),
        "switch": Key("a change as --set takes it, or a list of such", lambda v: text(v) or texts(v), "another way"),
        "graphs": Key("a list of texts", texts, "the graphs that have it; default: all"),
    },
    "quirks": {
        "what": Key("text", text, "what it does", required=True),
        "switch": Key("a change as --set takes it, or a list of such", lambda v: text(v) or texts(v), "turns it off"),
        "graphs": Key("a list of texts", texts, "the graphs that have it; default: all"),
    },
    "published": {
        "id": Key("text", text, "a result of results/, by its name or by the part before its first '_'", required=True),
        "graph": Key("text", text, "the graph that it is of"),
        "protocol": Key("text", text, "how it was had, if that differs from the card's"),
    },
}


@dataclass(frozen=True)
class GraphFacts:
    """What a card states of one graph."""

    fidelity: str
    parameters: int | None = None  # of the authors; None where they are not published
    unused: int = 0
    set: tuple[str, ...] = ()

    @property
    def ours(self) -> int | None:
        """The parameters of our graph, as far as they follow from the authors'."""
        return None if self.parameters is None else self.parameters - self.unused


@dataclass(frozen=True)
class Block:
    """A part of a system that no code of its authors settles: how sure it is, and another guess."""

    block: str
    what: str
    standing: str
    source: str = ""
    switch: tuple[str, ...] = ()
    graphs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quirk:
    """What the authors' code does, and the changes that switch it off."""

    what: str
    switch: tuple[str, ...] = ()
    graphs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reference:
    """A published result, by its name or the part before its first "_", and what the card adds to it."""

    id: str
    graph: str | None = None
    protocol: str | None = None


@dataclass(frozen=True)
class Card:
    """A published system."""

    name: str
    file: Path
    title: str
    paper: str
    graphs: Mapping[str, GraphFacts]
    names: str
    level: str
    supervision: str
    protocol: str
    code: str = ""
    cited_as: Sequence[str] = field(default_factory=tuple)
    certain: Sequence[str] = field(default_factory=tuple)
    blocks: Sequence[Block] = field(default_factory=tuple)
    guesses: Sequence[str] = field(default_factory=tuple)
    quirks: Sequence[Quirk] = field(default_factory=tuple)
    published: Sequence[Reference] = field(default_factory=tuple)

    @property
    def names_file(self) -> Path:
        """The table of official names; there is none for a system whose code was never published."""
        return self.file.parent.parent / "names" / f"{self.names}.txt"


def card_files(folders: Iterable[Path]) -> list[Path]:
    """Return the files of all cards, folder by folder and in order of name."""
    return [path for folder in folders for path in sorted((folder / CARDS).glob("*.y*ml"))]


def read_cards(folders: Iterable[Path]) -> dict[str, Card]:
    """Return all cards by name. Raises VadkitError for a wrong card, two of one name, and a graph in two of them."""
    cards: dict[str, Card] = {}
    owners: dict[str, Card] = {}
    for file in card_files(folders):
        card = read_card(file)
        if card.name in cards:
            fail(f"there are two cards '{card.name}': {cards[card.name].file} and {file}", "rename one of them")
        for graph in card.graphs:
            other = owners.setdefault(graph, card)
            if other is not card:
                fail(f"graph '{graph}' is in two cards: {other.file} and {file}", "a graph is of one system")
        cards[card.name] = card
    return cards


def find_card(folders: Sequence[Path], name: str) -> Card:
    """Return the card called ``name``. Raises VadkitError, with the nearest name, if there is none."""
    cards = read_cards(folders)
    if name not in cards:
        owner = next((card.name for card in cards.values() if name in card.graphs), None)
        if owner is not None:
            fail(f"'{name}' is a graph, not a system", f"its system is '{owner}'; 'vadkit info {name}' shows the graph")
        raise VadkitError([unknown(name, cards, "system")])
    return cards[name]


def read_card(file: Path) -> Card:
    """Return the card in a file. Raises VadkitError with every problem of it, each at its place."""
    tree, problems = read_tree(file, WHAT, KEYS[""])
    data = tree.plain()
    _check(data, problems)
    problems.stop()
    return _card(file, data)


def _check(data: Mapping[str, Any], problems: Problems) -> None:
    check(KEYS[""], data, (), problems, WHAT)
    if isinstance(data.get("graphs"), dict):
        for name, facts in data["graphs"].items():
            check(KEYS["graphs"], facts, ("graphs", name), problems, WHAT)
            _check_counts(facts, ("graphs", name), problems)
    for section in ("blocks", "quirks", "published"):
        for index, item in enumerate(data[section] if isinstance(data.get(section), list) else []):
            check(KEYS[section], item, (section, index), problems, WHAT)
            _check_graphs(data, item, (section, index), problems)
    _check_blocks(data.get("blocks"), problems)


def _check_counts(facts: Any, path: tuple[Any, ...], problems: Problems) -> None:
    unused, known = (facts.get(key) if isinstance(facts, dict) else None for key in ("unused", "parameters"))
    if isinstance(unused, int) and isinstance(known, int) and unused > known:
        problems.add(f"{dotted(path)}: more parameters are unused than there are", (*path, "unused"))


def _check_blocks(blocks: Any, problems: Problems) -> None:
    """A certain block has a source, and no two have one name."""
    seen: set[str] = set()
    for index, block in enumerate(blocks if isinstance(blocks, list) else []):
        if not isinstance(block, dict):
            continue
        name = block.get("block")
        if isinstance(name, str) and name in seen:
            problems.add(f"there are two blocks '{name}'", ("blocks", index, "block"), "rename one of them")
        elif isinstance(name, str):
            seen.add(name)
        if block.get("standing") == "certain" and not block.get("source"):
            said = f"blocks.{index} is certain, but has no 'source'"
            problems.add(said, ("blocks", index), "name the equation or figure, or call it likely or a guess")


def _check_graphs(data: Mapping[str, Any], item: Any, path: tuple[Any, ...], problems: Problems) -> None:
    """A quirk or figure names graphs of its card."""
    if not isinstance(item, dict) or not isinstance(data.get("graphs"), dict):
        return
    for key, named in (("graph", item.get("graph")), ("graphs", item.get("graphs"))):
        for graph in [named] if isinstance(named, str) else named if isinstance(named, list) else []:
            if isinstance(graph, str) and graph not in data["graphs"]:
                problem = unknown(graph, list(data["graphs"]), "graph", "of this card")
                problems.add(problem.message, (*path, key), problem.later)


def _card(file: Path, data: Mapping[str, Any]) -> Card:
    """Return the card of data that was checked."""
    data = without_empty(data)
    facts = {name: without_empty(graph) for name, graph in data["graphs"].items()}
    graphs = {name: GraphFacts(**{**f, "set": tuple(f.get("set", ()))}) for name, f in facts.items()}
    quirks = [Quirk(**_with_tuples(item)) for item in data.get("quirks", ())]
    blocks = [Block(**_with_tuples(item)) for item in data.get("blocks", ())]
    common = {key: data[key] for key in ("level", "supervision", "protocol")}
    figures = [Reference(**without_empty(item)) for item in data.get("published", ())]
    own = {key: data[key] for key in ("title", "paper", "code", "cited_as", "certain", "guesses") if key in data}
    names = data.get("names", file.stem)
    return Card(
        name=file.stem,
        file=file,
        graphs=graphs,
        names=names,
        quirks=quirks,
        blocks=blocks,
        published=figures,
        **common,
        **own,
    )


def _with_tuples(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item without empty keys, its changes and graphs as tuples."""
    found = without_empty(item)
    return found | {key: _as_tuple(found.get(key)) for key in ("switch", "graphs")}


def _as_tuple(value: Any) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)
