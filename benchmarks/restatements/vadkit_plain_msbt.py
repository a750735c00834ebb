"""MSBT as its authors run it: six passes of one module for six ordered pairs of streams, and a loss video by video.

Sun, Gong, "Multi-scale Bottleneck Transformer for Weakly Supervised Multimodal Violence Detection", ICME 2024. The
path of a source is computed again for each receiver. The contrast loops over 15 pairs of features and all videos.

Legend: b videos, t snippets, c channels.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import combinations
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Restatement, hookimpl

DIM, HEADS, TOKENS, DROPOUT = 128, 4, (16, 8, 4, 2, 1), 0.2


class Attention(nn.Module):
    """Softmax attention whose four layers start alike; its own norm is never called."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        linear = nn.Linear(dim, dim)
        self.heads, self.linears = heads, nn.ModuleList(copy.deepcopy(linear) for _ in range(4))
        self.layer_norm, self.dropout = nn.LayerNorm(dim), nn.Dropout(0.1)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Take query, key and value (b, t, c); return (b, t, c)."""
        b, _, dim = inputs[0].shape
        width = dim // self.heads
        q, k, v = (layer(x).view(b, -1, self.heads, width).transpose(1, 2) for layer, x in zip(self.linears, inputs))
        weights = self.dropout(F.softmax(torch.matmul(q, k.transpose(-2, -1)) / width**0.5, dim=-1))
        out: Tensor = self.linears[-1](torch.matmul(weights, v).transpose(1, 2).contiguous().view(b, -1, dim))
        return out


class FeedForward(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.w_1, self.w_2, self.dropout = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.w_2(self.dropout(self.w_1(x).relu()))
        return out


class Sublayer(nn.Module):
    """The dropout of a part, and the norm after its residual."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm, self.dropout = nn.LayerNorm(dim), nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, part: Tensor) -> Tensor:
        out: Tensor = self.norm(x + self.dropout(part))
        return out


class Layer(nn.Module):
    """One norm of query, key and value, then a post-norm layer."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm, self.self_attn, self.feed_forward = nn.LayerNorm(dim), Attention(dim, heads), FeedForward(dim)
        self.sublayer = nn.ModuleList([Sublayer(dim), Sublayer(dim)])

    def forward(self, query: Tensor, other: Tensor) -> Tensor:
        """Take query and other (b, t, c); return (b, t, c)."""
        q, k, v = self.norm(query), self.norm(other), self.norm(other)
        x = self.sublayer[0](q, self.self_attn(q, k, v))
        out: Tensor = self.sublayer[1](x, self.feed_forward(x))
        return out


class SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = Layer(DIM, HEADS)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x, x)
        return out


class Bottleneck(nn.Module):
    """From a source to a receiver by fewer and fewer tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.sma, self.decoder = nn.ModuleList(Layer(DIM, HEADS) for _ in TOKENS), Layer(DIM, HEADS)
        self.bottleneck_list = nn.ParameterList(nn.Parameter(0.15 * torch.randn(1, n, DIM)) for n in TOKENS)

    def forward(self, source: Tensor, receiver: Tensor) -> tuple[Tensor, Tensor]:
        """Take source and receiver (b, t, c); return the receiver and the last token (b, 1, c)."""
        b, t, _ = source.shape
        tokens = self.bottleneck_list[0].repeat(b, 1, 1)
        for i, layer in enumerate(self.sma):
            joined = torch.cat([source, tokens], 1)
            joined = layer(joined, joined)
            source, tokens = joined[:, :t], joined[:, t:]
            joined = torch.cat([receiver, tokens], 1)
            receiver = layer(joined, joined)[:, :t]
            if i + 1 < len(TOKENS):
                tokens = self.decoder(self.bottleneck_list[i + 1].repeat(b, 1, 1), tokens)
        return receiver, tokens


class Layers(nn.Module):
    """Layers that start as copies of one."""

    def __init__(self, dim: int, heads: int, count: int) -> None:
        super().__init__()
        layer = Layer(dim, heads)
        self.layer = nn.ModuleList(copy.deepcopy(layer) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layer:
            x = layer(x, x)
        return x


def regressor(dim: int, hidden: int, dropout: float) -> nn.Sequential:
    parts = [nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 32), nn.Dropout(dropout)]
    return nn.Sequential(*parts, nn.Linear(32, 1), nn.Sigmoid())


class PlainMsbt(Restatement):
    """The network of three streams and its losses."""

    graphs: ClassVar[dict[str, dict[str, Any]]] = {"msbt_xd": {}}

    def __init__(self) -> None:
        super().__init__()
        self.fc_v, self.fc_a, self.fc_f = nn.Linear(1024, DIM), nn.Linear(128, DIM), nn.Linear(1024, DIM)
        self.msa, self.bottle_msa, self.MST = SelfAttention(), SelfAttention(), Bottleneck()
        self.regressor, self.mm_transformer = regressor(DIM, 64, 0.3), Layers(6 * DIM, 6, 4)
        self.MIL = nn.ModuleDict({"regressor": regressor(6 * DIM, 512, 0.6)})

    def network(self, streams: Mapping[str, Tensor]) -> tuple[list[Tensor], Tensor]:
        """Return the features of the six pairs (b, t, c), and scores (b, t)."""
        a, v, f = self.fc_a(streams["audio"]), self.fc_v(streams["rgb"]), self.fc_f(streams["flow"])
        a, v, f = self.msa(a), self.msa(v), self.msa(f)
        pairs, tokens = [], []
        for source, receiver in ((a, v), (v, a), (a, f), (f, a), (v, f), (f, v)):
            feature, token = self.MST(source, receiver)
            pairs.append(feature)
            tokens.append(token)
        gates = self.regressor(self.bottle_msa(torch.cat(tokens, 1)))  # (b, 6, 1)
        joined = torch.cat([feature * gates[:, i : i + 1] for i, feature in enumerate(pairs)], -1)
        return pairs, self.MIL["regressor"](self.mm_transformer(joined)).squeeze(-1)

    def forward(self, **streams: Tensor) -> Tensor:
        """Take rgb, audio and flow (b, t, c); return scores (b, t)."""
        return self.network(streams)[1]

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the bag loss and the contrast of the pairs."""
        mask = batch.get("mask")
        lengths = [batch["rgb"].shape[1]] * len(batch["rgb"]) if mask is None else mask.sum(1).tolist()
        pairs, scores = self.network(batch)
        found = torch.zeros(0, device=scores.device)
        for row, n in zip(scores, lengths):
            found = torch.cat([found, torch.topk(row[:n], k=int(n // 16 + 1), largest=True)[0].mean().view(1)])
        return F.binary_cross_entropy(found, batch["labels"].float()) + 0.1 * contrast(pairs, lengths)


def contrast(pairs: list[Tensor], lengths: list[int]) -> Tensor:
    """Return the mean contrast of every two features of the same snippets, video by video."""
    unit = [F.normalize(feature, dim=-1) for feature in pairs]
    total = torch.zeros((), device=unit[0].device)
    count = 0
    for one, other in combinations(unit, 2):
        for a, b, n in zip(one, other, lengths):
            similar = torch.exp(a[:n] @ b[:n].t() / 0.5)
            own = torch.diag(similar)
            total = total - (own / similar.sum(1)).log().mean() - (own / similar.sum(0)).log().mean()
        count += 1
    return total / (count * len(lengths))


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainMsbt]
