"""Tell everything about one component: what it does, its ports, its arguments, where it is written."""

from __future__ import annotations

import argparse
import inspect
import json
from typing import TYPE_CHECKING, Any, NoReturn

from vadkit.cli.tables import fitted, print_table
from vadkit.problems import fail

if TYPE_CHECKING:
    from vadkit.plugin_manager import Plugins


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a component, as 'vadkit list' names it")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--without", action="append", default=[], metavar="PLUGIN", help="leave a plugin out")


def run(args: argparse.Namespace) -> int:
    from vadkit.plugin_manager import load_plugins

    plugins = load_plugins(args.without)
    component = plugins.components.find(args.name)
    if component is None:
        _unknown(plugins, args.name)
    facts = _facts(plugins, component)
    if args.json:
        print(json.dumps(facts, indent=2, default=str))
    else:
        _print(facts)
    return 0


def _unknown(plugins: Plugins, name: str) -> NoReturn:
    hint = plugins.components.suggest(name) or "see 'vadkit list'"
    fail(f"unknown component '{name}'", hint, notes=plugins.lost)


def _facts(plugins: Plugins, component: type[Any]) -> dict[str, Any]:
    plugin = next(p for p in plugins.plugins if p.name == plugins.components.owners[component])
    facts = {
        "name": component.name,
        "kind": component.kind,
        "plugin": plugin.name,
        "package": plugin.origin,
        "source": _source(component),
        "paper": component.paper,
        "fidelity": component.fidelity,
        "docstring": inspect.getdoc(component) or "",
        "arguments": _arguments(component),
    }
    for side in ("inputs", "outputs"):
        facts[side] = dict(getattr(component, side, {}))
    if hasattr(component, "lookahead"):
        facts["lookahead"] = _lookahead(component)
    for name in ("range", "needs", "mask_switch", "modality", "dim"):
        value = getattr(component, name, None)
        if value is not None and not callable(value) and not isinstance(value, property) and value != {}:
            facts[name] = value
    return facts


def _lookahead(component: type[Any]) -> Any:
    """Return the lookahead of the class, or of one built from its example where the constructor sets it."""
    import torch

    try:
        with torch.device("meta"):
            return component(**component.example).lookahead
    except Exception:  # noqa: BLE001 - a component that cannot be built can still be described
        return component.lookahead


def _source(component: type[Any]) -> str:
    try:
        return f"{inspect.getsourcefile(component)}:{inspect.getsourcelines(component)[1]}"
    except (OSError, TypeError):  # a class made at run time has no lines
        return f"module {component.__module__}"


def _arguments(component: type[Any]) -> list[dict[str, Any]]:
    from vadkit.graph.arguments import arguments, describe

    words = {word.strip("*?") for text in getattr(component, "inputs", {}).values() for word in text.split()}
    return [
        {
            "name": a.name,
            "type": describe(a.type),
            "required": a.required,
            "default": a.default,
            "inferred": a.name in words,
        }
        for a in arguments(component).values()
    ]


def _print(facts: dict[str, Any]) -> None:
    print(f"{facts['name']}: {facts['kind']}, plugin {facts['plugin']} ({facts['package']})\n")
    print(fitted(facts["docstring"]) + "\n")
    for side in ("inputs", "outputs"):
        if facts[side]:
            print_table([side, "shape"], [[port, shape or "a number"] for port, shape in facts[side].items()])
            print()
    if facts["arguments"]:
        print_table(["argument", "default", "type"], [[a["name"], _default(a), a["type"]] for a in facts["arguments"]])
        print()
    for name in ("lookahead", "range", "needs", "mask_switch", "modality", "dim", "paper", "fidelity", "source"):
        if facts.get(name) not in (None, ""):
            print(f"{name}: {_say(name, facts[name])}")


def _default(argument: dict[str, Any]) -> str:
    if argument["inferred"]:
        return "inferred"
    if argument["required"]:
        return "must be given"
    return json.dumps(argument["default"], default=str)


def _say(name: str, value: Any) -> str:
    if name == "lookahead":
        return "the whole video" if value == "all" else f"{value} snippets (unless its arguments change that)"
    if isinstance(value, dict):
        return ", ".join(f"{key} as {wanted}" for key, wanted in value.items())
    return str(value)
