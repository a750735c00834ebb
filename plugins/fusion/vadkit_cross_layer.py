"""Cross layer: one transformer layer in which the first stream asks and the other streams answer.

The shared layer of MACIL-SD: Yu, Liu, Cheng, Feng, Zhang, "Modality-Aware Contrastive Instance Learning with
Self-Distillation for Weakly-Supervised Audio-Visual Violence Detection", ACM MM 2022.

Legend: b bags x crops, t snippets, c channels, h heads, d head width.
"""

from __future__ import annotations

import copy
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from vadkit import Fusion, hookimpl
from vadkit.layers import Dropout, padding_bias


class CrossLayer(Fusion):
    """Add to the first stream what it finds in the others by attention, and then the output of a feed-forward part.

    x = a + out(softmax(q(norm(a)) k(o)^T / sqrt(d)) v(o)), y = x + W2 relu(W1 norm(x)), for the first stream a and
    the others o, one after the other in time. Of a single stream, a is o: self-attention. No position code, no final
    norm. With ``norm: after`` the norms follow the residuals, as in Vaswani et al., NIPS 2017: x = norm(a + out(...)),
    y = norm(x + W2 relu(W1 x)), with q of a itself.

    Equal to the authors' code. Quirks kept: keys and values are not normalised, though the queries are; with
    ``start: copies`` q, k, v and out start with the same weights, as theirs, which are deep copies of one layer.

    Args:
        dims: widths of the streams, the first one's kept; the others must be of one width.
        heads: heads, each dims[0] // heads wide.
        ff_dim: width inside the feed-forward part; null means the first stream's.
        dropout: after the attention and after the feed-forward part.
        inner_dropout: on the attention weights and inside the feed-forward part.
        start: "torch" draws every layer by itself; "copies" needs streams of one width.
        norm: "before" each part, or "after" each residual.
        use_mask: exclude padding. Off as in the authors' code, which includes it.
    """

    name = "cross_layer"
    inputs = {"*x": "b t dims", "mask?": "b t"}
    example = {"dims": [8, 8], "heads": 2}
    paper = "Yu et al., Modality-Aware Contrastive Instance Learning with Self-Distillation, ACM MM 2022"
    fidelity = "official"
    lookahead = "all"
    mask_switch = "use_mask"
    # A key's bias shifts all logits of a row alike, and softmax does not see it.
    no_gradient = ("k.bias",)
    authors_names = {
        "attn_norm": "layer.sublayer.0.norm",
        "q": "layer.self_attn.linears.0",
        "k": "layer.self_attn.linears.1",
        "v": "layer.self_attn.linears.2",
        "out": "layer.self_attn.linears.3",
        "ff_norm": "layer.sublayer.1.norm",
        "ff_in": "layer.feed_forward.w_1",
        "ff_out": "layer.feed_forward.w_2",
    }

    def __init__(
        self,
        *,
        dims: list[int],
        heads: int = 4,
        ff_dim: int | None = None,
        dropout: float = 0.1,
        inner_dropout: float = 0.1,
        start: Literal["torch", "copies"] = "torch",
        norm: Literal["before", "after"] = "before",
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        dim, others = dims[0], set(dims[1:]) or {dims[0]}
        if len(others) > 1:
            widths = ", ".join(map(str, dims[1:]))
            raise ValueError(f"x: the streams after the first must be of one width, not {widths}")
        if heads < 1 or dim % heads:
            raise ValueError(f"heads must divide the first stream's width {dim}, and {heads} does not")
        if ff_dim is not None and ff_dim < 1:
            raise ValueError(f"ff_dim must be at least 1, or null for the first stream's width, not {ff_dim}")
        if start == "copies" and others != {dim}:
            raise ValueError(f"start: copies needs streams of one width, not {', '.join(map(str, dims))}")
        self.dims, self.dim, self.heads, self.use_mask = list(dims), dim, heads, use_mask
        self.norm = norm
        self.attn_norm = nn.LayerNorm(dim)
        self.q = nn.Linear(dim, dim)
        self.k, self.v = (nn.Linear(dims[-1], dim) for _ in range(2))
        self.out = nn.Linear(dim, dim)
        self.ff_norm = nn.LayerNorm(dim)
        self.ff_in = nn.Linear(dim, ff_dim or dim)
        self.ff_out = nn.Linear(ff_dim or dim, dim)
        self.dropout, self.inner_dropout = Dropout(dropout), Dropout(inner_dropout)
        if start == "copies":
            self.k, self.v, self.out = (copy.deepcopy(self.q) for _ in range(3))

    def forward(self, x: list[Tensor], mask: Tensor | None = None) -> Tensor:
        """Take streams (b, t, c_i) and mask (b, t); return (b, t, c_0)."""
        first, others = x[0], torch.cat(x[1:] or x, dim=1)  # (b, t * number of others, c)
        bias = padding_bias(mask if self.use_mask else None, first)
        bias = None if bias is None else bias.repeat(1, 1, len(x[1:]) or 1)[:, None]  # (b, 1, 1, all keys)
        if self.norm == "after":
            y = self.attn_norm(first + self.dropout(self.attend(first, others, bias)))
            return self.ff_norm(y + self.dropout(self.feed_forward(y)))  # type: ignore[no-any-return]
        y = first + self.dropout(self.attend(self.attn_norm(first), others, bias))
        return y + self.dropout(self.feed_forward(self.ff_norm(y)))

    def feed_forward(self, x: Tensor) -> Tensor:
        """Take and return (b, t, c)."""
        return self.ff_out(self.inner_dropout(self.ff_in(x).relu()))  # type: ignore[no-any-return]

    def attend(self, asking: Tensor, others: Tensor, bias: Tensor | None) -> Tensor:
        """Return what the queries (b, t, c) find in the others (b, s, c')."""
        parts = (self.q(asking), self.k(others), self.v(others))
        q, k, v = (rearrange(part, "b s (h d) -> b h s d", h=self.heads) for part in parts)
        dropped = self.inner_dropout.p if self.training else 0.0
        found = scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=dropped)
        return self.out(rearrange(found, "b h t d -> b t (h d)"))  # type: ignore[no-any-return]


@hookimpl
def vadkit_components() -> list[type]:
    return [CrossLayer]
