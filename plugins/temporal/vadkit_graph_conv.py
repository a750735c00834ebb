"""Graph convolution over the snippets of a video, which are joined by likeness or by closeness in time.

HL-Net: Wu et al., "Not only Look, but also Listen", ECCV 2020; VadCLIP (AAAI 2024) took it over.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Temporal, hookimpl
from vadkit.layers import Activation, clear, distances, hide, nonlinearity

Adjacency = Literal["similarity", "distance"]


class GraphConv(Temporal):
    """Apply two graph layers, act(A (x W) + residual), with one graph A.

    "similarity": cosines of the snippets of ``like``, or of x; those up to ``threshold`` become 0 and then every row is
    normalised by softmax, so that a cosine that was dropped still weighs exp(0). "distance": exp(-|i - j| / e), not
    normalised. The residual is x, or a convolution of kernel 5 where the width changes.

    Padding is in no similarity graph, as in the authors' training; it is in the distance graph and the convolution
    unless ``use_mask``.

    Args:
        in_dim: width of the snippets.
        like_dim: width of ``like``, where it is wired.
        dim: width of both layers; null keeps ``in_dim``.
        adjacency: the graph.
        threshold: a cosine up to it becomes 0.
        activation: after each layer.
        dropout: after each activation.
        use_mask: padding takes part nowhere.
    """

    name = "graph_conv"
    inputs = {"x": "b t in_dim", "like?": "b t like_dim", "mask?": "b t"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8, "dim": 6}
    paper = "Wu et al., Not only Look, but also Listen, ECCV 2020"
    fidelity = "code"
    lookahead = "all"
    mask_switch = "use_mask"

    def __init__(
        self,
        *,
        in_dim: int,
        like_dim: int | None = None,
        dim: int | None = None,
        adjacency: Adjacency = "similarity",
        threshold: float = 0.7,
        activation: Activation = "quick_gelu",
        dropout: float = 0.0,
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        if dim is not None and dim < 1:
            raise ValueError(f"dim must be at least 1, or null for the input's width, not {dim}")
        self.in_dim, self.like_dim, self.dim = in_dim, like_dim, dim or in_dim
        self.adjacency, self.threshold, self.use_mask = adjacency, threshold, use_mask
        self.layers = nn.ModuleList([GraphLayer(in_dim, self.dim), GraphLayer(self.dim, self.dim)])
        self.activation = nonlinearity(activation)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, like: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c), like (b, t, c') and mask (b, t); return (b, t, dim)."""
        kept = mask if self.use_mask else None
        x = clear(x, kept)
        graph = self.graph(x if like is None else like, mask)
        for layer in self.layers:
            x = clear(self.dropout(self.activation(layer(x, graph))), kept)
        return x

    def graph(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return A, (b, t, t) or (t, t)."""
        if self.adjacency == "distance":
            return torch.exp(-distances(x).to(x.dtype) / math.e)
        unit = F.normalize(x, dim=-1)
        cosine = unit @ unit.transpose(1, 2)
        logits = cosine * (cosine > self.threshold)
        if mask is None:
            return logits.softmax(-1)
        return hide(logits, mask[:, None, :]).softmax(-1) * mask[..., None]


class GraphLayer(nn.Module):
    """A (x W) + residual. W has no bias."""

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_dim, dim))
        nn.init.xavier_uniform_(self.weight)
        self.residual = None if in_dim == dim else nn.Conv1d(in_dim, dim, 5, padding=2)

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        """Take x (b, t, c) and the graph (b, t, t) or (t, t); return (b, t, dim)."""
        same = x if self.residual is None else self.residual(x.transpose(1, 2)).transpose(1, 2)
        return graph @ (x @ self.weight) + same


@hookimpl
def vadkit_components() -> list[type]:
    return [GraphConv]
