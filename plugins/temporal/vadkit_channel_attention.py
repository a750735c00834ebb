"""Channel attention: the mean over time decides how much each channel counts.

Hu, Shen, Sun, "Squeeze-and-Excitation Networks", CVPR 2018.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from vadkit import Temporal, hookimpl
from vadkit.layers import initialise, masked_mean


class ChannelAttention(Temporal):
    """Multiply each channel by sigmoid(W2 relu(W1 s + b1) + b2), where s is the mean of the real snippets.

    Args:
        in_dim: width of the snippets.
        reduction: W1 narrows s to in_dim // reduction channels, at least one.
        pool: s is the mean over the "video", or each "snippet" itself, which then needs no later one.
    """

    name = "channel_attention"
    inputs = {"x": "b t in_dim", "mask?": "b t"}
    example = {"in_dim": 8, "reduction": 2}
    paper = "Hu et al., Squeeze-and-Excitation Networks, CVPR 2018"
    fidelity = "paper"

    def __init__(self, *, in_dim: int, reduction: int = 16, pool: Literal["video", "snippet"] = "video") -> None:
        super().__init__()
        if reduction < 1:
            raise ValueError(f"reduction must be at least 1, not {reduction}")
        self.in_dim = self.dim = in_dim
        self.pool = pool
        self.lookahead = self.lookback = "all" if pool == "video" else 0
        width = max(1, in_dim // reduction)
        self.squeeze, self.excite = nn.Linear(in_dim, width), nn.Linear(width, in_dim)
        initialise(self)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c) and mask (b, t); return (b, t, c)."""
        seen = masked_mean(x, mask)[:, None] if self.pool == "video" else x  # (b, 1 or t, c)
        weight: Tensor = self.excite(self.squeeze(seen).relu()).sigmoid()
        return x * weight


@hookimpl
def vadkit_components() -> list[type]:
    return [ChannelAttention]
