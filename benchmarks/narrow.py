"""Any graph with narrower nodes: for tests, and for a table that trains every system on a small machine.

Nothing here knows a system. A width is an argument whose name says so (``WIDTHS``) or a size of an input. All are
divided by the same number, so that equal widths stay equal. A stack of equal layers is cut to two.
"""

from __future__ import annotations

import copy
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import yaml

from vadkit.graph.load import load_config
from vadkit.plugin_manager import load_plugins, own_configs

WIDTHS = re.compile(r"(^|_)(dim|dims|hidden|width|widths|channels)$")
LEAST = 4
DEPTH, DEEPEST = "depth", 2  # of layers that are all alike
NARROW = "narrow_"  # how the names of narrow files begin
SECTIONS = ("nodes", "losses")


@cache
def parts(graph: str) -> int:
    """Return how large a graph is: its inputs, nodes and losses."""
    data = load_config(graph, (), [own_configs()]).data
    return sum(len(data.get(section) or ()) for section in ("inputs", *SECTIONS))


def narrowed(config: Mapping[str, Any], factor: int) -> dict[str, Any]:
    """Return the config of a graph with narrow nodes, losses and inputs."""
    found = copy.deepcopy(dict(config))
    for section in SECTIONS:
        for entry in (found.get(section) or {}).values():
            given = {**_usual_widths(entry["use"]), **(entry.get("args") or {})}
            entry["args"] = {key: _smaller(key, value, factor) for key, value in given.items()}
    found["inputs"] = {name: _narrow_shape(shape, factor) for name, shape in found["inputs"].items()}
    return found


def narrowing(config: Mapping[str, Any], factor: int) -> list[str]:
    """Return the same as changes, KEY=VALUE: none if the factor is 1."""
    if factor == 1:
        return []
    small = narrowed(config, factor)
    sets = [f"inputs.{name}={shape}" for name, shape in small["inputs"].items() if shape != config["inputs"][name]]
    for section in SECTIONS:
        for name, entry in (small.get(section) or {}).items():
            before = config[section][name].get("args") or {}
            where = f"{section}.{name}.args"
            sets += [f"{where}.{k}={json.dumps(v)}" for k, v in entry["args"].items() if before.get(k) != v]
    return sets


def _smaller(key: str, value: Any, factor: int) -> Any:
    """Return a width divided, a number of equal layers cut, anything else as it is."""
    if key == DEPTH and isinstance(value, int):
        return min(value, DEEPEST)
    return narrow(value, factor) if WIDTHS.search(key) else value


def _usual_widths(component: str) -> dict[str, int]:
    """Return the widths and the depth that a component has where a config says nothing."""
    found = load_plugins().components.find(component)
    assert found is not None
    usual = {name: parameter.default for name, parameter in inspect.signature(found).parameters.items()}
    sizes = {name: value for name, value in usual.items() if WIDTHS.search(name) or name == DEPTH}
    return {name: value for name, value in sizes.items() if isinstance(value, int)}


def narrow(value: Any, factor: int) -> Any:
    """Return a width, or a list of widths, divided."""
    if isinstance(value, list):
        return [narrow(item, factor) for item in value]
    return max(LEAST, value // factor) if isinstance(value, int) and not isinstance(value, bool) else value


def _narrow_shape(shape: str | dict[str, Any], factor: int) -> str | dict[str, Any]:
    """Return a shape with a narrow last axis; an input from a backbone is as wide as that makes it."""
    if isinstance(shape, dict):
        return shape
    *most, last = shape.split()
    return " ".join([*most, str(narrow(int(last), factor))])


def shortening(config: Mapping[str, Any], length: int) -> list[str]:
    """Return the changes that leave at most ``length`` snippets of a bag."""
    args = ((config.get("data") or {}).get("sampler") or {}).get("args") or {}
    if args.get("parts", 0) * args.get("run", 0) > length:  # short runs of a video
        return [f"data.sampler.args.parts={max(2, length // args['run'])}"]
    return [f"data.sampler.args.length={length}"] if args.get("length", 0) > length else []


# -- recipes ---------------------------------------------------------------------------------------
def configs_of(recipe: str) -> list[str]:
    """Return the graphs that the rounds of a recipe train, in order, each once."""
    rounds = load_config(recipe, (), [own_configs()]).data["rounds"]
    return list(dict.fromkeys(each["train"] for each in rounds.values()))


def narrow_recipe(recipe: str, factor: int, length: int) -> dict[str, str]:
    """Return the files of a recipe whose rounds train narrow graphs on bags of at most ``length`` snippets, by name.

    The first is the recipe.
    """
    rounds = load_config(recipe, (), [own_configs()]).data["rounds"]
    trained = {key: {"train": f"{NARROW}{each['train']}.yaml"} for key, each in rounds.items()}
    files: dict[str, Any] = {f"{NARROW}{recipe}.yaml": {"extends": recipe, "rounds": trained}}
    for graph in configs_of(recipe):
        data = load_config(graph, (), [own_configs()]).data
        changes = [*narrowing(data, factor), *shortening(data, length)]
        files[f"{NARROW}{graph}.yaml"] = {"extends": graph, **_nested(changes)}
    return {file: yaml.safe_dump(data, sort_keys=False, width=120) for file, data in files.items()}


def _nested(changes: Sequence[str]) -> dict[str, Any]:
    """Return changes as a config has them."""
    found: dict[str, Any] = {}
    for text in changes:
        key, _, value = text.partition("=")
        *most, last = key.split(".")
        here = found
        for part in most:
            here = here.setdefault(part, {})
        here[last] = yaml.safe_load(value)
    return found
