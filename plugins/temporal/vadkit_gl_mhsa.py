"""Global and local multi-head self-attention: softmax attention next to a fixed, decaying kernel.

Zhou, Yu, Yang, "Dual Memory Units with Uncertainty Regulation for Weakly Supervised Video Anomaly
Detection", AAAI 2023, section "Global and Local Feature Learning". The seed paper uses it for
Stage 2 (two layers) and, under the name Transformer, for the flow and the audio stream.

Legend: b bags x crops, t snippets, c channels, h heads, d head width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from vadkit import Temporal, hookimpl
from vadkit.layers import Dropout, Init, attend_past, distances, initialise, kept, padding_bias, remember, since

DECAY = math.e  # the kernel falls by 1/e every e snippets
REACH = 282  # snippets beyond which it is 0 in float32
LONG = 2048  # snippets above which the zeros are left out
Normalise = Literal["column", "row"]
Read = Callable[[Tensor], Tensor]  # local values (b, t, h * d) to their weighted sums


class GlobalLocalAttention(Temporal):
    """Apply a pre-norm transformer in which each head joins softmax attention and a sum weighted by distance alone.

    One bias-free projection gives q, k, v and a second value; the local branch weights the second
    value by exp(-|i - j| / e), the same for all heads and layers. No position code, no final norm.

    The feed-forward part is as wide as the snippets. Equal to UR-DMU and to the seed authors' code.

    Args:
        in_dim: width of the snippets, kept.
        depth: layers.
        heads: heads per layer.
        head_dim: width of a head, independent of ``in_dim``.
        dropout: after both projections of the feed-forward part and after ``out``.
        normalise: "column" divides the kernel's columns by their sums, so that rows at both ends
            do not add to 1: an error that UR-DMU and all code derived from it share, up to .03 in
            the scores. "row" is the weighted mean that the paper describes.
        use_mask: exclude padding. Off as in the authors' code, which includes it.
        init: "xavier" as in the seed authors' code, "torch" as in UR-DMU.
    """

    name = "gl_mhsa"
    inputs = {"x": "b t in_dim", "mask?": "b t"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8, "depth": 1, "heads": 2, "head_dim": 4}
    paper = "Zhou et al., Dual Memory Units with Uncertainty Regulation, AAAI 2023"
    fidelity = "code"
    lookahead = "all"
    mask_switch = "use_mask"
    past: int | None = None  # snippets that each one sees, of the causal variant
    authors_names = {
        "layers.*.attn_norm": "layers.*.0.norm",
        "layers.*.qkvt": "layers.*.0.fn.to_qkv",
        "layers.*.out": "layers.*.0.fn.to_out.0",
        "layers.*.ff_norm": "layers.*.1.norm",
        "layers.*.ff_in": "layers.*.1.fn.net.0",
        "layers.*.ff_out": "layers.*.1.fn.net.3",
    }

    def __init__(
        self,
        *,
        in_dim: int,
        depth: int = 2,
        heads: int = 4,
        head_dim: int = 128,
        dropout: float = 0.5,
        normalise: Normalise = "column",
        use_mask: bool = False,
        init: Init = "xavier",
    ) -> None:
        super().__init__()
        if min(depth, heads, head_dim) < 1:
            raise ValueError(f"depth, heads, head_dim must be at least 1, not {depth}, {heads}, {head_dim}")
        self.dim = self.in_dim = in_dim
        self.normalise, self.use_mask = normalise, use_mask
        self.layers = nn.ModuleList(GlobalLocalLayer(in_dim, heads, head_dim, dropout) for _ in range(depth))
        initialise(self, init)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c) and mask (b, t); return (b, t, c)."""
        mask = mask if self.use_mask else None
        if self.past is None:
            read = local_branch(x, mask, self.normalise)
        else:
            read = past_branch(x, self.normalise, self.past)
        bias = padding_bias(mask, x)
        for layer in self.layers:
            x = layer(x, read, bias)
        return x


