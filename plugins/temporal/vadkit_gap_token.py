"""A learned token in place of the snippets that a stream lacks.

As the mask token of BERT and of masked autoencoders: a network is given something that it can recognise as "nothing
known", where zeros would be a feature like any other.

Legend: b bags x crops, t snippets, c channels, n streams of the graph.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vadkit import Temporal, hookimpl


class GapToken(Temporal):
    """Fill the snippets at which a stream is absent with a learned row: p x + (1 - p) token.

    Args:
        in_dim: width of the snippets, kept.
        streams: the graph's inputs, which the columns of ``presence`` are.
        stream: the one that x is computed from; null fills only what no stream shows.
    """

    name = "gap_token"
    inputs = {"x": "b t in_dim", "presence": "b t num_streams"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 4, "streams": ["rgb", "audio"], "stream": "audio"}
    fidelity = "ours"
    lookback = 0

    def __init__(self, *, in_dim: int, streams: list[str] | None = None, stream: str | None = None) -> None:
        super().__init__()
        names = list(streams or ["stream"])
        if stream is not None and stream not in names:
            raise ValueError(f"there is no stream '{stream}'; the graph has {', '.join(names)}")
        self.dim = self.in_dim = in_dim
        self.num_streams, self.column = len(names), None if stream is None else names.index(stream)
        self.token = nn.Parameter(torch.zeros(in_dim))
        nn.init.normal_(self.token, std=0.02)

    def forward(self, x: Tensor, presence: Tensor) -> Tensor:
        """Take x (b, t, c) and presence (b, t, n); return (b, t, c)."""
        there = presence.amax(-1) if self.column is None else presence[..., self.column]
        there = there[..., None].to(x.dtype)
        return there * x + (1 - there) * self.token.to(x.dtype)


@hookimpl
def vadkit_components() -> list[type]:
    return [GapToken]
