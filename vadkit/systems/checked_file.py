"""Strict YAML files of facts: keys that are described in a table, with every problem of a file at its place.

Cards of systems and results are such files. A ``Key`` says what a value must be, and what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from vadkit.graph.wording import say
from vadkit.graph.yaml_reader import Tree
from vadkit.graph.yaml_reader import read_text as read_yaml
from vadkit.problems import Place, Problems, VadkitError, fail, unknown
from vadkit.systems.text import bounded_text

BYTES = 64 * 1024
Accepts = Callable[[Any], bool]


@dataclass(frozen=True)
class Key:
    """One key of a mapping in a file of facts."""

    says: str  # what a value must be
    accepts: Accepts
    meaning: str
    required: bool = False


def text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(text, value))


def count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**11


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def mapping(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def sequence(value: Any) -> bool:
    return isinstance(value, list)


def one_of(*choices: str) -> tuple[str, Accepts]:
    """Return what a value of ``choices`` must be, and the function that accepts it."""
    return f"one of {', '.join(choices)}", lambda value: value in choices


def read_tree(file: Path, what: str, keys: Mapping[str, Key]) -> tuple[Tree, Problems]:
    """Return the mapping in a file, and where to note what is wrong with it. Raises VadkitError.

    ``what`` is what the file should be, as "a card", and ``keys`` are those that it has.
    """
    reading = read_yaml(bounded_text(file, BYTES, what), str(file))
    if reading.problems:
        raise VadkitError(reading.problems)
    tree = reading.tree
    if tree is None or not isinstance(tree.value, dict):
        place = Place(str(file), 1, 1) if tree is None else tree.place
        fail(f"{what} is a mapping of keys to values: {', '.join(keys)}", place=place)
    return tree, Problems(lambda path, key: place_of(tree, path, key))


def check(keys: Mapping[str, Key], value: Any, path: tuple[Any, ...], problems: Problems, what: str) -> None:
    """Check keys and values of the mapping at a path; ``what`` is what the whole file is, as "a card"."""
    name = dotted(path) or what
    if not isinstance(value, dict):
        problems.add(f"{name} must be a mapping with {', '.join(keys)}, got {say(value)}", path)
        return
    for key, inner in value.items():
        if key not in keys:
            problem = unknown(key, keys, "key", f"in {name}")
            problems.add(problem.message, (*path, key), problem.later, key=True)
        elif inner is not None and not keys[key].accepts(inner):
            problems.add(f"{dotted((*path, key))} must be {keys[key].says}, got {say(inner)}", (*path, key))
    for key, known in keys.items():
        if known.required and value.get(key) is None:
            meaning = f": {known.meaning}" if known.meaning else ""
            problems.add(f"{name} needs '{key}'{meaning}", path, key=True)


def dotted(path: Sequence[Any]) -> str:
    return ".".join(map(str, path))


def place_of(tree: Tree, path: Sequence[Any], key: bool) -> Place | None:
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


def without_empty(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping without the keys that say nothing."""
    return {key: value for key, value in data.items() if value is not None}
