"""Which backbones feed which streams: from the inputs of a graph, or from the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vadkit.components import build_component, find_component
from vadkit.graph.arguments import arguments
from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.graph.yaml_reader import read_value
from vadkit.kinds import Backbone
from vadkit.plugin_manager import Plugins
from vadkit.problems import Problem, VadkitError, fail

Choices = dict[str, tuple[str, dict[str, Any]]]  # stream -> name and arguments of its backbone


def streams_of_graph(config: str | Path | dict[str, Any], sets: Sequence[str], plugins: Plugins) -> Choices:
    """Return the backbones of a graph's inputs, by the names that ``data.streams`` gives the streams.

    Raises VadkitError for a broken graph, an input without a backbone, and a stream with two backbones.
    """
    spec = compile_plan(load_config(config, sets, plugins.config_folders), plugins).spec
    names = spec["data"].get("streams") or {}
    where = "the config" if isinstance(config, dict) else str(config)
    chosen: Choices = {}
    for name, given in spec["inputs"].items():
        if not isinstance(given, dict):
            fail(
                f"{where}: input '{name}' is a shape ({given}), not a backbone",
                f"write {name}: {{use: BACKBONE}}, or --set 'inputs.{name}={{use: BACKBONE}}', or use --stream; "
                "see 'vadkit list backbone'",
            )
        stream, one = names.get(name, name), (given["use"], dict(given.get("args") or {}))
        if chosen.setdefault(stream, one) != one:
            fail(f"{where}: stream '{stream}' has two backbones, {chosen[stream]} and {one}")
    return chosen


def streams_of_options(options: Iterable[str]) -> Choices:
    """Return what options NAME=COMPONENT[,argument=value...] say. Raises VadkitError with everything that is wrong."""
    chosen: Choices = {}
    problems: list[Problem] = []
    for option in options:
        name, _, rest = option.partition("=")
        component, *settings = split_commas(rest)
        if not name or not component.strip():
            problems.append(
                Problem(
                    f"--stream {option}: it names no backbone", hint="write NAME=COMPONENT, for example rgb=i3d_rgb"
                )
            )
        elif name in chosen:
            problems.append(Problem(f"--stream {option}: stream '{name}' is given twice"))
        else:
            chosen[name] = component.strip(), dict(_setting(option, setting, problems) for setting in settings)
    if problems:
        raise VadkitError(problems)
    return chosen


def split_commas(text: str) -> list[str]:
    """Return the parts between commas, but for commas in brackets or quotes."""
    parts, depth, quote = [""], 0, ""
    for c in text:
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        else:
            depth += (c in "[{") - (c in "]}")
        if c == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += c
    return parts


def _setting(option: str, setting: str, problems: list[Problem]) -> tuple[str, Any]:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip() or not value.strip():
        problems.append(
            Problem(
                f"--stream {option}: '{setting}' is not an argument",
                hint="write argument=value, for example crops=five",
            )
        )
        return key, None
    reading = read_value(value, setting, 1, len(key) + 1)
    problems += reading.problems
    return key.strip(), None if reading.tree is None else reading.tree.plain()


def build_backbones(
    chosen: Mapping[str, tuple[str, Mapping[str, Any]]], plugins: Plugins, common: Mapping[str, Any]
) -> dict[str, Backbone]:
    """Return the backbones by stream, each with those of the ``common`` arguments that it takes and was not given.

    ``random_weights`` goes to those without weights only. Raises VadkitError for an unknown component or bad
    arguments, and for a common argument that no backbone takes.
    """
    built: dict[str, Backbone] = {}
    used: set[str] = set()
    for stream, (name, args) in chosen.items():
        component = find_component(name, "backbone", plugins)
        takes = {key: value for key, value in common.items() if key in arguments(component)}
        used |= takes.keys()
        if args.get("weights") is not None:
            takes.pop("random_weights", None)
        built[stream] = build_component(component, {**takes, **args}, f"stream '{stream}'")
    for key in common.keys() - used:
        fail(f"no backbone of the streams {', '.join(chosen)} takes '{key}'", hint="leave it out")
    return built
