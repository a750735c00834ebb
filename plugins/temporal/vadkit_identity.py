"""The block that does nothing: replace a node with it to see what the node contributes."""

from __future__ import annotations

from torch import Tensor

from vadkit import Temporal, hookimpl
from vadkit.layers import Dropout


class Identity(Temporal):
    """Return the snippets unchanged, or with numbers dropped in training.

    Args:
        in_dim: width of the snippets, kept.
        dropout: share of the numbers that are 0 in training; the others are scaled up.
    """

    name = "identity"
    example = {"in_dim": 8}
    lookback = 0

    def __init__(self, *, in_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dim = self.in_dim = in_dim
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        return self.dropout(x)


@hookimpl
def vadkit_components() -> list[type]:
    return [Identity]
