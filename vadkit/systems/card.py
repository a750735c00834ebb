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
        "graphs": Key("a mapping from graph to its facts", _mapping, "", required=True),
        "names": Key("the name of a table in names/", _text, "the table of official names; default: the card's name"),
        "level": Key(*_one_of(*LEVELS), "what its figures score, unless a figure says otherwise", required=True),
        "supervision": Key(*_one_of(*SUPERVISION), "the labels that it is trained with", required=True),
        "protocol": Key("text", _text, "how the authors train and test it", required=True),
        "certain": Key("a list of texts", _texts, "what was checked, and against what"),
        "guesses": Key("a list of texts", _texts, "what neither paper nor code says, and what is done here"),
        "quirks": Key("a list of mappings", _list, "what the authors' code does, intended or not"),
        "published": Key("a list of mappings", _list, "figures of data/published_results.csv"),
    },
    "graphs": {
        "fidelity": Key(*_one_of(*FIDELITIES), "how faithful it is", required=True),
        "parameters": Key("a whole number", _count, "of the authors' network", required=True),
        "unused": Key("a whole number", _count, "of these, those that no forward pass of the authors uses; default: 0"),
        "set": Key("a list of texts", _texts, "changes under which the counts hold"),
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
    parameters: int  # of the authors
    unused: int = 0
    set: tuple[str, ...] = ()

    @property
    def ours(self) -> int:
        """The parameters of our graph."""
        return self.parameters - self.unused


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
    certain: Sequence[str] = field(default_factory=tuple)
    guesses: Sequence[str] = field(default_factory=tuple)
    quirks: Sequence[Quirk] = field(default_factory=tuple)
    published: Sequence[Figure] = field(default_factory=tuple)


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
    for section in ("quirks", "published"):
        for index, item in enumerate(data[section] if isinstance(data.get(section), list) else []):
            _check(section, item, (section, index), problems)
            _check_graphs(data, item, (section, index), problems)
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
    quirks = [Quirk(q["what"], _as_tuple(q.get("switch")), _as_tuple(q.get("graphs"))) for q in data.get("quirks", ())]
    common = {key: data[key] for key in ("level", "supervision", "protocol")}
    figures = [Figure(**{**common, **{k: v for k, v in f.items() if v is not None}}) for f in data.get("published", ())]
    own = {key: data[key] for key in ("title", "paper", "code", "certain", "guesses") if key in data}
    names = data.get("names", file.stem)
    return Card(
        name=file.stem, file=file, graphs=graphs, names=names, quirks=quirks, published=figures, **common, **own
    )


def _as_tuple(value: Any) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)
