"""Concatenation with a learned weight per stream and snippet, softmax over the streams.

Another interpretation of "feature fusion with attention" in the seed paper (IEEE OJCS 2024): each stream
is a token, and the tokens of one snippet compete.

Legend: b bags x crops, t snippets, c channels, n streams.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vadkit import Fusion, hookimpl
from vadkit.layers import initialise


class ConcatAttention(Fusion):
    """Scale stream i by n softmax_i(w_i x_i + b_i), then join all. Equal weights give plain ``concat``.

    Args:
        dims: widths of the streams.
    """

    name = "concat_attention"
    example = {"dims": [4, 3]}
    paper = "an interpretation of section IV-E of the seed paper (IEEE OJCS 2024)"
    lookback = 0

    def __init__(self, *, dims: list[int]) -> None:
        super().__init__()
        self.dims, self.dim = list(dims), sum(dims)
        self.scorers = nn.ModuleList(nn.Linear(dim, 1) for dim in dims)
        initialise(self)

    def forward(self, x: list[Tensor]) -> Tensor:
        """Take streams (b, t, c_i); return (b, t, sum of c_i)."""
        scores = torch.cat([scorer(stream) for scorer, stream in zip(self.scorers, x)], dim=-1)
        weight = scores.softmax(-1) * len(x)  # (b, t, n)
        return torch.cat([stream * weight[..., i : i + 1] for i, stream in enumerate(x)], dim=-1)


@hookimpl
def vadkit_components() -> list[type]:
    return [ConcatAttention]
