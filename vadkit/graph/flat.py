"""A config as one mapping from dotted keys, such as ``train.optimizer.lr``, to values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return what is at each dotted key; lists and empty mappings are values."""
    if not isinstance(value, Mapping) or not value:
        return {path: value}
    return {k: v for key, item in value.items() for k, v in flat(item, f"{path}.{key}" if path else str(key)).items()}


def under(key: str, roots: Iterable[str]) -> bool:
    """Return whether a dotted key is one of ``roots``, or inside of it."""
    return any(key == root or key.startswith(f"{root}.") for root in roots)
