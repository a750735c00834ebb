"""What is wrong with ``train.blend``: nodes without weights, with the same ones, or of another build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vadkit.graph.plan import Plan
from vadkit.graph.weights import Weight
from vadkit.graph.wording import unlike
from vadkit.problems import Note, Problems


def check_blend(plan: Plan, entries: list[Mapping[str, Any]], problems: Problems) -> None:
    """Note each entry whose two nodes cannot be blended; shared weights go by the name under which they are shared."""
    for index, entry in enumerate(entries):
        path = ("train", "blend", index)
        into, source = entry["into"], entry["from"]
        own, other = (_weights(plan, name) for name in (into, source))
        if into == source:
            problems.add(f"{into} cannot be blended with itself", path)
        elif not own:
            use = plan.owners[into].component.name  # type: ignore[attr-defined]
            problems.add(f"{into} ({use}) has no weights to blend, and 'into' needs some", (*path, "into"))
        elif wrong := _difference(into, own, source, other):
            wrong += _arguments(plan, into, source)
            node = plan.owners[source].name
            note = Note(f"{node} is here", problems.locate(("nodes", node), True))
            problems.add(wrong, path, "give both the same use, args and sizes", (note,))


def _arguments(plan: Plan, into: str, source: str) -> str:
    """Return, as the end of a sentence, the argument by which two nodes of one component differ."""
    own, other = plan.owners[into], plan.owners[source]
    found = unlike(into, own.args, source, other.args) if own.component is other.component else None
    return f"; {found}" if found else ""


def _weights(plan: Plan, module: str) -> dict[str, Weight]:
    prefix = f"{module}."
    return {name.removeprefix(prefix): w for name, w in plan.weights.tensors.items() if name.startswith(prefix)}


def _difference(into: str, own: Mapping[str, Weight], source: str, other: Mapping[str, Weight]) -> str | None:
    said = f"{into} and {source} are blended but built differently"
    for name in [*own, *other]:
        if name not in own or name not in other:
            return f"{said}: {source if name in own else into} has no '{name}'"
        if own[name].shape != other[name].shape:
            return f"{said}: '{name}' is {_shape(own[name])} in {into} and {_shape(other[name])} in {source}"
        if own[name].dtype != other[name].dtype:
            return f"{said}: '{name}' is {own[name].dtype} in {into} and {other[name].dtype} in {source}"
    return None


def _shape(weight: Weight) -> str:
    return " x ".join(map(str, weight.shape)) or "a number"
