"""The block that does nothing: replace a node with it to see what the node contributes."""

from __future__ import annotations

from torch import Tensor

from vadkit import Temporal, hookimpl


class Identity(Temporal):
    """Return the snippets unchanged.

    Args:
        in_dim: width of the snippets, kept.
    """

    name = "identity"
    example = {"in_dim": 8}

    def __init__(self, *, in_dim: int) -> None:
        super().__init__()
        self.dim = self.in_dim = in_dim

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        return x


@hookimpl
def vadkit_components() -> list[type]:
    return [Identity]
