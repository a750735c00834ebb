"""Sum of streams of one width: residual connections, Eq. 4 of the seed paper."""

from __future__ import annotations

from torch import Tensor

from vadkit import Fusion, hookimpl


class Sum(Fusion):
    """Add streams of one width.

    Args:
        dim: width of every stream.
    """

    name = "sum"
    inputs = {"*x": "b t dim"}
    example = {"dim": 4}
    lookback = 0

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: list[Tensor]) -> Tensor:
        """Take streams (b, t, c); return (b, t, c)."""
        total = x[0]
        for stream in x[1:]:
            total = total + stream
        return total


@hookimpl
def vadkit_components() -> list[type]:
    return [Sum]
