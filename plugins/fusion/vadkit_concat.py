"""Concatenation of streams, in the order in which they are wired.

Eq. 3 and, read literally, Eq. 15 and 16 of the seed paper.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vadkit import Fusion, hookimpl


class Concat(Fusion):
    """Join the channels of all streams.

    Args:
        dims: widths of the streams.
    """

    name = "concat"
    example = {"dims": [4, 3]}
    lookback = 0

    def __init__(self, *, dims: list[int]) -> None:
        super().__init__()
        self.dims, self.dim = list(dims), sum(dims)

    def forward(self, x: list[Tensor]) -> Tensor:
        """Take streams (b, t, c_i); return (b, t, sum of c_i)."""
        return torch.cat(x, dim=-1)


@hookimpl
def vadkit_components() -> list[type]:
    return [Concat]
