"""Reliability gate: each snippet of each stream says how far it can be trusted, and an absent one cannot be.

Legend: b bags x crops, t snippets, c channels, n streams of the graph, m streams that are fused.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vadkit import Fusion, hookimpl
from vadkit.layers import initialise, presence_columns, presence_of


class ReliabilityGate(Fusion):
    """Mean of the projected streams, weighted by how reliable each is at each snippet: a softmax over those there.

    The weight of stream i is p_i exp(r_i) / sum_j p_j exp(r_j), with r_i a small network on x_i, so that noise, which
    looks like no feature of that stream, weighs less than signal. Multiplied by m, it is 1 for equally good streams.
    Where no stream is there, the result is the bias.

    Args:
        dims: widths of the streams.
        dim: width of the result; null means the first stream's.
        streams: the graph's inputs, which the columns of ``presence`` are.
        of: for each x, the input that it is computed from; null, or a null in its place, counts as always there.
        hidden: width of the network that judges a stream.
    """

    name = "reliability_gate"
    inputs = {"*x": "b t dims", "presence": "b t num_streams"}
    example = {"dims": [4, 3]}
    fidelity = "ours"
    lookback = 0

    def __init__(
        self,
        *,
        dims: list[int],
        dim: int | None = None,
        streams: list[str] | None = None,
        of: list[str | None] | None = None,
        hidden: int = 16,
    ) -> None:
        super().__init__()
        if dim is not None and dim < 1:
            raise ValueError(f"dim must be at least 1, or null for the first stream's width, not {dim}")
        if hidden < 1:
            raise ValueError(f"hidden must be at least 1, not {hidden}")
        self.dims, self.dim = list(dims), dim or dims[0]
        self.num_streams = len(streams or [""])
        self.columns = presence_columns(streams, of, len(dims))
        self.project = nn.ModuleList(nn.Linear(size, self.dim, bias=False) for size in dims)
        self.judge = nn.ModuleList(
            nn.Sequential(nn.Linear(size, hidden), nn.Tanh(), nn.Linear(hidden, 1)) for size in dims
        )
        self.bias = nn.Parameter(torch.zeros(self.dim))
        initialise(self)

    def forward(self, x: list[Tensor], presence: Tensor) -> Tensor:
        """Take streams (b, t, c_i) and presence (b, t, n); return (b, t, dim)."""
        weights = self.weights(x, presence)
        total = torch.zeros_like(x[0][..., :1])
        for stream, project, weight in zip(x, self.project, weights.unbind(-1)):
            total = total + weight[..., None] * project(stream)
        return total + self.bias

    def weights(self, x: list[Tensor], presence: Tensor) -> Tensor:
        """Return (b, t, m), of mean 1 over the streams if one is there."""
        trust = torch.cat([judge(stream) for stream, judge in zip(x, self.judge)], -1)
        there = presence_of(presence, self.columns).to(trust.dtype)
        shares = there * (trust - trust.detach().amax(-1, keepdim=True)).clamp(min=-30).exp()
        return len(x) * shares / shares.sum(-1, keepdim=True).clamp(min=1e-20)


@hookimpl
def vadkit_components() -> list[type]:
    return [ReliabilityGate]
