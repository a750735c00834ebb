"""Bottleneck fusion: streams exchange what fits into a few tokens, pair by pair, fewer tokens in each layer.

Sun, Gong, "Multi-scale Bottleneck Transformer for Weakly Supervised Multimodal Violence Detection", ICME 2024 (MSBT).

Legend: b bags x crops, t snippets, c channels, n streams, p ordered pairs of streams, r rows = p * b.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import Literal

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from vadkit import Fusion, hookimpl
from vadkit.layers import Dropout, PostNormLayer, padding_bias

# One layer of the authors, and its parts here.
LAYER = {
    "in_norm": "norm",
    "q": "self_attn.linears.0",
    "k": "self_attn.linears.1",
    "v": "self_attn.linears.2",
    "out": "self_attn.linears.3",
    "attn_norm": "sublayer.0.norm",
    "ff_in": "feed_forward.w_1",
    "ff_out": "feed_forward.w_2",
    "ff_norm": "sublayer.1.norm",
}
PLACES = {"layers.*": "MST.sma.*", "decoder": "MST.decoder", "gate.attention": "bottle_msa.layer"}


class BottleneckFusion(Fusion):
    """Let every stream receive from every other through a bottleneck, weight the results by gates, and join them.

    For the pair (source, receiver), layer i attends over [source; tokens_i], then over [receiver; the tokens that came
    out], with the same weights; tokens_i+1 are half as many learned tokens that first attend to those that came out.
    From the last tokens of all pairs, one per pair, an attention over the pairs and three linear layers give a gate
    between 0 and 1 for each pair. Pairs are ordered 0 to 1, 1 to 0, 0 to 2, 2 to 0, ..., 1 to 2, 2 to 1, ...

    All layers are ``PostNormLayer`` with a norm of the input, without positions; one set of weights serves all pairs,
    and the width of their feed-forward parts is c. Equal to the authors' code. The source never sees the receiver, so
    without dropout two pairs of the same source have the same last tokens, and the same gate.

    Args:
        dims: widths of the streams; the first one's is c, and a stream of another width is projected first.
        heads: attention heads.
        tokens: learned tokens of the first layer; there are 1 + log2(tokens) layers, rounded down.
        token_std: standard deviation with which they start.
        ff_dim: width of the feed-forward part in the attention over pairs; null means c.
        dropout: of the layers; the gates have .3.
        init: "equal" starts q, k, v and out of a layer as copies of one, as in the authors' code; "torch" does not.
        use_mask: exclude padding. Off as in the authors' code.
    """

    name = "bottleneck_fusion"
    inputs = {"*x": "b t dims", "mask?": "b t"}
    outputs = {"x": "b t dim", "pairs": "b t num_pairs pair_dim"}
    example = {"dims": [4, 4], "heads": 2, "tokens": 2}
    paper = "Sun, Gong, Multi-scale Bottleneck Transformer, ICME 2024"
    fidelity = "code"
    lookahead = "all"
    mask_switch = "use_mask"
    authors_names = {
        **{f"{ours}.{own}": f"{place}.{theirs}" for ours, place in PLACES.items() for own, theirs in LAYER.items()},
        "tokens.*": "MST.bottleneck_list.*",
        "gate.layers.0": "regressor.0",
        "gate.layers.1": "regressor.3",
        "gate.layers.2": "regressor.5",
    }

    def __init__(
        self,
        *,
        dims: list[int],
        heads: int = 4,
        tokens: int = 16,
        token_std: float = 0.15,
        ff_dim: int | None = None,
        dropout: float = 0.2,
        init: Literal["equal", "torch"] = "equal",
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        if min(heads, tokens) < 1:
            raise ValueError(f"heads and tokens must be at least 1, not {heads} and {tokens}")
        if ff_dim is not None and ff_dim < 1:
            raise ValueError(f"ff_dim must be at least 1, or null for the streams' width, not {ff_dim}")
        self.dims, self.use_mask, self.pair_dim = list(dims), use_mask, dims[0]
        ordered = [pair for i, j in combinations(range(len(dims)), 2) for pair in ((i, j), (j, i))]
        self.pairs = ordered or [(0, 0)]  # one stream passes as it is
        self.num_pairs = len(self.pairs)
        self.lookahead = self.lookback = "all" if ordered else 0
        self.dim, width = self.num_pairs * dims[0], dims[0]
        self.project = nn.ModuleList(nn.Linear(d, width) if d != width else nn.Identity() for d in dims)
        if ordered:
            sizes = [tokens // 2**i for i in range(int(math.log2(tokens)) + 1)]
            switches = {"norm_first": True, "equal_start": init == "equal"}
            self.tokens = nn.ParameterList(nn.Parameter(token_std * torch.randn(1, n, width)) for n in sizes)
            self.layers = nn.ModuleList(PostNormLayer(width, heads, width, dropout, **switches) for _ in sizes)
            self.decoder = PostNormLayer(width, heads, width, dropout, **switches)
            self.gate = PairGate(PostNormLayer(width, heads, ff_dim or width, dropout, **switches), width)

    def forward(self, x: list[Tensor], mask: Tensor | None = None) -> dict[str, Tensor]:
        """Take streams (b, t, c_i) and mask (b, t).

        Returns "x" (b, t, p * c), the gated features of the receivers, and "pairs" (b, t, p, c), those without gates.
        """
        x = [project(stream) for project, stream in zip(self.project, x)]
        if len(x) == 1:
            return {"x": x[0], "pairs": x[0][:, :, None]}
        source, receiver = (torch.cat([x[pair[side]] for pair in self.pairs]) for side in (0, 1))  # (r, t, c)
        received, last = self.exchange(source, receiver, mask if self.use_mask else None)
        received = rearrange(received, "(p b) t c -> b t p c", p=self.num_pairs)
        gates = self.gate(rearrange(last, "(p b) c -> b p c", p=self.num_pairs))  # (b, p)
        return {"x": rearrange(received * gates[:, None, :, None], "b t p c -> b t (p c)"), "pairs": received}

    def exchange(self, source: Tensor, receiver: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Take sources and receivers (r, t, c); return the receivers (r, t, c) and the last tokens (r, c)."""
        rows, t = source.shape[:2]
        keep = None if mask is None else mask.repeat(self.num_pairs, 1)
        tokens = self._learned(0, rows)
        for i, layer in enumerate(self.layers):
            bias = self._bias(keep, tokens)
            joined = layer(torch.cat([source, tokens], 1), bias=bias)
            source, out = joined[:, :t], joined[:, t:]
            receiver = layer(torch.cat([receiver, out], 1), bias=bias)[:, :t]
            if i + 1 < len(self.layers):
                tokens = self.decoder(self._learned(i + 1, rows), out)
        return receiver, out[:, 0]

    def _learned(self, i: int, rows: int) -> Tensor:
        return repeat(self.tokens[i], "1 n c -> r n c", r=rows)

    @staticmethod
    def _bias(keep: Tensor | None, tokens: Tensor) -> Tensor | None:
        """Return the bias (r, 1, t + tokens) that hides padding."""
        if keep is None:
            return None
        return padding_bias(nn.functional.pad(keep, (0, tokens.shape[1]), value=True), tokens)


class PairGate(nn.Module):
    """A weight between 0 and 1 for each pair, from one token per pair."""

    def __init__(self, attention: PostNormLayer, dim: int) -> None:
        super().__init__()
        self.attention = attention
        self.layers = nn.ModuleList([nn.Linear(dim, 64), nn.Linear(64, 32), nn.Linear(32, 1)])
        self.dropout = Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """Take tokens (b, p, c); return gates (b, p)."""
        hidden = self.dropout(self.layers[0](self.attention(x)).relu())
        hidden = self.dropout(self.layers[1](hidden))
        return torch.sigmoid(self.layers[2](hidden))[..., 0]


@hookimpl
def vadkit_components() -> list[type]:
    return [BottleneckFusion]
