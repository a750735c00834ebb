"""Glance-and-focus stage: layers of short convolutions with attention over the video, or over neighbours.

Chen et al., "MGFN: Magnitude-Contrastive Glance-and-Focus Network for Weakly-Supervised Video Anomaly Detection",
AAAI 2023, Section 3.3; the focus block is the local aggregator of UniFormer (Li et al., ICLR 2022).

Legend: b bags x crops, t snippets, c channels, h heads, d channels of a head.
"""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Temporal, hookimpl
from vadkit.layers import batch_norm

TINY = 1e-5


class GlanceFocus(Temporal):
    """Apply layers of a convolution, an attention and a feed-forward part, each added to its input.

        x = x + conv(x, kernel 3);   x = x + attention(N(x));   x = x + W_2 gelu(W_1 N(x))

    "glance" attends to all snippets by softmax attention. "focus" mixes the values of neighbours by one short learned
    kernel per head, the same for every pair of snippets, after a batch norm. N normalises the channels of a snippet
    with (x - mean) / (deviation + 1e-5): not PyTorch's LayerNorm, which has the constant under the root. Where
    ``dim`` is another width, N and a linear layer lead to it at the end.

    Quirks of the authors that are kept: in "focus" channel j is of head j mod h, not of head j // d. A training batch
    of one snippet is normalised by the running statistics. Padding takes part.

    Args:
        in_dim: width of the snippets.
        dim: width of the result; null keeps it, without a layer.
        kind: "glance" or "focus".
        depth: number of layers.
        head_dim: width of a head; null is 64, or the largest below it of which ``in_dim`` is a multiple.
        kernel: snippets that "focus" mixes; an odd number.
        expand: how many times wider the feed-forward part is inside.
    """

    name = "glance_focus"
    example = {"in_dim": 8, "head_dim": 4, "depth": 1}
    paper = "Chen et al., MGFN, AAAI 2023"
    fidelity = "code"

    def __init__(
        self,
        *,
        in_dim: int,
        dim: int | None = None,
        kind: Literal["glance", "focus"] = "glance",
        depth: int = 2,
        head_dim: int | None = None,
        kernel: int = 5,
        expand: int = 4,
    ) -> None:
        super().__init__()
        if head_dim is None:
            head_dim = next(d for d in range(min(64, in_dim), 0, -1) if in_dim % d == 0)
        head_dim = min(head_dim, in_dim)
        if head_dim < 1 or in_dim % head_dim:
            raise ValueError(f"in_dim ({in_dim}) must be a multiple of head_dim ({head_dim})")
        if depth < 1 or expand < 1 or kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"depth and expand must be at least 1, kernel odd, not {depth}, {expand} and {kernel}")
        if dim is not None and dim < 1:
            raise ValueError(f"dim must be at least 1, or null for the input's width, not {dim}")
        self.in_dim, self.dim = in_dim, dim or in_dim
        self.lookahead = self.lookback = "all" if kind == "glance" else depth * (1 + kernel // 2)
        heads = in_dim // head_dim
        self.layers = nn.ModuleList(
            _Layer(Glance(in_dim, heads) if kind == "glance" else Focus(in_dim, heads, kernel), in_dim, expand)
            for _ in range(depth)
        )
        self.norm = ChannelNorm(in_dim) if dim else None
        self.widen = nn.Linear(in_dim, dim) if dim else None

    def forward(self, x: Tensor) -> Tensor:
        """Take x (b, t, c); return (b, t, dim)."""
        for layer in self.layers:
            x = layer(x)
        return x if self.norm is None or self.widen is None else self.widen(self.norm(x))


class ChannelNorm(nn.Module):
    """Normalise the channels of every snippet; the constant is added to the deviation."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.g, self.b = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        # The root has no slope at 0: the channels of a snippet may be all alike.
        return (x - mean) / (variance.clamp_min(1e-24).sqrt() + TINY) * self.g + self.b


class _Layer(nn.Module):
    def __init__(self, attention: nn.Module, dim: int, expand: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(dim, dim, 3, padding=1)
        self.attention, self.norm = attention, ChannelNorm(dim)
        self.enter, self.leave = nn.Linear(dim, expand * dim), nn.Linear(expand * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + rearrange(self.conv(rearrange(x, "b t c -> b c t")), "b c t -> b t c")
        x = x + self.attention(x)
        return x + self.leave(F.gelu(self.enter(self.norm(x))))  # type: ignore[no-any-return]


class Glance(nn.Module):
    """Softmax attention over all snippets."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads, self.norm = heads, ChannelNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        q, k, v = rearrange(self.qkv(self.norm(x)), "b t (part h d) -> part b h t d", part=3, h=self.heads)
        found = F.scaled_dot_product_attention(q, k, v)
        return self.out(rearrange(found, "b h t d -> b t (h d)"))  # type: ignore[no-any-return]


class Focus(nn.Module):
    """Values of neighbours, mixed by one kernel for each head; channel j is of head j mod h."""

    def __init__(self, dim: int, heads: int, kernel: int) -> None:
        super().__init__()
        self.heads, self.norm = heads, nn.BatchNorm1d(dim)
        self.v, self.out = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim)
        self.mix = nn.Conv1d(heads, heads, kernel, padding=kernel // 2, groups=heads)

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        x = rearrange(batch_norm(self.norm, rearrange(x, "b t c -> b c t")), "b c t -> b t c")
        v = rearrange(self.v(x), "b t (d h) -> (b d) h t", h=self.heads)
        return self.out(rearrange(self.mix(v), "(b d) h t -> b t (d h)", d=x.shape[-1] // self.heads))  # type: ignore[no-any-return]


@hookimpl
def vadkit_components() -> list[type]:
    return [GlanceFocus]
