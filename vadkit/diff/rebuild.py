"""Build the backbone that a recipe tells of: the arguments are those whose recipe is that recipe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from vadkit.components import build_component, find_component
from vadkit.graph.arguments import Argument, arguments, misfit
from vadkit.kinds import Backbone, Component
from vadkit.problems import VadkitError, fail

OURS = ("weights", "random_weights", "device")  # not told by a recipe's words


def rebuild(
    recipe: Mapping[str, Any], weights: str | None = None, device: str = "cpu"
) -> tuple[Backbone, dict[str, Any]]:
    """Return the backbone and its arguments.

    Args:
        recipe: of a stream of a store.
        weights: the weight file, where the backbone needs one.

    Raises VadkitError if no arguments give that recipe, or the file is missing or another one.
    """
    name = recipe.get("backbone")
    if not isinstance(name, str):
        fail("the recipe names no backbone, so nothing can be made anew by it")
    component = find_component(name, "backbone")
    args = _first_guess(component, recipe, weights, device)
    for argument in arguments(component).values():
        if argument.name not in args and argument.name not in OURS:
            tried = [{**args, argument.name: value} for value in _options(argument, recipe)]
            best = min(tried, key=lambda given: _misses(component, given, recipe))
            if best[argument.name] != argument.default:
                args = best
    backbone: Backbone = build_component(component, args, f"backbone '{name}'")
    told = backbone.recipe()
    other = [key for key in told if told[key] != recipe.get(key)]
    if other:
        lines = "; ".join(f"{key}: {recipe.get(key)} in the recipe, {told[key]} here" for key in other[:3])
        fail(f"backbone '{name}' cannot be made as the recipe tells ({lines})", _hint(other, recipe))
    return backbone, args


def _hint(other: list[str], recipe: Mapping[str, Any]) -> str | None:
    return f"give the weight file of SHA-256 {recipe.get('weights')}" if "weights" in other else None


def _first_guess(
    component: type[Component], recipe: Mapping[str, Any], weights: str | None, device: str
) -> dict[str, Any]:
    known = arguments(component)
    args = {
        key: recipe[key]
        for key in known
        if key in recipe and key not in OURS and misfit(recipe[key], known[key].type) is None
    }
    if "device" in known:
        args["device"] = device
    if "random_weights" in known and recipe.get("weights") == "random":
        args["random_weights"] = True
    elif "weights" in known:
        if weights is None:
            fail(
                f"backbone '{recipe['backbone']}' needs its weight file to make features anew",
                f"--weights FILE; its SHA-256 is {recipe.get('weights')}",
            )
        args["weights"] = weights
    return args


def _options(argument: Argument, recipe: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the values that an argument may have had, its default first."""
    yield argument.default
    if get_origin(argument.type) is Literal:
        yield from get_args(argument.type)
    elif argument.type is bool:
        yield not argument.default
    elif argument.type is int:
        yield from sorted({int(number) for number in re.findall(r"\d+", json.dumps(recipe)) if len(number) < 6})


def _misses(component: type[Component], args: Mapping[str, Any], recipe: Mapping[str, Any]) -> int:
    """Return how many fields of the recipe these arguments do not give."""
    try:
        told = build_component(component, args, "").recipe()
    except VadkitError:
        return len(recipe) + 1
    return sum(told[key] != recipe.get(key) for key in told)
