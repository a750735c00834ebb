"""Find a component by kind and name, and build it from the arguments in a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vadkit.graph.arguments import arguments, misfit
from vadkit.kinds import Component
from vadkit.plugin_manager import Plugins, load_plugins
from vadkit.presence import STREAM as PRESENCE
from vadkit.problems import Problem, VadkitError, did_you_mean, fail
from vadkit.shapes import parse_ports


def find_component(name: str, kind: str, plugins: Plugins | None = None) -> type[Component]:
    """Return the component class of that kind and name. Raises VadkitError if there is none."""
    plugins = plugins or load_plugins()
    components = plugins.components
    found = components.find(name, kind)
    if found is None:
        other = components.find(name)
        if other is not None:
            fail(f"'{name}' is a {other.kind}, not a {kind}", hint=_known(components.names(kind)))
        hint = components.suggest(name, (kind,)) or _known(components.names(kind))
        fail(f"unknown {kind} '{name}'", hint, notes=plugins.lost)
    return found


def takes_presence(spec: Mapping[str, Any], plugins: Plugins | None = None) -> bool:
    """Return whether a node or loss of a resolved config takes ``presence``: its videos may then lack streams."""
    components = (plugins or load_plugins()).components
    for section in ("nodes", "losses"):
        for item in (spec.get(section) or {}).values():
            wired = item.get("in")
            given = wired if isinstance(wired, Mapping) else {"": wired}
            sources = [x for value in given.values() for x in (value if isinstance(value, list) else [value])]
            ports = parse_ports(getattr(components.find(item["use"]), "inputs", {}))
            if PRESENCE in sources or (PRESENCE in ports and PRESENCE not in given):
                return True
    return False


def _known(names: list[str]) -> str:
    return f"there are {', '.join(names)}" if names else "there are none; a plugin may be missing"


def build_component(component: type[Component], args: Mapping[str, Any], where: str) -> Any:
    """Return ``component(**args)``. Raises VadkitError, naming ``where.args.NAME``, for bad arguments."""
    known = arguments(component)
    problems = []
    for key, value in args.items():
        if key not in known:
            takes = f"{component.name} takes {', '.join(known) or 'no arguments'}"
            hint = did_you_mean(key, known) or takes
            problems.append(Problem(f"{where}.args.{key}: {component.name} has no such argument", hint=hint))
        elif (wrong := misfit(value, known[key].type)) is not None:
            problems.append(Problem(f"{where}.args.{key} {wrong}"))
    for key, argument in known.items():
        if argument.required and key not in args:
            hint = f"for example --set {where}.args.{key}=..."
            problems.append(Problem(f"{where}.args.{key} is missing: {component.name} needs it", hint=hint))
    if problems:
        raise VadkitError(problems)
    try:
        return component(**args)
    except ValueError as error:
        fail(f"{where}.args: {error}")
