"""Gated sum: each stream lets through a share of every channel, and what gets through is added.

The gated units of Arevalo et al., "Gated Multimodal Units for Information Fusion", ICLR workshop 2017, each with a gate
of its own.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vadkit import Fusion, hookimpl
from vadkit.layers import initialise


class GatedSum(Fusion):
    """Add up the streams, each multiplied by a gate: the sum of sigmoid(G_i g + b_i) * P_i x_i.

    Args:
        dims: widths of the streams.
        dim: width of the result; null means the first stream's. A stream of this width has no P_i.
        gate: g is the stream's "own" snippet, or all streams "jointly", channel after channel.
    """

    name = "gated_sum"
    example = {"dims": [4, 3]}
    paper = "Arevalo et al., Gated Multimodal Units for Information Fusion, ICLR workshop 2017"
    fidelity = "ours"
    lookback = 0

    def __init__(self, *, dims: list[int], dim: int | None = None, gate: Literal["own", "jointly"] = "own") -> None:
        super().__init__()
        if dim is not None and dim < 1:
            raise ValueError(f"dim must be at least 1, or null for the first stream's width, not {dim}")
        self.dims, self.dim, self.gate = list(dims), dim or dims[0], gate
        self.project = nn.ModuleList(nn.Linear(size, self.dim) if size != self.dim else nn.Identity() for size in dims)
        self.gates = nn.ModuleList(nn.Linear(size if gate == "own" else sum(dims), self.dim) for size in dims)
        initialise(self)

    def forward(self, x: list[Tensor]) -> Tensor:
        """Take streams (b, t, c_i); return (b, t, dim)."""
        seen = x if self.gate == "own" else [torch.cat(x, -1)] * len(x)
        total = torch.zeros_like(x[0][..., :1])
        for stream, project, view, gate in zip(x, self.project, seen, self.gates):
            total = total + gate(view).sigmoid() * project(stream)
        return total


@hookimpl
def vadkit_components() -> list[type]:
    return [GatedSum]
