"""Sinks as a user names them: NAME, NAME:argument=value,..., or a YAML file with the list ``sinks``.

sinks:
  - use: mqtt
    args: {broker: mqtt://broker.local}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vadkit.components import build_component, find_component
from vadkit.extract.streams import split_commas
from vadkit.graph.wording import say
from vadkit.graph.yaml_reader import Tree, read_file, read_value
from vadkit.plugin_manager import Plugins
from vadkit.problems import Problem, VadkitError, unknown

EXAMPLE = "for example --sink webhook:url=https://example.org/hook,timeout_s=3"
YAML_EXAMPLE = "sinks: [{use: mqtt, args: {broker: mqtt://broker.local}}]"
Chosen = list[tuple[str, dict[str, Any]]]


def build_sinks(options: Sequence[str], plugins: Plugins) -> dict[str, Any]:
    """Return the sinks by a name that is the same at each start: that of the component, numbered if it is repeated.

    Raises VadkitError for what cannot be read, an unknown sink, and arguments that it refuses.
    """
    chosen = [one for option in options for one in _chosen(option)]
    sinks: dict[str, Any] = {}
    for use, args in chosen:
        names = (use, *(f"{use}-{number}" for number in range(2, len(chosen) + 2)))
        name = next(name for name in names if name not in sinks)
        sinks[name] = build_component(find_component(use, "sink", plugins), args, f"sink '{name}'")
    return sinks


def _chosen(option: str) -> Chosen:
    if Path(option).suffix.lower() in (".yaml", ".yml"):
        return _of_file(Path(option))
    use, colon, rest = option.partition(":")
    if not use.strip() or (colon and not rest):
        raise VadkitError([Problem(f"--sink {option}: must be NAME or NAME:argument=value,...", hint=EXAMPLE)])
    problems: list[Problem] = []
    args = dict(_setting(option, setting, problems) for setting in split_commas(rest) if rest)
    if problems:
        raise VadkitError(problems)
    return [(use.strip(), args)]


def _setting(option: str, setting: str, problems: list[Problem]) -> tuple[str, Any]:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip() or not value.strip():
        problems.append(Problem(f"--sink {option}: '{setting}' is not an argument", hint=EXAMPLE))
        return key, None
    reading = read_value(value, setting, 1, len(key) + 1)
    problems += reading.problems
    return key.strip(), None if reading.tree is None else reading.tree.plain()


def _of_file(path: Path) -> Chosen:
    reading = read_file(path)
    problems = list(reading.problems)
    found = [] if reading.tree is None else _list(reading.tree, problems)
    if not found and not problems:
        problems.append(Problem(f"{path}: names no sink", hint=YAML_EXAMPLE))
    if problems:
        raise VadkitError(problems)
    return found


def _list(tree: Tree, problems: list[Problem]) -> Chosen:
    top = tree.value
    sinks = top.get("sinks") if isinstance(top, dict) else None
    if not isinstance(top, dict) or sinks is None or not isinstance(sinks.value, list):
        problems.append(Problem("a file of sinks is a mapping with the list 'sinks'", tree.place, YAML_EXAMPLE))
        return []
    problems += [unknown(key, ("sinks",), "key", "", one.key_place) for key, one in top.items() if key != "sinks"]
    return [one for item in sinks.value if (one := _item(item, problems)) is not None]


def _item(tree: Tree, problems: list[Problem]) -> tuple[str, dict[str, Any]] | None:
    plain = tree.plain()
    if isinstance(plain, str):
        return plain, {}
    if not isinstance(tree.value, dict) or not isinstance(plain.get("use"), str):
        problems.append(Problem(f"a sink must be a mapping with use, got {say(plain)}", tree.place, YAML_EXAMPLE))
        return None
    keys = ("use", "args")
    problems += [unknown(k, keys, "key", "of a sink", v.key_place) for k, v in tree.value.items() if k not in keys]
    args = plain.get("args") or {}
    if not isinstance(args, Mapping):
        problems.append(Problem(f"args must be a mapping, got {say(args)}", tree.value["args"].place, YAML_EXAMPLE))
        return None
    return plain["use"], dict(args)
