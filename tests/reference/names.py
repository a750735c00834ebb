"""Official names of weights to ours, from the tables in registry_configs/names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vadkit.plugin_manager import load_plugins

TABLES = Path(__file__).parents[2] / "registry_configs" / "names"


class Names:
    """A table that translates names: the head of wsv_gst.txt describes its format."""

    def __init__(self, table: str, prefix: str = "") -> None:
        lines = (TABLES / f"{table}.txt").read_text(encoding="utf-8").splitlines()
        rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
        pairs = [pair for row in rows for pair in expanded(*row)]
        # A case of one module drops what precedes the module's own names, on both sides.
        self.pairs = [(old[len(prefix) :], new) for old, new in pairs if old.startswith(prefix)]

    def __call__(self, official: str) -> str | None:
        """Return our name, or None for a weight that the authors never use ("-" in the table)."""
        for old, new in self.pairs:
            pattern = re.escape(old).replace(r"\*", r"(\d+)") + ("(.*)" if old.endswith(".") else "")
            match = re.fullmatch(pattern, official)
            if match and new == "-":
                return None
            if match:
                for found in match.groups():
                    new = new.replace("*", found, 1) if "*" in new else new + found
                return new
        raise KeyError(f"no name of ours for '{official}'")


def expanded(official: str, ours: str, component: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield (official, ours) of one line of a table; for a whole node, those that its component lists."""
    if component is None:
        yield official, ours
        return
    official, node = official.removeprefix("."), ours.removesuffix(":")
    found = load_plugins().components.find(component)
    assert found is not None and found.authors_names, f"{component} lists no names"
    for own, theirs in found.authors_names.items():
        assert isinstance(theirs, str), f"{component}: {own} has several official names, so it needs a line for each"
        yield f"{official}{theirs}", f"{node}.{own}"  # one tensor
        yield f"{official}{theirs}.", f"{node}.{own}."  # or all tensors below


def load(module: nn.Module, state: Mapping[str, np.ndarray], ours: Mapping[str, str]) -> None:
    """Fill ``module`` with ``state``; ``ours`` translates its names. Nothing may be left on either side."""
    own = module.state_dict()
    given = {}
    for official, value in state.items():
        name = ours[official]
        tensor = torch.from_numpy(np.asarray(value))
        given[name] = tensor.reshape(own[name].shape) if name in own else tensor
        if name in own and not same_layout(tensor.shape, own[name].shape):
            raise ValueError(f"{official} is {tuple(tensor.shape)}, {name} is {tuple(own[name].shape)}")
    module.load_state_dict(given, strict=True)


def same_layout(official: Iterable[int], own: Iterable[int]) -> bool:
    """Return whether two shapes are the same but for axes of size 1."""
    return [n for n in official if n != 1] == [n for n in own if n != 1]
