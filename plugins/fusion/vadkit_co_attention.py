"""Co-attention: a map over all pairs of snippets of two streams decides how much each snippet of the first one counts.

Lu, Yang, Batra, Parikh, "Hierarchical Question-Image Co-Attention for Visual Question Answering", NeurIPS 2016
(parallel co-attention), here between the streams of a video.

Legend: b bags x crops, t snippets, c channels, h hidden width.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vadkit import Fusion, hookimpl
from vadkit.layers import by_rows, clear, hide, initialise


class CoAttention(Fusion):
    """Multiply each snippet of the first stream by a weight that is found under the guidance of the others.

    For the first stream a and each other stream o: C = tanh(a W o^T), one row for each snippet of a. From
    H = tanh(a U + sum of C o V over the others) comes one number w H for each snippet, and from these the weights. Of a
    single stream, o is a.

    Args:
        dims: widths of the streams, the first one's kept.
        hidden: width of H; null means the first stream's.
        weights: "softmax" over time, times the number of snippets, so that equal weights change nothing; or a "sigmoid"
            of each snippet's number.
        average: divide C o V by the number of snippets, so that H does not grow with the length of a video; off as in
            the paper.
        use_mask: exclude padding.
    """

    name = "co_attention"
    inputs = {"*x": "b t dims", "mask?": "b t"}
    example = {"dims": [4, 3], "hidden": 4}
    paper = "Lu et al., Hierarchical Question-Image Co-Attention for Visual Question Answering, NeurIPS 2016"
    fidelity = "paper"
    lookahead = "all"
    mask_switch = "use_mask"

    def __init__(
        self,
        *,
        dims: list[int],
        hidden: int | None = None,
        weights: Literal["softmax", "sigmoid"] = "softmax",
        average: bool = False,
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        if hidden is not None and hidden < 1:
            raise ValueError(f"hidden must be at least 1, or null for the first stream's width, not {hidden}")
        width = hidden or dims[0]
        self.dims, self.dim, self.weights, self.average, self.use_mask = list(dims), dims[0], weights, average, use_mask
        others = dims[1:] or dims
        self.pair = nn.ModuleList(nn.Linear(dim, self.dim, bias=False) for dim in others)
        self.value = nn.ModuleList(nn.Linear(dim, width, bias=False) for dim in others)
        self.own = nn.Linear(self.dim, width)
        self.logit = nn.Linear(width, 1, bias=False)
        initialise(self)

    def forward(self, x: list[Tensor], mask: Tensor | None = None) -> Tensor:
        """Take streams (b, t, c_i) and mask (b, t); return (b, t, c_0)."""
        mask = mask if self.use_mask else None
        return x[0] * self.weight(x[0], x[1:] or x, mask)[..., None]

    def weight(self, first: Tensor, others: list[Tensor], mask: Tensor | None) -> Tensor:
        """Return the weights (b, t) of the snippets of the first stream (b, t, c)."""
        hidden = self.own(first)
        for stream, pair, value in zip(others, self.pair, self.value):
            hidden = hidden + self.guidance(first, pair(stream), clear(value(stream), mask), mask)
        logits = self.logit(hidden.tanh())[..., 0]
        if self.weights == "sigmoid":
            return logits.sigmoid()
        logits = logits if mask is None else hide(logits, mask)
        return logits.softmax(1) * self._count(first, mask)

    def guidance(self, first: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Take snippets (b, t, c), keys (b, t, c) and values (b, t, h) of another stream; return (b, t, h)."""
        total = by_rows(lambda rows: (first[:, rows] @ keys.transpose(1, 2)).tanh() @ values, first)
        return total / self._count(first, mask)[..., None] if self.average else total

    @staticmethod
    def _count(x: Tensor, mask: Tensor | None) -> Tensor:
        """Return the number of real snippets, (b, 1)."""
        return torch.full_like(x[:, :1, 0], x.shape[1]) if mask is None else mask.sum(1, keepdim=True).clamp_min(1)


@hookimpl
def vadkit_components() -> list[type]:
    return [CoAttention]
