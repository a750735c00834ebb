"""What the recipes of features say that whoever uses them must know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RANDOM = "random"  # what stands in a recipe in place of the SHA-256 of weights


def of_random_weights(recipes: Mapping[str, Mapping[str, Any]], what: str = "stream") -> list[str]:
    """Return a sentence if any of the recipes, by stream or input, is of a network with random weights."""
    names = [name for name, told in recipes.items() if told and told.get("weights") == RANDOM]
    if not names:
        return []
    listed = ", ".join(f"'{name}'" for name in names)
    return [
        f"the features of {what}{'s' if len(names) > 1 else ''} {listed} are of networks with random weights, "
        "which have learned nothing: good for trying things out, and no figure means anything"
    ]
