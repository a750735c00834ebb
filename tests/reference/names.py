"""Official names of weights to ours, by the tables in registry_configs/names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vadkit.plugin_manager import load_plugins
from vadkit.systems import names_table
from vadkit.systems.weights_import import same_layout

TABLES = Path(__file__).parents[2] / "registry_configs" / "names"


class Names:
    """A table that translates names. A case of one module drops what precedes the module's own names: ``prefix``."""

    def __init__(self, table: str, prefix: str = "") -> None:
        self.table = names_table.read_names(TABLES / f"{table}.txt", load_plugins().components.find).below(prefix)

    def __call__(self, official: str) -> str | None:
        """Return our name, or None for a weight that the authors never use, or register twice."""
        name = self.table.find(official)
        if name is None:
            raise KeyError(f"no name of ours for '{official}'")
        return name.ours

    def optional(self, official: str) -> bool:
        name = self.table.find(official)
        return name is not None and name.optional

    def transposed(self, official: str) -> bool:
        name = self.table.find(official)
        return name is not None and name.transposed


def load(
    module: nn.Module, state: Mapping[str, np.ndarray], ours: Mapping[str, str], names: Names | None = None
) -> None:
    """Fill ``module`` with ``state``; ``ours`` translates its names. Nothing may be left on either side."""
    own = module.state_dict()
    given = {}
    for official, value in state.items():
        name = ours[official]
        tensor = torch.from_numpy(np.asarray(value))
        if names is not None and names.transposed(official):
            tensor = tensor.t()
        given[name] = tensor.reshape(own[name].shape) if name in own else tensor
        if name in own and not same_layout(tensor.shape, own[name].shape):
            raise ValueError(f"{official} is {tuple(tensor.shape)}, {name} is {tuple(own[name].shape)}")
    module.load_state_dict(given, strict=True)
