"""A published system as its authors run it, to compare speed and numbers with: in plain torch, not as a graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn


class Restatement(nn.Module):
    """A published system written down as its authors run it, neither faster nor slower than their code.

    Its state dict has the official names, so that the tables in ``registry_configs/names`` translate its weights.
    A plugin returns such classes from ``vadkit_restatements``; ``vadkit bench speed`` times them next to the graph.
    """

    # Graph that it restates -> constructor arguments with which it has that graph's sizes.
    graphs: ClassVar[Mapping[str, Mapping[str, Any]]]

    def forward(self, **streams: Tensor) -> Tensor:
        """Take streams (b, t, c) by the names of the graph's inputs; return scores (b, t)."""
        raise NotImplementedError

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Take what ``VadModel.loss`` takes, the normal bags first; return the total loss, a scalar."""
        raise NotImplementedError


def check_restatement(restatement: object) -> None:
    """Raise TypeError if a plugin returned something else, or a class that names no graph."""
    if not (isinstance(restatement, type) and issubclass(restatement, Restatement)):
        raise TypeError(f"vadkit_restatements() returned {restatement!r}, which is not a class of vadkit.Restatement")
    graphs = getattr(restatement, "graphs", None)
    if not isinstance(graphs, Mapping) or not graphs or not all(isinstance(a, Mapping) for a in graphs.values()):
        raise TypeError(f"{restatement.__name__}.graphs must map names of graphs to constructor arguments")
