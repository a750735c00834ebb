"""The file that describes a comparison, read strictly: every problem at once, each at its line and column.

about: a sentence              config: the base graph          set: [changes to it, KEY=VALUE]
data: folder of the features   seeds: 5, or a list of seeds    budget: {steps: N} or {epochs: N}, for every variant
swaps:                         what is put in place of the component of a node or loss
  NODE: [COMPONENT, {use: COMPONENT, args: ..., in: ..., weight: ..., set: [...], name: ...}, null]
combine: one_at_a_time, or product
variants:                      whole rows
  NAME: {config: ..., set: [...], recipe: a recipe of rounds, start: NAME of the variant that it starts from}
base: NAME of the variant that all others are compared with (default: the graph without swaps, or the first)
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vadkit import files
from vadkit.bench.comparison.spec import BASE, Suite, Variant
from vadkit.graph.load import load_config
from vadkit.graph.wording import say
from vadkit.graph.yaml_reader import Tree, read_text
from vadkit.plugin_manager import load_plugins
from vadkit.problems import Place, Problem, VadkitError, unknown

KEYS = ("about", "config", "set", "data", "swaps", "combine", "variants", "base", "seeds", "budget")
VARIANT_KEYS = ("config", "set", "recipe", "start")
CANDIDATE_KEYS = ("use", "args", "in", "weight", "set", "name")
COMBINE = ("one_at_a_time", "product")
LENGTHS = {"steps": "epochs", "epochs": "steps"}
MOST = 200  # variants; more are a mistake
MOST_SEEDS = 100
LARGEST = 2**31 - 1


def from_file(path: Path, sets: Sequence[str] = (), seeds: int | None = None) -> Suite:
    """Return the suite that a spec file describes. ``sets`` come last in every variant. Raises VadkitError."""
    return _Reader(path, _tree(path), sets, seeds).read()


def _tree(path: Path) -> Tree:
    try:
        text = files.read_text(path)
    except OSError as error:
        raise VadkitError([Problem(f"cannot read {path}: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise VadkitError([Problem(f"{path}: is not UTF-8 text (byte {error.start})")]) from error
    reading = read_text(text, str(path))
    if reading.problems:
        raise VadkitError(reading.problems)
    if reading.tree is None or not isinstance(reading.tree.value, dict):
        hint = "for example: {config: demo_rgb, swaps: {context: [tca, gl_mhsa]}, seeds: 5}"
        raise VadkitError([Problem(f"{path}: a spec is a mapping with swaps or variants", hint=hint)])
    return reading.tree


class _Reader:
    def __init__(self, path: Path, tree: Tree, sets: Sequence[str], seeds: int | None) -> None:
        self.path, self.tree, self.sets, self.given_seeds = path, tree, sets, seeds
        self.plugins = load_plugins()
        self.problems: list[Problem] = []

    def read(self) -> Suite:
        top = self.top = self._mapping(self.tree, "the spec", KEYS)
        about = self._text(top.get("about"), "about")
        self.config = self._config(top.get("config"), "config")
        self.shared = [*self._data(top.get("data")), *self._texts(top.get("set"))]
        self.last = [*self._budget(top.get("budget")), *self.sets]
        seeds = self._seeds(top.get("seeds"))
        found = [*self._swaps(top.get("swaps"), top.get("combine")), *self._variants(top.get("variants"))]
        base = self._text(top.get("base"), "base")
        if not found and not self.problems:
            self._add("the spec has neither swaps nor variants", self.tree, "for example swaps: {context: [tca]}")
        self._refuse_repeats(found)
        if self.problems:
            raise VadkitError(self.problems)
        place = top["base"].place if base else None
        return Suite(about or self.path.stem, tuple(found), seeds, (self.path,), base, place)

    # -- values --------------------------------------------------------------------------------
    def _add(self, message: str, tree: Tree, hint: str | None = None, key: bool = False) -> None:
        place = tree.key_place if key and tree.key_place else tree.place
        self.problems.append(Problem(message, place, hint))

    def _mapping(self, tree: Tree | None, what: str, known: Iterable[str] | None = None) -> dict[str, Tree]:
        if tree is None or tree.value is None:
            return {}
        if not isinstance(tree.value, dict):
            self._add(f"{what} must be a mapping, got {say(tree.plain())}", tree)
            return {}
        for key, value in tree.value.items() if known is not None else ():
            if key not in (known := list(known or ())):
                self.problems.append(unknown(key, known, "key", f"in {what}", value.key_place))
        return tree.value

    def _text(self, tree: Tree | None, what: str) -> str | None:
        if tree is None or tree.value is None:
            return None
        if not isinstance(tree.value, str) or not tree.value:
            self._add(f"{what} must be text, got {say(tree.plain())}", tree)
            return None
        return tree.value

    def _texts(self, tree: Tree | None) -> list[str]:
        if tree is None or tree.value is None:
            return []
        items = tree.value if isinstance(tree.value, list) else [tree]
        bad = [item for item in items if not isinstance(item.value, str)]
        if bad or items == [tree]:
            self._add("set must be a list of texts such as nodes.context.use=tca", (bad or items)[0])
            return []
        return [str(item.value) for item in items]

    def _config(self, tree: Tree | None, what: str) -> str | None:
        """Return a name of a config; a path in the spec is relative to it."""
        text = self._text(tree, what)
        return None if text is None else self._local(text, os.path.isfile)

    def _local(self, text: str, exists: Callable[[Path], bool]) -> str:
        local = self.path.parent / text
        return str(local) if exists(local) else text

    def _data(self, tree: Tree | None) -> list[str]:
        text = self._text(tree, "data")
        return [] if text is None else [f"data.args.root={json.dumps(self._local(text, os.path.exists))}"]

    def _budget(self, tree: Tree | None) -> list[str]:
        """Return the same length of training for every variant."""
        budget = self._mapping(tree, "budget", LENGTHS)
        if tree is not None and not self.problems and len(budget) != 1:
            self._add("budget is steps or epochs, one of them", tree, "for example budget: {steps: 2000}")
        sets = []
        for key, value in budget.items():
            if key in LENGTHS and self._whole(value, f"budget.{key}", 1, LARGEST):
                sets += [f"train.{LENGTHS[key]}=null", f"train.{key}={value.value}"]
        return sets

    def _whole(self, tree: Tree, what: str, least: int, most: int) -> bool:
        value = tree.value
        good = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        if not good:
            self._add(f"{what} must be a whole number from {least} to {most}, got {say(tree.plain())}", tree)
        return good

    def _seeds(self, tree: Tree | None) -> tuple[int, ...]:
        if tree is not None and isinstance(tree.value, list):
            found = self._listed_seeds(tree, tree.value)
        elif tree is None or tree.value is None:
            found = list(range(3))
        else:
            found = list(range(int(tree.plain()))) if self._whole(tree, "seeds", 1, MOST_SEEDS) else []
        return tuple(found if self.given_seeds is None else range(self.given_seeds))

    def _listed_seeds(self, tree: Tree, items: list[Tree]) -> list[int]:
        good = [item.plain() for item in items if self._whole(item, "a seed", 0, LARGEST)]
        if len(set(good)) < len(good) or not 1 <= len(items) <= MOST_SEEDS:
            self._add(f"seeds must be 1 to {MOST_SEEDS} whole numbers, each once, got {say(tree.plain())}", tree)
        return good

    # -- swaps ---------------------------------------------------------------------------------
    def _swaps(self, tree: Tree | None, combine: Tree | None) -> list[Variant]:
        how = self._combine(combine)
        swaps = self._mapping(tree, "swaps")
        if not swaps or tree is None:
            return []
        if self.config is None:
            self._add("swaps need a config: the graph whose components they replace", tree, key=True)
            return []
        graph = load_config(self.config, [*self.shared, *self.last], self.plugins.config_folders).data
        choices = [self._candidates(name, value, graph) for name, value in swaps.items()]
        if how == "product":
            rows = self._product(choices, tree)
        else:
            rows = [
                (_titled(node, name, len(choices)), sets, place)
                for node, found in zip(swaps, choices, strict=True)
                for name, sets, place in found
            ]
        base = Variant(BASE, self.config, (*self.shared, *self.last), implied=True, place=tree.key_place)
        complete = how == "product" or len(choices) == 1
        return [base, *(self._swapped(self.config, complete, *row) for row in rows)]

    def _combine(self, tree: Tree | None) -> str:
        text = self._text(tree, "combine") or COMBINE[0]
        if text not in COMBINE and tree is not None:
            self.problems.append(unknown(text, COMBINE, "way", "to combine swaps", tree.place))
        return text

    def _product(self, choices: list[Any], tree: Tree) -> list[tuple[str, list[str], Place]]:
        if (count := math.prod(len(found) for found in choices)) > MOST:
            self._add(f"the product of the swaps has {count:,} variants; {MOST} is the most", tree, key=True)
            return []
        return [
            (" + ".join(name for name, _, _ in row), [text for _, sets, _ in row for text in sets], row[-1][2])
            for row in itertools.product(*choices)
        ]

    def _swapped(self, config: str, complete: bool, name: str, sets: list[str], place: Place) -> Variant:
        sets = [*self.shared, *sets, *self.last]
        return Variant(name, config, tuple(sets), swapped=True, complete=complete, place=place)

    def _candidates(self, name: str, tree: Tree, graph: Mapping[str, Any]) -> list[tuple[str, list[str], Place]]:
        """Return name, changes and place of each candidate of a node or loss."""
        where = self._target(name, tree, graph)
        if not isinstance(tree.value, list) or not tree.value:
            self._add(f"swaps.{name} must be a list of components, got {say(tree.plain())}", tree)
            return []
        found = [self._candidate(name, where, item) for item in tree.value] if where else []
        names = [each[0] for each in found if each]
        if len(set(names)) < len(names):
            twice = next(each for each in names if names.count(each) > 1)
            self._add(f"swaps.{name} has '{twice}' twice", tree, "give one of them a name: {use: ..., name: ...}")
        return [each for each in found if each]

    def _target(self, name: str, tree: Tree, graph: Mapping[str, Any]) -> str | None:
        """Return nodes.NAME or losses.NAME."""
        kind, _, rest = name.partition(".")
        known: dict[str, list[str]] = {key: list(graph.get(key) or ()) for key in ("nodes", "losses")}
        if kind in known and rest in known[kind]:
            return name
        at = [key for key in known if name in known[key]]
        if len(at) == 2:
            self._add(f"'{name}' is a node and a loss", tree, f"write nodes.{name} or losses.{name}", key=True)
            return None
        if not at:
            names = [*known["nodes"], *known["losses"]]
            self.problems.append(unknown(name, names, "node or loss", "in swaps", tree.key_place))
            return None
        return f"{at[0]}.{name}"

    def _candidate(self, name: str, where: str, tree: Tree) -> tuple[str, list[str], Place] | None:
        if tree.value is None:
            if where.startswith("nodes"):
                self._add(f"node '{name}' cannot be left out", tree, "try identity, or write a row in variants")
                return None
            return _without(name), [f"{where}=null"], tree.place
        if isinstance(tree.value, str):
            return (tree.value, [f"{where}.use={tree.value}"], tree.place) if self._known(tree) else None
        keys = (
            self._mapping(tree, f"a candidate of swaps.{name}", CANDIDATE_KEYS) if isinstance(tree.value, dict) else {}
        )
        if "use" not in keys or not isinstance(keys["use"].value, str):
            self._add(f"a candidate of swaps.{name} is a component, or {{use: COMPONENT, args: ...}}", tree)
            return None
        title = self._text(keys.get("name"), "name") or keys["use"].value
        sets = [f"{where}.use={keys['use'].value}"] if self._known(keys["use"]) else []
        if "in" in keys:  # other ports: nothing of the old wiring stays
            sets += [f"{where}.in=null", f"{where}.in={json.dumps(keys['in'].plain())}"]
        sets += [f"{where}.{key}={json.dumps(keys[key].plain())}" for key in ("args", "weight") if key in keys]
        return title, [*sets, *self._texts(keys.get("set"))], tree.place

    def _known(self, tree: Tree) -> bool:
        components = self.plugins.components
        name = str(tree.value)
        if components.find(name) is None:
            self.problems.append(Problem(f"unknown component '{name}'", tree.place, components.suggest(name)))
            return False
        return True

    # -- whole rows ----------------------------------------------------------------------------
    def _variants(self, tree: Tree | None) -> list[Variant]:
        rows = self._mapping(tree, "variants")
        if tree is not None and not rows and not self.problems:
            self._add("variants must be a mapping of names", tree, "for example variants: {tca: {set: [...]}}")
        return [found for name, value in rows.items() if (found := self._variant(name, value, list(rows)))]

    def _variant(self, name: str, tree: Tree, names: list[str]) -> Variant | None:
        keys = self._mapping(tree, f"variant '{name}'", VARIANT_KEYS)
        recipe, config = (self._config(keys.get(key), key) for key in ("recipe", "config"))
        start = self._text(keys.get("start"), "start")
        if recipe and (config or start):
            self._add(f"variant '{name}' has a recipe and a {'config' if config else 'start'}", tree, key=True)
        if start is not None and start not in names[: names.index(name)]:
            earlier = "of an earlier variant, which it starts from"
            self._add(f"variant '{name}': start must be the name {earlier}, got {say(start)}", keys["start"])
        which = recipe or config or self.config
        if which is None:
            if "config" not in self.top and "config" not in keys:  # there, it is wrong
                self._add(f"variant '{name}' has no config", tree, "give one to the variant or to the spec", key=True)
            return None
        # With a config of its own it shares the data, the changes to the base graph as well: they are of all variants.
        sets = [*self.shared, *self._texts(keys.get("set")), *self.last]
        return Variant(name, which, tuple(sets), bool(recipe), start, place=tree.key_place or tree.place)

    def _refuse_repeats(self, found: list[Variant]) -> None:
        names = [each.name for each in found]
        if len(found) > MOST:
            self._add(f"the spec has {len(found)} variants; {MOST} is the most", self.tree)
        for each in found:
            if names.count(each.name) > 1 and not each.swapped:
                self.problems.append(Problem(f"two variants are called '{each.name}'", each.place))


def _without(name: str) -> str:
    return f"no {name.rpartition('.')[2]}"


def _titled(node: str, candidate: str, nodes: int) -> str:
    """Return the name of a row: where several nodes are swapped, with its node."""
    return candidate if nodes == 1 or candidate == _without(node) else f"{node.rpartition('.')[2]}: {candidate}"
