"""How one config is laid over another: ``extends`` merges whole trees, ``--set`` one value.

Mappings merge key by key; lists and scalars replace; null deletes. Inside ``args`` null is a value
and is handed to the constructor, for which None may have a meaning. Where ``use`` names
another component, the inherited ``args`` are dropped and the wiring stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vadkit.graph.schema import NAMED, RECIPE_KEYS, SET_KEYS
from vadkit.graph.wording import one_line, say
from vadkit.graph.yaml_reader import Tree, read_value
from vadkit.problems import Place, Problem, unknown

Path = tuple[str, ...]
# These keys exclude each other, so the later one wins.
EITHER_OR: dict[Path, str] = {("train", "epochs"): "steps", ("train", "steps"): "epochs"}


@dataclass
class Log:
    """What is collected while configs are merged: problems, and where something inherited was deleted."""

    problems: list[Problem] = field(default_factory=list)
    deleted: dict[tuple[str | int, ...], Place] = field(default_factory=dict)


def inside_args(path: Path) -> bool:
    """Return whether the path leads into the arguments of a component. A node may be called args."""
    return "args" in path[2 if path and path[0] in NAMED else 1 :]


def merge(base: Tree, over: Tree, log: Log, path: Path = ()) -> Tree:
    """Return ``over`` laid over ``base``. A merged mapping keeps the place of ``base``."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    merged = dict(base.value)
    if _uses_another(merged, over.value):
        merged.pop("args", None)
    for key, new in over.value.items():
        old = merged.get(key)
        other = EITHER_OR.get((*path, key))
        if other and other not in over.value and new.value is not None:
            merged.pop(other, None)
        if new.value is None and not inside_args((*path, key)):
            _delete(merged, key, new, log, path)
        elif old is None or old.value is None:
            merged[key] = new
        else:
            merged[key] = merge(old, new, log, (*path, key))
    return Tree(merged, base.place, base.key_place)


def _uses_another(base: dict[str, Tree], over: dict[str, Tree]) -> bool:
    return "use" in base and "use" in over and base["use"].value != over["use"].value


def _delete(merged: dict[str, Tree], key: str, null: Tree, log: Log, path: Path) -> None:
    if key in merged:
        del merged[key]
        log.deleted[(*path, key)] = null.key_place or null.place
    elif (*path, key) in log.deleted:
        pass  # another of the files that are extended has deleted it
    elif len(path) == 1 and path[0] in NAMED:
        what = NAMED[path[0]]
        log.problems.append(unknown(key, merged, what, "in the extended files", null.key_place))
    else:
        merged[key] = null  # nothing inherited: the same as not written


def apply_sets(tree: Tree, sets: list[str], log: Log) -> None:
    """Apply ``key.path=value`` overrides to ``tree`` in place, in order.

    Those of ``use`` come first: they drop arguments, and must not drop what another override just set.
    """
    known = RECIPE_KEYS[1:] if isinstance(tree.value, dict) and "rounds" in tree.value else SET_KEYS
    parsed = [_parse(text, line, log.problems, known) for line, text in enumerate(sets, 1)]
    good = [override for override in parsed if override is not None]
    for override in sorted(good, key=lambda override: override.keys[-1] != "use"):
        problem = override.apply(tree, log)
        if problem:
            log.problems.append(problem)


