"""Which backbones feed which streams: as a graph's inputs name them, or as said on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vadkit.components import build_component, find_component
from vadkit.graph.arguments import arguments
from vadkit.graph.compiler import compile_plan
from vadkit.graph.source import load_config
from vadkit.graph.yaml_reader import read_value
from vadkit.kinds import Backbone
from vadkit.plugin_manager import Plugins
from vadkit.problems import Problem, VadkitError, fail

Told = dict[str, tuple[str, dict[str, Any]]]  # stream -> name and arguments of its backbone


def streams_of_graph(config: str | Path | dict[str, Any], sets: Sequence[str], plugins: Plugins) -> Told:
    """Return the backbones of a graph's inputs, by the names that ``data.streams`` gives the streams.

    Raises VadkitError for a graph that is wrong, an input without a backbone, and one stream for two backbones.
    """
    spec = compile_plan(load_config(config, sets, plugins.config_folders), plugins).spec
    names = spec["data"].get("streams") or {}
    where = "the config" if isinstance(config, dict) else str(config)
    told: Told = {}
    for name, given in spec["inputs"].items():
        if not isinstance(given, dict):
            fail(
                f"{where}: input '{name}' is a shape ({given}) and names no backbone",
                f"write {name}: {{use: BACKBONE}} there, say --set 'inputs.{name}={{use: BACKBONE}}', or use --stream; "
                "'vadkit list backbone' shows what there is",
            )
        stream, one = names.get(name, name), (given["use"], dict(given.get("args") or {}))
        if told.setdefault(stream, one) != one:
            fail(f"{where}: stream '{stream}' is of two backbones, {told[stream]} and {one}")
    return told


def streams_of_words(words: Iterable[str]) -> Told:
    """Return what NAME=COMPONENT[,argument=value...] say. Raises VadkitError with everything that is wrong."""
    told: Told = {}
    problems: list[Problem] = []
    for word in words:
        name, _, rest = word.partition("=")
        component, *settings = split_commas(rest)
        if not name or not component.strip():
            problems.append(
                Problem(f"--stream {word}: there is no backbone", hint="write NAME=COMPONENT, as in rgb=i3d_rgb")
            )
        elif name in told:
            problems.append(Problem(f"--stream {word}: there is a stream '{name}' already"))
        else:
            told[name] = component.strip(), dict(_setting(word, setting, problems) for setting in settings)
    if problems:
        raise VadkitError(problems)
    return told


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


def _setting(word: str, setting: str, problems: list[Problem]) -> tuple[str, Any]:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip() or not value.strip():
        problems.append(
            Problem(f"--stream {word}: '{setting}' is no argument", hint="write argument=value, as in crops=five")
        )
        return key, None
    reading = read_value(value, setting, 1, len(key) + 1)
    problems += reading.problems
    return key.strip(), None if reading.tree is None else reading.tree.plain()


def build_backbones(
    told: Mapping[str, tuple[str, Mapping[str, Any]]], plugins: Plugins, common: Mapping[str, Any]
) -> dict[str, Backbone]:
    """Return the backbones by stream, each with those of the ``common`` arguments that it takes and was not given.

    ``random_weights`` goes to those without weights only. Raises VadkitError for an unknown component or bad
    arguments, and for a common argument that no backbone takes.
    """
    built: dict[str, Backbone] = {}
    used: set[str] = set()
    for stream, (name, args) in told.items():
        component = find_component(name, "backbone", plugins)
        takes = {key: value for key, value in common.items() if key in arguments(component)}
        used |= takes.keys()
        if args.get("weights") is not None:
            takes.pop("random_weights", None)
        built[stream] = build_component(component, {**takes, **args}, f"stream '{stream}'")
    for key in common.keys() - used:
        fail(f"no backbone of the streams {', '.join(told)} takes '{key}'", hint="leave it out")
    return built
