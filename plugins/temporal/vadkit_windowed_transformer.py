"""Transformer whose snippets attend to each other within windows, as CLIP's blocks are built.

VadCLIP: Wu et al., "VadCLIP: Adapting Vision-Language Models for Weakly Supervised Video Anomaly Detection", AAAI 2024.

Legend: b bags x crops, t snippets, c channels, n windows, w snippets of a window.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Temporal, hookimpl
from vadkit.layers import clear, nonlinearity


class WindowedTransformer(Temporal):
    """Add a learned position to each snippet, then apply pre-norm layers in which a window attends to itself.

    Windows begin at multiples of ``window``; the last may be shorter. VadCLIP masks a map of all pairs of 256
    snippets instead, to the same effect at 32 times the cost.

    Deviation: a video of more than ``positions`` snippets begins again with the first position, as VadCLIP's chunks of
    256 do; the authors always have 256 rows.

    Args:
        in_dim: width of the snippets, kept.
        depth: layers.
        heads: heads per layer; they divide ``in_dim``.
        window: snippets of a window.
        positions: learned positions.
        ff_dim: width inside the feed-forward part; null means 4 x ``in_dim``.
        use_mask: padding gets no attention; the authors' does.
    """

    name = "windowed_transformer"
    inputs = {"x": "b t in_dim", "mask?": "b t"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8, "window": 4, "positions": 16}
    paper = "Wu et al., VadCLIP, AAAI 2024"
    fidelity = "code"
    mask_switch = "use_mask"

    def __init__(
        self,
        *,
        in_dim: int,
        depth: int = 2,
        heads: int = 1,
        window: int = 8,
        positions: int = 256,
        ff_dim: int | None = None,
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        if min(depth, heads, window, positions) < 1 or (ff_dim is not None and ff_dim < 1):
            raise ValueError("depth, heads, window, positions and ff_dim must be at least 1")
        if in_dim % heads:
            raise ValueError(f"{heads} heads do not divide a width of {in_dim}")
        self.dim = self.in_dim = in_dim
        self.window, self.use_mask = window, use_mask
        self.lookback = self.lookahead = window - 1
        self.period = math.lcm(window, positions)
        self.positions = nn.Embedding(positions, in_dim)
        nn.init.normal_(self.positions.weight, std=0.01)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                in_dim,
                heads,
                ff_dim or 4 * in_dim,
                dropout=0.0,
                activation=nonlinearity("quick_gelu"),
                batch_first=True,
                norm_first=True,
            )
            for _ in range(depth)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c) and mask (b, t); return (b, t, c)."""
        b, t = x.shape[:2]
        mask = mask if self.use_mask else None
        number = torch.arange(t, device=x.device)
        x = clear(x, mask) + self.positions(number % self.positions.num_embeddings)
        # An exported graph would take the one window of a short example for a property of every video.
        n = t // self.window + 2 if torch.compiler.is_compiling() else -(-t // self.window)
        short = n * self.window - t
        real = x.new_ones((b, t), dtype=torch.bool) if mask is None else mask
        real = F.pad(real, (0, short)).reshape(b * n, self.window)
        hidden = ~real & real.any(1, keepdim=True)  # a window of nothing but padding attends to itself
        x = F.pad(x, (0, 0, 0, short)).reshape(b * n, self.window, self.dim)
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=hidden)
        # A slice would keep the layout of the padded rows, which an exported graph takes for a property of t.
        return x.reshape(b, n * self.window, self.dim).index_select(1, number)


@hookimpl
def vadkit_components() -> list[type]:
    return [WindowedTransformer]