class CausalGlobalLocalAttention(GlobalLocalAttention):
    """Global and local attention without later snippets, for live scores.

    As ``gl_mhsa``, with the same weights, but in each layer a snippet sees the last ``past`` ones up to itself. Padding
    at the end changes no score, so no mask is needed.

    Args:
        in_dim: width of the snippets, kept.
        past: snippets that each one sees in a layer, itself among them.
        depth: layers.
        heads: heads per layer.
        head_dim: width of a head, independent of ``in_dim``.
        dropout: after both projections of the feed-forward part and after ``out``.
        normalise: "row" divides the kernel's rows by their sums; "column" by the column sum of a video without end, a
            constant, so that only the first rows add to less than 1.
        init: "xavier" as in the seed authors' code, "torch" as in UR-DMU.
    """

    name = "causal_gl_mhsa"
    inputs = {"x": "b t in_dim"}
    example = {"in_dim": 8, "past": 4, "depth": 1, "heads": 2, "head_dim": 4}
    fidelity = "ours"
    lookahead = 0
    mask_switch = None

    def __init__(
        self,
        *,
        in_dim: int,
        past: int = 64,
        depth: int = 2,
        heads: int = 4,
        head_dim: int = 128,
        dropout: float = 0.5,
        normalise: Normalise = "column",
        init: Init = "xavier",
    ) -> None:
        super().__init__(
            in_dim=in_dim,
            depth=depth,
            heads=heads,
            head_dim=head_dim,
            dropout=dropout,
            normalise=normalise,
            init=init,
        )
        if past < 1:
            raise ValueError(f"past must be at least 1, not {past}")
        self.past = past
        for layer in self.layers:
            layer.past = past

    def step(self, state: list[Tensor] | None, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Take the rows kept by each layer and the next x (b, n, c); return (b, n, c) and the rows to keep."""
        assert self.past is not None
        kept_rows: list[Tensor] = []
        for number, layer in enumerate(self.layers):
            x, rows = layer.step(None if state is None else state[number], x, self.normalise)
            kept_rows.append(rows)
        return x, kept_rows


class GlobalLocalLayer(nn.Module):
    """One pre-norm layer: attention, then feed-forward, each with a residual."""

    past: int | None = None

    def __init__(self, dim: int, heads: int, head_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * head_dim
        self.attn_norm = nn.LayerNorm(dim)
        self.qkvt = nn.Linear(dim, 4 * inner, bias=False)  # rows q, k, v, local value; head-major
        self.out = nn.Linear(2 * inner, dim)
        self.ff_norm = nn.LayerNorm(dim)
        self.ff_in = nn.Linear(dim, dim)
        self.ff_out = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, read: Read, bias: Tensor | None) -> Tensor:
        """Take x (b, t, c), the local branch, and the bias (b, 1, t)."""
        attend = self.attend_folded if self._folds(x) else self.attend
        return self._feed_forward(x + self.dropout(attend(self.attn_norm(x), read, bias)))

    def step(self, state: Tensor | None, x: Tensor, normalise: Normalise) -> tuple[Tensor, Tensor]:
        """Take keys, values and local values kept (b, m, 3 h d) and x (b, n, c); return (b, n, c) and what to keep."""
        assert self.past is not None
        inner = self.out.in_features // 2
        q, new = self.qkvt(self.attn_norm(x)).split([inner, 3 * inner], dim=-1)
        joined, state = remember(state, new, self.past - 1)
        k, v, local = joined.chunk(3, dim=-1)
        n, m, past = x.shape[1], joined.shape[1], self.past
        kernel = kept(lambda: past_kernel(x, n, m, normalise, past), x, "causal_gl_mhsa", m, normalise, past)
        return self._feed_forward(x + self._join(self._far(q, k, v, None), kernel @ local)), state

    def _feed_forward(self, x: Tensor) -> Tensor:
        hidden = self.dropout(nn.functional.gelu(self.ff_in(self.ff_norm(x))))
        return x + self.dropout(self.ff_out(hidden))

    def attend(self, x: Tensor, read: Read, bias: Tensor | None) -> Tensor:
        """Return (b, t, c), from (b, t, h * 2d): for each head the global output, then the local one."""
        q, k, v, local = self.qkvt(x).chunk(4, dim=-1)  # each (b, t, h * d)
        return self._join(self._far(q, k, v, bias), read(local))

    def _join(self, far: Tensor, near: Tensor) -> Tensor:
        """Return (b, t, c) from the outputs (b, t, h * d) of both branches."""
        parts = [rearrange(part, "b t (h d) -> b t h d", h=self.heads) for part in (far, near)]
        return self.out(rearrange(torch.cat(parts, dim=-1), "b t h d -> b t (h d)"))  # type: ignore[no-any-return]

    def attend_folded(self, x: Tensor, read: Read, bias: Tensor | None) -> Tensor:
        """Return the same. The local branch is linear and alike for all heads, so its two projections are one.

        That is an eighth of the layer's products, and neither the local values nor the joined ones are kept.
        """
        inner, c = self.out.in_features // 2, x.shape[-1]
        far, near = rearrange(self.out.weight, "c (h two d) -> two c (h d)", two=2, h=self.heads)
        qkv, local = self.qkvt.weight.split([3 * inner, inner])
        place = "cpu" if x.is_meta else x.device.type  # where operations are counted there is no autocast
        with torch.autocast(place, enabled=False):  # the weights keep their precision
            weight = torch.cat([qkv, near @ local])
        q, k, v, local = nn.functional.linear(x, weight).split([inner, inner, inner, c], dim=-1)
        return nn.functional.linear(self._far(q, k, v, bias), far, self.out.bias) + read(local)

    def _folds(self, x: Tensor) -> bool:
        """Return whether x (b, t, c) has so many rows that they outweigh the product of the two weights."""
        if torch.compiler.is_compiling():
            return False  # the number of rows is open
        inner, c = self.out.in_features // 2, x.shape[-1]
        return x.shape[0] * x.shape[1] * (2 * inner - c) > 2 * inner * c

    def _far(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """Return the global outputs (b, t, h * d)."""
        q, k, v = (rearrange(part, "b t (h d) -> b h t d", h=self.heads) for part in (q, k, v))
        bias = None if bias is None else bias[:, None]  # the same for all heads
        if self.past is not None:
            return rearrange(attend_past(q, k, v, self.past, bias), "b h t d -> b t (h d)")
        return rearrange(scaled_dot_product_attention(q, k, v, attn_mask=bias), "b h t d -> b t (h d)")


def local_branch(x: Tensor, mask: Tensor | None, normalise: Normalise) -> Read:
    """Return the local branch for bags like x (b, t, c) as a function, the same for all layers."""
    if torch.compiler.is_compiling() or x.shape[1] <= LONG:
        if mask is None:
            kernel = kept(lambda: local_kernel(x, None, normalise).to(x.dtype), x, "gl_mhsa", normalise)
        else:
            kernel = local_kernel(x, mask, normalise).to(x.dtype)
        return lambda local: kernel @ local
    keep = torch.ones_like(x[:1, :, :1]) if mask is None else mask[..., None].to(x.dtype)
    total = decayed_sum(keep).clamp_min(1e-30)
    if normalise == "row":
        return lambda local: decayed_sum(local * keep) / total
    return lambda local: decayed_sum(local * (keep / total))


def decayed_sum(x: Tensor) -> Tensor:
    """Return sum_j exp(-|i - j| / e) x_j for x (b, t, c), without the part of the kernel that is 0."""
    parts = []
    for start in range(0, x.shape[1], LONG):
        first = max(0, start - REACH)
        around = x[:, first : start + LONG + REACH]
        rows = slice(start - first, start - first + LONG)
        parts.append(torch.exp(distances(around, rows) / -DECAY).to(x.dtype) @ around)
    return torch.cat(parts, dim=1)


def local_kernel(x: Tensor, mask: Tensor | None, normalise: Normalise) -> Tensor:
    """Return the weights of the local branch for x (b, t, c), as (t, t), or (b, t, t) with a mask."""
    weight = torch.exp(distances(x) / -DECAY)
    if mask is not None:
        weight = weight * mask[:, None, :]
    total = weight.sum(-1, keepdim=True)  # of row i; the kernel is symmetric, so of column i as well
    if normalise == "column":
        total = total.transpose(-1, -2)
    # A snippet far inside the padding may reach nothing real: 0 / 0 would turn the real ones into NaN.
    return weight / total.clamp_min(1e-30)


def past_branch(x: Tensor, normalise: Normalise, past: int) -> Read:
    """Return the causal local branch for bags like x (b, t, c) as a function, the same for all layers."""
    t, reach = x.shape[1], min(past, REACH)
    if torch.compiler.is_compiling() or t <= LONG:
        kernel = kept(lambda: past_kernel(x, t, t, normalise, reach), x, "causal_gl_mhsa", normalise, reach)
        return lambda local: kernel @ local

    def read(local: Tensor) -> Tensor:
        parts = []
        for start in range(0, t, LONG):
            around = local[:, max(0, start - reach + 1) : start + LONG]
            parts.append(past_kernel(local, min(LONG, t - start), around.shape[1], normalise, reach) @ around)
        return torch.cat(parts, dim=1)

    return read


def past_kernel(like: Tensor, n: int, m: int, normalise: Normalise, past: int) -> Tensor:
    """Return the causal weights of the last n of m snippets, (n, m)."""
    before = since(n, m, like)
    weight = torch.exp(before.clamp_min(0) / -DECAY) * ((before >= 0) & (before < past))
    if normalise == "column":  # the sum over the snippets that follow, of which there is no end
        total = torch.exp(torch.arange(min(past, REACH), device=like.device) / -DECAY).sum()
    else:
        total = weight.sum(-1, keepdim=True)
    return (weight / total).to(like.dtype)


@hookimpl
def vadkit_components() -> list[type]:
    return [GlobalLocalAttention, CausalGlobalLocalAttention]
