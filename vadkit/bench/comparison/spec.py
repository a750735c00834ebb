"""What a comparison compares: variants of a graph, the seeds of each, and which variant is the base."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.graph.plan import Plan
from vadkit.plugin_manager import load_plugins
from vadkit.problems import Place, Problem, VadkitError, fail, unknown
from vadkit.rounds import Recipe, read_recipe

BASE = "base"  # the name of the graph without swaps


@dataclass(frozen=True)
class Variant:
    """One row of the table: a graph or a recipe, and the changes to it.

    Attributes:
        sets: changes; ``{seed}`` in them is replaced by each run's seed.
        recipe: whether ``config`` is a recipe of several rounds.
        start: the variant whose model of the same seed it starts from.
        implied: the graph without swaps, which the spec does not list.
        swapped: it differs from that graph by swaps.
        complete: its name says the component of every node that is swapped.
        place: where the spec says it.
    """

    name: str
    config: str
    sets: tuple[str, ...] = ()
    recipe: bool = False
    start: str | None = None
    implied: bool = False
    swapped: bool = False
    complete: bool = False
    place: Place | None = None

    def check(self) -> Checked:
        """Return it with its checked graphs. Raises VadkitError."""
        plugins, sets = load_plugins(), list(self.sets)
        if self.recipe:
            recipe = read_recipe(self.config, sets, plugins)
            return Checked(self, recipe.rounds[-1].plan, recipe)
        if self.start is not None:  # a name in place of the file, which each seed has its own of
            sets.append(f"train.warm_start.file={json.dumps(self.start + '.safetensors')}")
        return Checked(self, compile_plan(load_config(self.config, sets, plugins.config_folders), plugins))


@dataclass(frozen=True)
class Checked:
    """A variant and its checked graph; that of a recipe is the graph of its last round."""

    variant: Variant
    plan: Plan
    recipe: Recipe | None = None

    def same_as(self, other: Checked) -> bool:
        """Return whether both train and score the same."""
        mine, theirs = ({**each.plan.spec, "about": None} for each in (self, other))
        return mine == theirs and self.recipe is None and other.recipe is None


@dataclass(frozen=True)
class Suite:
    """The variants, the seeds each is trained with, a sentence about the comparison, and the file that describes it.

    ``base`` names the variant that the others are compared with; None is the first.
    """

    about: str
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    inputs: tuple[Path, ...] = ()
    base: str | None = None
    base_place: Place | None = None

    def check(self) -> dict[str, Checked]:
        """Return every variant with its checked graph by name, the base as it is known then.

        Raises VadkitError with the problems of all variants.
        """
        checked, problems = {}, []
        for variant in self.variants:
            try:
                checked[variant.name] = variant.check()
            except VadkitError as error:
                problems += [_of(variant, problem) for problem in error.problems]
        if problems:
            raise VadkitError(problems)
        found = _without_repeats(checked)
        if self.base is not None and self.base not in found:
            raise VadkitError([unknown(self.base, found, "variant", "in base", self.base_place)])
        return found

    def base_of(self, checked: Mapping[str, Checked]) -> str:
        """Return the name of the base."""
        return self.base or next(iter(checked))


def _of(variant: Variant, problem: Problem) -> Problem:
    """Say of which variant a problem is; what is wrong with its changes is wrong in the spec."""
    place, message = problem.place, problem.message
    if place is not None and place.file == "--set" and variant.place is not None:
        return Problem(f"variant '{variant.name}': {place.source}: {message}", variant.place, problem.hint)
    return Problem(f"variant '{variant.name}': {message}", place, problem.hint, problem.notes)


def _without_repeats(checked: Mapping[str, Checked]) -> dict[str, Checked]:
    """Return the variants, each graph of the swaps once.

    A candidate may be what the graph has already. With one node that is swapped, or the product of several, it then
    is the first row; with several nodes one at a time, the graph is a row by itself.
    """
    implied = next((each for each in checked.values() if each.variant.implied), None)
    if implied is None:
        return dict(checked)
    equal = [c for c in checked.values() if c.variant.swapped and c.same_as(implied)]
    left = {name: each for name, each in checked.items() if not any(each is e for e in equal)}
    if not any(each.variant.complete for each in equal):
        return left
    del left[implied.variant.name]
    return {equal[0].variant.name: equal[0], **left}


def swap(config: str, node: str, components: Sequence[str], sets: Sequence[str], seeds: int) -> Suite:
    """Return a suite in which ``node`` uses each of ``components`` in turn; the first is the base."""
    names = list(dict.fromkeys(c.strip() for c in components if c.strip()))
    if not names:
        fail("--with lists no component", "for example --with tca,gl_mhsa,transformer")
    variants = [Variant(name, config, (*sets, f"nodes.{node}.use={name}")) for name in names]
    return Suite(f"node {node} of {config}", tuple(variants), tuple(range(seeds)))


def for_seed(value: Any, seed: int) -> Any:
    """Return plain data in whose texts ``{seed}`` is the seed."""
    if isinstance(value, Mapping):
        return {key: for_seed(each, seed) for key, each in value.items()}
    if isinstance(value, list):
        return [for_seed(each, seed) for each in value]
    return value.replace("{seed}", str(seed)) if isinstance(value, str) else value
