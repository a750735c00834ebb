"""Which field of the recipes is to blame: one that differs, and whose difference the numbers bear out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vadkit.diff.causes import Cause, Modality
from vadkit.diff.evidence import Evidence

Recipe = Mapping[str, Any]
Shows = Callable[[Evidence, set[str]], bool]  # evidence and names of causes -> is there something of this field?
SMALL = 0.2  # what half-precision arithmetic leaves about the mean, at most


def differing(a: Recipe, b: Recipe) -> dict[str, tuple[Any, Any]]:
    """Return the fields in which two recipes differ, with A's and B's value; None for one that is absent."""
    return {field: (a.get(field), b.get(field)) for field in {**a, **b} if a.get(field) != b.get(field)}


def modality_of(recipe: Recipe | None, stream: str) -> Modality | None:
    """Return what a stream's backbone looks at, by its recipe or else by its name; None if neither tells."""
    words = stream.lower() if not recipe else f"{stream} {recipe.get('backbone', '')}".lower()
    if (recipe and "sample_rate" in recipe) or any(word in words for word in ("audio", "sound", "vggish", "mel")):
        return "audio"
    if (recipe and "flow" in recipe) or "flow" in words:
        return "flow"
    return "rgb" if recipe or any(word in words for word in ("rgb", "clip", "i3d", "vit")) else None


def blame(
    fields: Mapping[str, tuple[Any, Any]], evidence: Evidence, found: Sequence[Cause]
) -> tuple[list[Cause], list[str]]:
    """Return the fields that the numbers bear out as causes, and those of which nothing shows.

    A field is certain if it is the only one that can explain what it explains.

    Args:
        fields: what ``differing`` returns.
        found: facts and open questions by the numbers alone.
    """
    names = {cause.name for cause in found}
    showing = {field: values for field, values in fields.items() if _shows(field)(evidence, names)}
    groups: dict[str, list[str]] = {}
    for field in showing:
        groups.setdefault(_group(field), []).append(field)
    causes = []
    for field, values in showing.items():
        alone = len(groups[_group(field)]) == 1 and not (_group(field) == "input" and "weights" in groups)
        told = f"{field}: {say(field, values[0])} in A, {say(field, values[1])} in B"
        causes.append(Cause(field, told, "certain" if alone else "likely", field))
    causes.sort(key=lambda cause: _ORDER.index(_group(cause.field or "")))
    return causes, [field for field in fields if field not in showing]


def say(field: str, value: Any) -> str:
    """Return the value of a recipe's field in words."""
    if value is None:
        return "each video's own" if field == "fps" else "not told"
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:16]}..." if len(text) == 64 and text.isalnum() else text  # a SHA-256


# -- what a field shows in ---------------------------------------------------------------------------
def _left(evidence: Evidence, names: set[str]) -> bool:
    """Something is left that no fact explains."""
    return evidence.numbers is None or not evidence.numbers.values.exact


def _rate(evidence: Evidence, names: set[str]) -> bool:
    return bool(names & {"rate", "stride", "tail", "cut", "lengths", "shift"}) or _left(evidence, names)


def _tail(evidence: Evidence, names: set[str]) -> bool:
    return bool(names & {"tail", "cut", "lengths"})


def _start(evidence: Evidence, names: set[str]) -> bool:
    return bool(names & {"shift", "tail"}) or _left(evidence, names)


def _crops(evidence: Evidence, names: set[str]) -> bool:
    return bool(names & {"crops", "mirrored"}) or (evidence.shapes.a[0] == 1 and _left(evidence, names))


def _precision(evidence: Evidence, names: set[str]) -> bool:
    if names & {"rounded", "arithmetic"}:
        return True
    return _left(evidence, names) and evidence.numbers is not None and evidence.numbers.values.left < SMALL


def _scale(evidence: Evidence, names: set[str]) -> bool:
    return bool(names & {"scaled", "scaled_each", "unit", "relu", "quantised"}) or _left(evidence, names)


def _network(evidence: Evidence, names: set[str]) -> bool:
    return "width" in names or _left(evidence, names)


_FIELDS: dict[str, tuple[str, Shows]] = {
    **dict.fromkeys(
        ("backbone", "network", "weights", "pretrained", "model", "activation", "non_local"), ("weights", _network)
    ),
    **dict.fromkeys(("fps", "stride", "snippet_frames"), ("rate", _rate)),
    **dict.fromkeys(("start", "first_frame"), ("start", _start)),
    "tail": ("tail", _tail),
    "crops": ("crops", _crops),
    "precision": ("precision", _precision),
    **dict.fromkeys(("postprocess", "pca"), ("scale", _scale)),
}
_ORDER = ["weights", "rate", "start", "tail", "crops", "input", "scale", "precision"]


def _group(field: str) -> str:
    return _FIELDS.get(field, ("input", _left))[0]


def _shows(field: str) -> Shows:
    return _FIELDS.get(field, ("input", _left))[1]


def with_fields(found: Sequence[Cause], blamed: Sequence[Cause]) -> list[Cause]:
    """Return the facts, each with the field that tells of it, where one does; without what a field explains besides."""
    by_group = {_group(cause.field or ""): cause.field for cause in reversed(blamed)}
    explained = {name for group in by_group for name in _CONSEQUENCES.get(group, ())}
    return [
        replace(cause, field=by_group.get(_OF_FACT.get(cause.name, "")))
        for cause in found
        if cause.certainty == "certain" or cause.name not in explained
    ]


_CONSEQUENCES = {"rate": ("rate", "tail", "cut", "lengths", "start", "shift"), "start": ("start", "tail", "shift")}


_OF_FACT = {
    "rate": "rate",
    "stride": "rate",
    "shift": "start",
    "tail": "tail",
    "cut": "tail",
    "crops": "crops",
    "mirrored": "crops",
    "rounded": "precision",
    "arithmetic": "precision",
    "scaled": "scale",
    "scaled_each": "scale",
    "unit": "scale",
    "quantised": "scale",
    "width": "weights",
}
