"""Gated residual: what the streams say together is added to the first one, as far as a gate lets it in.

The adaptive fusion of AVadCLIP: Wu et al., "AVadCLIP: Audio-Visual Collaboration for Robust Video Anomaly Detection",
arXiv 2504.04495.

Legend: b bags x crops, t snippets, c channels of the first stream.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vadkit import Fusion, hookimpl


class GatedResidual(Fusion):
    """Return a + W * r for the first stream a, with gate W and residual r computed from all streams joined.

    With j = [a ; b ; ...]: W = sigmoid(gate(j)) and r = narrow(gelu(widen(j))), all three linear; W * r is by channel.

    Args:
        dims: widths of the streams, the first of which is kept.
        hidden: width inside the residual; null means that of the first stream.
    """

    name = "gated_residual"
    inputs = {"*x": "b t dims"}
    example = {"dims": [4, 3]}
    paper = "Wu et al., AVadCLIP, arXiv 2504.04495"
    fidelity = "paper"
    lookback = 0

    def __init__(self, *, dims: list[int], hidden: int | None = None) -> None:
        super().__init__()
        if hidden is not None and hidden < 1:
            raise ValueError(f"hidden must be at least 1, or null for the width of the first stream, not {hidden}")
        self.dims, self.dim = list(dims), dims[0]
        self.gate = nn.Linear(sum(dims), self.dim)
        self.widen = nn.Linear(sum(dims), hidden or self.dim)
        self.narrow = nn.Linear(hidden or self.dim, self.dim)

    def forward(self, x: list[Tensor]) -> Tensor:
        """Take streams (b, t, c_i); return (b, t, c)."""
        joint = torch.cat(x, dim=-1)
        residual = self.narrow(nn.functional.gelu(self.widen(joint)))
        return x[0] + torch.sigmoid(self.gate(joint)) * residual


@hookimpl
def vadkit_components() -> list[type]:
    return [GatedResidual]
