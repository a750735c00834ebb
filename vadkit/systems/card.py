"""The card of a published system: its graphs, how faithful each is, what is certain, guessed or unusual, its figures.

A card is ``systems/NAME.yaml`` in a folder of configs, of vadkit or of a plugin. ``KEYS`` describes its keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadkit.graph.wording import say
from vadkit.graph.yaml_reader import Tree
from vadkit.graph.yaml_reader import read_text as read_yaml
from vadkit.plugin_manager import CARDS
from vadkit.problems import Place, Problems, VadkitError, fail, unknown
from vadkit.systems.text import bounded_text

STANDINGS = ("certain", "likely", "guess")
FIDELITIES = ("official", "code", "paper", "reconstruction", "ours")
LEVELS = ("frame", "video", "event")
SUPERVISION = ("video", "glance", "none")
BYTES = 64 * 1024


@dataclass(frozen=True)
class Key:
    """One key of a card, of an entry of ``graphs``, or of an item of ``quirks`` or ``published``."""

    says: str  # what a value must be
    accepts: Callable[[Any], bool]
    meaning: str
    required: bool = False


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**11


def _one_of(*words: str) -> tuple[str, Callable[[Any], bool]]:
    return f"one of {', '.join(words)}", lambda value: value in words


def _mapping(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def _list(value: Any) -> bool:
    return isinstance(value, list)


KEYS: dict[str, dict[str, Key]] = {
    "": {
        "title": Key("text", _text, "what the system is called", required=True),
        "paper": Key("text", _text, "authors, title, where and when", required=True),
        "code": Key("text", _text, "the authors' code that it was compared with: repository and commit"),
        "cited_as": Key("a list of texts", _texts, "what the rows of the paper's tables, or its text, call it"),
        "graphs": Key("a mapping from graph to its facts", _mapping, "", required=True),
        "names": Key("the name of a table in names/", _text, "the table of official names; default: the card's name"),
        "level": Key(*_one_of(*LEVELS), "what its figures score, unless a figure says otherwise", required=True),
        "supervision": Key(*_one_of(*SUPERVISION), "the labels that it is trained with", required=True),
        "protocol": Key("text", _text, "how the authors train and test it", required=True),
        "certain": Key("a list of texts", _texts, "what was checked, and against what"),
        "blocks": Key("a list of mappings", _list, "block by block, how sure it is that it is as published"),
        "guesses": Key("a list of texts", _texts, "what neither paper nor code says, and what is done here"),
        "quirks": Key("a list of mappings", _list, "what the authors' code does, intended or not"),
        "published": Key("a list of mappings", _list, "figures of data/published_results.csv"),
    },
    "graphs": {
        "fidelity": Key(*_one_of(*FIDELITIES), "how faithful it is", required=True),
        "parameters": Key("a whole number", _count, "of the authors' network; left out where it was not published"),
        "unused": Key("a whole number", _count, "of these, those that no forward pass of the authors uses; default: 0"),
        "set": Key("a list of texts", _texts, "changes under which the counts hold"),
    },
    "blocks": {
        "block": Key("text", _text, "a short name, one of this card", required=True),
        "what": Key("text", _text, "what it computes", required=True),
        "standing": Key(*_one_of(*STANDINGS), "how sure it is", required=True),
        "source": Key("text", _text, "equation, figure, section or code that states it; a certain block needs one"),
        "switch": Key("a change as --set takes it, or a list of such", lambda v: _text(v) or _texts(v), "another way"),
        "graphs": Key("a list of texts", _texts, "the graphs that have it; default: all"),
    },
    "quirks": {
        "what": Key("text", _text, "what it does", required=True),
        "switch": Key("a change as --set takes it, or a list of such", lambda v: _text(v) or _texts(v), "turns it off"),
        "graphs": Key("a list of texts", _texts, "the graphs that have it; default: all"),
    },
    "published": {
        "id": Key("text", _text, "the row's id in data/published_results.csv", required=True),
        "graph": Key("text", _text, "the graph that it is of"),
        "level": Key(*_one_of(*LEVELS), "default: the card's"),
        "supervision": Key(*_one_of(*SUPERVISION), "default: the card's"),
        "protocol": Key("text", _text, "how it was had, if it differs from the card's"),
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
class Figure:
    """A reference to published figures, and what kind of figures they are."""

    id: str
    level: str
    supervision: str
    protocol: str
    graph: str | None = None


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
    published: Sequence[Figure] = field(default_factory=tuple)

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
    text = bounded_text(file, BYTES, "a card")
    reading = read_yaml(text, str(file), quick=True)
    if reading.problems:
        raise VadkitError(reading.problems)
    tree = reading.tree
    if tree is None or not isinstance(tree.value, dict):
        place = Place(str(file), 1, 1) if tree is None else tree.place
        fail(f"a card is a mapping of keys to values: {', '.join(KEYS[''])}", place=place)
    problems = _checked(tree)
    problems.stop()
    return _card(file, tree.plain())


def _checked(tree: Tree) -> Problems:
    problems = Problems(lambda path, key: _place(tree, path, key))
    data = tree.plain()
    _check("", data, (), problems)
    if isinstance(data.get("graphs"), dict):
        for name, facts in data["graphs"].items():
            _check("graphs", facts, ("graphs", name), problems)
            _check_counts(facts, ("graphs", name), problems)
    for section in ("blocks", "quirks", "published"):
        for index, item in enumerate(data[section] if isinstance(data.get(section), list) else []):
            _check(section, item, (section, index), problems)
            _check_graphs(data, item, (section, index), problems)
    _check_blocks(data.get("blocks"), problems)
    return problems


def _check(section: str, mapping: Any, path: tuple[Any, ...], problems: Problems) -> None:
    """Check the keys and values of one mapping of a card."""
    keys = KEYS[section]
    if not isinstance(mapping, dict):
        said = f"{_dotted(path)} must be a mapping with {', '.join(keys)}, got {say(mapping)}"
        problems.add(said, path)
        return
    for key, value in mapping.items():
        if key not in keys:
            problem = unknown(key, keys, "key", f"in {_dotted(path) or 'a card'}")
            problems.add(problem.message, (*path, key), problem.later, key=True)
        elif value is not None and not keys[key].accepts(value):
            problems.add(f"{_dotted((*path, key))} must be {keys[key].says}, got {say(value)}", (*path, key))
    for key, known in keys.items():
        if known.required and mapping.get(key) is None:
            meaning = f": {known.meaning}" if known.meaning else ""
            problems.add(f"{_dotted(path) or 'a card'} needs '{key}'{meaning}", path, key=True)


def _check_counts(facts: Any, path: tuple[Any, ...], problems: Problems) -> None:
    unused, known = (facts.get(key) if isinstance(facts, dict) else None for key in ("unused", "parameters"))
    if isinstance(unused, int) and isinstance(known, int) and unused > known:
        problems.add(f"{_dotted(path)}: more parameters are unused than there are", (*path, "unused"))


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


def _dotted(path: Sequence[Any]) -> str:
    return ".".join(map(str, path))


def _place(tree: Tree, path: Sequence[Any], key: bool) -> Place | None:
    """Return where the value at a path is written, or its key."""
    place = tree.place
    for step in path:
        inner = tree.value if isinstance(tree.value, dict | list) else {}
        known = step in inner if isinstance(inner, dict) else isinstance(step, int) and step < len(inner)
        if not known:
            break
        tree = inner[step]
        place = tree.key_place if key and tree.key_place else tree.place
    return place


def _card(file: Path, data: Mapping[str, Any]) -> Card:
    """Return the card of data that was checked."""
    data = {key: value for key, value in data.items() if value is not None}
    facts = {name: {k: v for k, v in f.items() if v is not None} for name, f in data["graphs"].items()}
    graphs = {name: GraphFacts(**{**f, "set": tuple(f.get("set", ()))}) for name, f in facts.items()}
    quirks = [Quirk(**_with_tuples(item)) for item in data.get("quirks", ())]
    blocks = [Block(**_with_tuples(item)) for item in data.get("blocks", ())]
    common = {key: data[key] for key in ("level", "supervision", "protocol")}
    figures = [Figure(**{**common, **{k: v for k, v in f.items() if v is not None}}) for f in data.get("published", ())]
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
    found = {key: value for key, value in item.items() if value is not None}
    return found | {key: _as_tuple(found.get(key)) for key in ("switch", "graphs")}


def _as_tuple(value: Any) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)