class _Override:
    def __init__(self, text: str, line: int, keys: list[str], value: Tree) -> None:
        self.text, self.line, self.keys, self.value = text, line, keys, value

    def place(self, depth: int) -> Place:
        """Return where the key number ``depth`` is written."""
        column = sum(len(key) + 1 for key in self.keys[:depth])
        return Place("--set", self.line, column + 1, one_line(self.text), len(self.keys[depth]))

    def problem(self, depth: int, message: str, hint: str | None = None) -> Problem:
        return Problem(message, self.place(depth), hint)

    def apply(self, tree: Tree, log: Log) -> Problem | None:
        """Walk to the parent of the value and lay the value over the existing one."""
        here = tree
        for depth, key in enumerate(self.keys[:-1]):
            found = self._step(here, key, depth)
            if isinstance(found, Problem):
                return found
            here = found
        return self._put(here, log)

    def _step(self, here: Tree, key: str, depth: int) -> Tree | Problem:
        if isinstance(here.value, list):
            return self._item(here.value, key, depth)
        if not isinstance(here.value, dict):
            return self._not_a_mapping(here, depth)
        child = here.value.get(key)
        if child is None or child.value is None:
            refused = self._refuse_new(here.value, depth) or self._no_list(depth)
            if refused:
                return refused
            child = here.value[key] = Tree({}, self.place(depth), self.place(depth))
        return child

    def _put(self, here: Tree, log: Log) -> Problem | None:
        depth = len(self.keys) - 1
        self.value.key_place = self.place(depth)
        if isinstance(here.value, list):
            found = self._item(here.value, self.keys[-1], depth)
            if isinstance(found, Problem):
                return found
            here.value[int(self.keys[-1])] = self.value
            return None
        if not isinstance(here.value, dict):
            return self._not_a_mapping(here, depth)
        if self.keys[-1] not in here.value:
            refused = self._refuse_new(here.value, depth)
            if refused:
                return refused
        path = tuple(self.keys[:-1])
        over = Tree({self.keys[-1]: self.value}, self.place(depth))
        here.value = merge(here, over, log, path).value
        return None

    def _item(self, items: list[Tree], key: str, depth: int) -> Tree | Problem:
        if key.isascii() and key.isdigit() and len(key) < 10 and int(key) < len(items):
            return items[int(key)]
        count = f"{len(items)} {'entry' if len(items) == 1 else 'entries'}"
        rest = f"it has {count}, counted from 0" if items else "it is empty"
        return self.problem(depth, f"'{'.'.join(self.keys[:depth])}' is a list and has no entry '{key}'; {rest}")

    def _no_list(self, depth: int) -> Problem | None:
        name, entry = ".".join(self.keys[: depth + 1]), self.keys[depth + 1]
        if not entry.isdigit():
            return None
        return self.problem(
            depth + 1, f"'{name}' is not set, so it has no entry '{entry}'", f"set all of it: {name}=[...]"
        )

    def _not_a_mapping(self, here: Tree, depth: int) -> Problem:
        name = ".".join(self.keys[:depth])
        return self.problem(depth, f"'{name}' is {say(here.plain())}, so it has no '{self.keys[depth]}'")

    def _refuse_new(self, existing: dict[str, Tree], depth: int) -> Problem | None:
        """An override changes existing nodes; one that it created would be a misspelt one."""
        if depth != 1 or self.keys[0] not in ("nodes", "losses", "rounds"):
            return None
        name, what = self.keys[1], NAMED[self.keys[0]]
        otherwise = f"--set cannot create a {what}; extend the file instead"
        return unknown(name, existing, what, place=self.place(1), otherwise=otherwise)


def _parse(text: str, line: int, problems: list[Problem], known: Sequence[str]) -> _Override | None:
    key, equals, value = text.partition("=")
    place = Place("--set", line, 1, one_line(text), max(1, len(key)))
    keys = key.strip().split(".")
    if not equals:
        problems.append(Problem("there is no '='", place, "write KEY=VALUE, as in train.seed=3"))
    elif not all(keys):
        problems.append(Problem("the key has an empty part", place))
    elif not value.strip():
        hint = "null deletes the key, '' is an empty text"
        problems.append(Problem("the value is missing", place, hint))
    elif keys[0] not in known:
        extends = Problem("extends names files and cannot be set", place)
        problems.append(extends if keys[0] == "extends" else unknown(keys[0], known, "key", place=place))
    else:
        return _with_value(text, line, keys, problems)
    return None


def _with_value(text: str, line: int, keys: list[str], problems: list[Problem]) -> _Override | None:
    key, _, value = text.partition("=")
    reading = read_value(value, text, line, len(key) + 1)
    problems += reading.problems
    if reading.problems:
        return None
    if reading.tree is None:  # a comment, say
        problems.append(Problem("the value is missing", Place("--set", line, 1, one_line(text), len(key) or 1)))
        return None
    return _Override(text, line, keys, reading.tree)
