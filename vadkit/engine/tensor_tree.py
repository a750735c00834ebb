"""Nested state as JSON plus named tensors, exactly: what pickle is used for elsewhere.

Dictionaries with keys that are not strings, and tuples, come back as they were. Floats come back bit for
bit, because Python writes the shortest text that reads back as the same number.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def pack(tree: Any) -> tuple[Any, dict[str, Tensor]]:
    """Return (plain data for JSON, tensors by path). Raises TypeError for anything else, such as objects."""
    tensors: dict[str, Tensor] = {}
    return _pack(tree, "", tensors), tensors


def _pack(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        # A copy of its own: safetensors refuses two names for one memory (shared weights).
        tensors[path] = value.detach().to("cpu", copy=True).contiguous()
        return {"$tensor": path}
    if isinstance(value, dict) and all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: _pack(item, f"{path}/{key}", tensors) for key, item in value.items()}
    if isinstance(value, dict):
        return {"$items": [[key, _pack(item, f"{path}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        packed = [_pack(item, f"{path}/{index}", tensors) for index, item in enumerate(value)]
        return {"$tuple": packed} if isinstance(value, tuple) else packed
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{path or 'the value'} is a {type(value).__name__}, which cannot be saved")


def unpack(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """Return the tree that ``pack`` was given. Raises KeyError, TypeError or ValueError for another tree."""
    if isinstance(tree, list):
        return [unpack(item, tensors) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "$tensor" in tree:
        return tensors[tree["$tensor"]]
    if "$items" in tree:
        return {key: unpack(item, tensors) for key, item in tree["$items"]}
    if "$tuple" in tree:
        return tuple(unpack(item, tensors) for item in tree["$tuple"])
    return {key: unpack(item, tensors) for key, item in tree.items()}


def same(a: Any, b: Any) -> bool:
    """Return whether two trees are equal bit for bit."""
    (plain_a, tensors_a), (plain_b, tensors_b) = pack(a), pack(b)
    return plain_a == plain_b and all(torch.equal(tensors_a[name], tensors_b[name]) for name in tensors_a)
