"""What a component is: docstring, ports, arguments, source, paper."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

from vadkit.cli.tables import fitted, print_table

if TYPE_CHECKING:
    from vadkit.plugin_manager import Plugins

SHOWN = (
    *("lookahead", "live scores", "range", "needs", "indices", "mask_switch", "modality", "dim"),
    *("paper", "fidelity", "licence", "source"),
)


def component_facts(plugins: Plugins, component: type[Any]) -> dict[str, Any]:
    """Return everything about a component, by name."""
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
    built = _built(component)
    if hasattr(built, "lookahead") and built is not component:
        facts["lookahead"] = built.lookahead
        facts["live scores"] = _live(built)
    for name in ("range", "needs"):
        if (value := getattr(built, name, None)) not in (None, {}):
            facts[name] = value
    for name in ("indices", "mask_switch", "modality", "dim", "licence", "authors_names"):
        value = getattr(component, name, None)
        if value is not None and not callable(value) and not isinstance(value, property) and value not in ({}, ""):
            facts[name] = value
    return facts


def _built(component: type[Any]) -> Any:
    """Return one built from its example, since the constructor may set what it declares, or else the class."""
    import torch

    if not hasattr(component, "example") and component.kind != "postprocess":
        return component
    try:
        with torch.device("meta"):
            return component(**getattr(component, "example", {}))
    except Exception:  # noqa: BLE001 - a component that cannot be built can still be described
        return component


def _live(part: Any) -> str:
    """Return how a node or postprocess gives live scores, or that it cannot."""
    from vadkit.graph.stages import has_step, why_whole

    if reason := why_whole(part):
        return f"no, it {reason} (unless its arguments change that)"
    if has_step(part):
        return "yes, it keeps what it needs of earlier snippets"
    return f"yes, from {part.lookback} snippets before and {part.lookahead} after its own"


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


def print_component(facts: dict[str, Any]) -> None:
    """Print what ``component_facts`` returned."""
    print(f"{facts['name']}: {facts['kind']}, plugin {facts['plugin']} ({facts['package']})\n")
    print(fitted(facts["docstring"]) + "\n")
    for side in ("inputs", "outputs"):
        if facts[side]:
            print_table([side, "shape"], [[port, shape or "a number"] for port, shape in facts[side].items()])
            print()
    if facts["arguments"]:
        print_table(["argument", "default", "type"], [[a["name"], _default(a), a["type"]] for a in facts["arguments"]])
        print()
    for name in SHOWN:
        if facts.get(name) not in (None, ""):
            print(f"{name}: {_say(name, facts[name])}")
    if facts.get("authors_names"):
        print()
        names = facts["authors_names"].items()
        rows = [[ours, theirs if isinstance(theirs, str) else ", ".join(theirs)] for ours, theirs in names]
        print_table(["name in the state dict", "in the authors' checkpoint"], rows)


def _default(argument: dict[str, Any]) -> str:
    if argument["inferred"]:
        return "inferred"
    if argument["required"]:
        return "must be given"
    return json.dumps(argument["default"], default=str)


def _say(name: str, value: Any) -> str:
    if name == "lookahead":
        return "the whole video" if value == "all" else f"{value} snippets (unless its arguments change that)"
    if name == "indices":
        return ", ".join(f"{port} (whole numbers below {below})" for port, below in value.items())
    if isinstance(value, dict):
        return ", ".join(f"{key} as {wanted}" for key, wanted in value.items())
    return str(value)
