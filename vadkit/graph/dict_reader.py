"""A config that is given as a dict: the same strict plain data as a YAML file, placed by its keys."""

from __future__ import annotations

from numbers import Integral, Real
from pathlib import Path
from typing import Any

from vadkit.graph.wording import shorten
from vadkit.graph.yaml_reader import DEPTH, UNPRINTABLE, Reading, Scalar, Tree, in_64_bits
from vadkit.problems import Place, Problem

ROOT = "config"  # places read as Python: config['train']['seed']


def read_dict(config: dict[Any, Any]) -> Reading:
    """Return a dict as a tree. Tuples, paths and numpy numbers become plain data."""
    reader = _Reader()
    tree = reader.tree(config, ROOT, 0)
    return Reading(None if reader.problems else tree, reader.problems)


class _Reader:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.count = 0

    def tree(self, value: Any, name: str, depth: int) -> Tree:
        self.count += 1
        place = Place(name, self.count, 0)
        if depth > DEPTH:
            self._problem(place, f"values are nested more than {DEPTH} deep")
            return Tree(None, place)
        if isinstance(value, dict):
            entries = [(self._key(key, place), key, item) for key, item in value.items()]
            return Tree({key: self._entry(item, name, raw, depth) for key, raw, item in entries}, place)
        if isinstance(value, list | tuple):
            return Tree([self.tree(item, f"{name}[{i}]", depth + 1) for i, item in enumerate(value)], place)
        return Tree(self._scalar(value, place), place)

    def _entry(self, value: Any, name: str, key: Any, depth: int) -> Tree:
        written = shorten(ascii(key), 42)
        tree = self.tree(value, f"{name}[{written}]" if len(name) < 300 else name, depth + 1)
        tree.key_place = tree.place
        return tree

    def _key(self, key: Any, place: Place) -> str:
        if not isinstance(key, str):
            self._problem(place, f"a key must be text, not {shorten(repr(key))}")
        elif not key:
            self._problem(place, "a key must not be empty")
        elif UNPRINTABLE.search(key):
            self._unprintable(key, place)
        return str(key)

    def _scalar(self, value: Any, place: Place) -> Scalar:
        if isinstance(value, Path):
            value = str(value)
        if isinstance(value, str):
            if UNPRINTABLE.search(value):
                self._unprintable(value, place)
            return str(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Integral):
            if not in_64_bits(int(value)):
                self._problem(place, f"the number {shorten(str(value), 30)} does not fit 64 bits")
            return int(value)
        if isinstance(value, Real):
            return self._finite(float(value), place)
        self._problem(place, f"a config holds plain data, not a value of type {type(value).__name__}")
        return None

    def _finite(self, value: float, place: Place) -> float:
        if value != value or value in (float("inf"), float("-inf")):
            self._problem(place, f"numbers must be finite, and {value} is not")
        return value

    def _unprintable(self, text: str, place: Place) -> None:
        found = UNPRINTABLE.search(text)
        assert found is not None
        self._problem(place, f"text must not contain the character U+{ord(found.group()):04X}")

    def _problem(self, place: Place, message: str) -> None:
        self.problems.append(Problem(message, place))
