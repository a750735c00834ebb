"""Scoring head of two graph convolutions: a snippet is scored with those that are near, or alike.

Zhong et al., "Graph Convolutional Label Noise Cleaner: Train a Plug-and-play Action Classifier for Anomaly Detection",
CVPR 2019: a branch for temporal consistency and one for feature similarity.

Legend: b bags x crops, t snippets, c channels, h hidden width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from vadkit import Head, hookimpl
from vadkit.layers import by_rows, distances, hide

Rows = Callable[[slice], Tensor]  # some rows of a graph: (b, rows, t), or (rows, t) for all bags


class GraphHead(Head):
    """Score each snippet by A relu(A X W) w, with A = D^-1/2 G D^-1/2 of a graph G whose rows sum to D.

    G_ij is exp(-|i - j|) for near snippets, or exp(x_i x_j^T - max_j x_i x_j^T) for alike ones. Without biases, and
    without a residual. Returns a logit. Equal to the authors' formulas; they build the graph of a video from snippets
    around confident ones only, here from all.

    Args:
        in_dim: width of the snippets.
        graph: "near" or "alike".
        hidden: width of the first layer.
        use_mask: exclude padding. Off: padding is a snippet like any other.
    """

    name = "graph_head"
    inputs = {"x": "b t in_dim", "mask?": "b t"}
    example = {"in_dim": 8, "hidden": 4}
    paper = "Zhong et al., Graph Convolutional Label Noise Cleaner, CVPR 2019"
    fidelity = "paper"
    range = "logit"
    lookahead = "all"
    mask_switch = "use_mask"

    def __init__(
        self, *, in_dim: int, graph: Literal["near", "alike"] = "near", hidden: int = 32, use_mask: bool = False
    ) -> None:
        super().__init__()
        if hidden < 1:
            raise ValueError(f"hidden must be at least 1, not {hidden}")
        self.in_dim, self.graph, self.use_mask = in_dim, graph, use_mask
        self.first, self.second = nn.Linear(in_dim, hidden, bias=False), nn.Linear(hidden, 1, bias=False)
        for layer in (self.first, self.second):  # the authors' range, by the width that comes out
            bound = layer.out_features**-0.5
            nn.init.uniform_(layer.weight, -bound, bound)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c) and mask (b, t); return scores (b, t)."""
        mask = mask if self.use_mask else None
        rows = near(x, mask) if self.graph == "near" else alike(x, mask)
        ones = torch.ones_like(x[..., :1])
        scale = by_rows(lambda part: rows(part) @ ones, x).clamp_min(1e-30).rsqrt()  # D^-1/2, (b, t, 1)
        hidden = self._convolved(self.first(x), rows, scale).relu()
        return self._convolved(self.second(hidden), rows, scale)[..., 0]

    def _convolved(self, value: Tensor, rows: Rows, scale: Tensor) -> Tensor:
        """Return A value for value (b, t, h)."""
        scaled = value * scale
        return by_rows(lambda part: rows(part) @ scaled, value) * scale


def near(x: Tensor, mask: Tensor | None) -> Rows:
    """Return the graph of near snippets for bags like x (b, t, c)."""

    def rows(part: slice) -> Tensor:
        weight = torch.exp(-distances(x, part).to(x.dtype))
        return weight if mask is None else weight * mask[:, None]

    return rows


def alike(x: Tensor, mask: Tensor | None) -> Rows:
    """Return the graph of alike snippets of x (b, t, c)."""

    def rows(part: slice) -> Tensor:
        product = x[:, part] @ x.transpose(1, 2)
        product = product if mask is None else hide(product, mask[:, None])
        return torch.exp(product - product.amax(-1, keepdim=True))

    return rows


@hookimpl
def vadkit_components() -> list[type]:
    return [GraphHead]
