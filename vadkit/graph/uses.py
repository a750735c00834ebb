"""The components that a config uses: found by name and kind, and built where that only looks at their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vadkit.graph.arguments import arguments, check_args
from vadkit.graph.names import why_not
from vadkit.graph.schema_check import dotted
from vadkit.graph.wording import shorten
from vadkit.plugin_manager import Plugins
from vadkit.problems import Problems
from vadkit.shapes import parse_ports

Path = tuple[Any, ...]


def used_component(
    name: Any, kinds: tuple[str, ...], path: Path, plugins: Plugins, problems: Problems, bare: bool = False
) -> Any:
    """Return the class called ``name`` if it is of one of the kinds; else note why not, at ``use`` or ``path``."""
    if not isinstance(name, str) or not name:  # noted with the other keys
        return None
    at = path if bare else (*path, "use")
    found = plugins.components.find(name)
    if found is None:

        def hint() -> str:
            return plugins.components.suggest(name, kinds) or f"'vadkit list {kinds[0]}' shows the known ones"

        problems.add(f"unknown component '{shorten(name)}'", at, hint, plugins.lost)
    elif found.kind not in kinds:
        problems.add(f"'{name}' is of kind {found.kind}; {dotted(path)} takes {_either(kinds)}", at)
    elif wrong := next(filter(None, (why_not(port, "port") for port in _ports(found))), None):
        problems.add(f"plugin component '{name}' has a port that cannot be wired: {wrong}", at)
    else:
        return found
    return None


def check_build(component: Any, args: Mapping[str, Any], path: Path, problems: Problems) -> bool:
    """Build a component of its arguments, and note what is wrong with them; return whether all is good."""
    if not check_args(component, args, dotted(path), (*path, "args"), problems):
        return False
    missing = [name for name, known in arguments(component).items() if known.required and name not in args]
    for name in missing:
        problems.add(f"{dotted(path)} needs the argument '{name}' of {component.name}", path, key=True)
    if missing:
        return False
    try:
        component(**args)
    except Exception as error:  # the constructor's refusal, whatever it is
        at = (*path, "args") if args else path
        problems.add(f"{dotted(path)} ({component.name}) refused its arguments: {error}", at, key=True)
        return False
    return True


def _ports(component: Any) -> list[str]:
    """Return the names of the ports of a component; none for a kind that has no ports."""
    return [*parse_ports(getattr(component, "inputs", {})), *parse_ports(getattr(component, "outputs", {}))]


def _either(kinds: tuple[str, ...]) -> str:
    return kinds[0] if len(kinds) == 1 else ", ".join(kinds[:-1]) + " or " + kinds[-1]
