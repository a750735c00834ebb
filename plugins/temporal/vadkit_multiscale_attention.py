"""Attention over the snippets of a video at several scales.

After Yu et al., "TCA-VAD: Temporal Context Alignment Network for Weakly Supervised Video Anomaly Detection", ICME 2022,
whose abstract states a multi-scale attention module; its form is ours.

Legend: b bags x crops, t snippets, c channels, s snippets of a part, p parts of a bag, h heads, d head width.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Temporal, hookimpl
from vadkit.layers import Dropout, clear, initialise, padding_bias


class MultiscaleAttention(Temporal):
    """Let the parts of a video attend to each other, at several scales; join what each scale finds, and add the input.

    At scale s, the parts are the means of s consecutive snippets; a last part may be shorter. With q, k and v of each
    scale, and p = t // s the part of snippet t,

        z_p^s = softmax over r of (q_p k_r / sqrt(d)) v_r        y_t = x_t + W [z^1; z^2; ...] + b

    Args:
        in_dim: width of the snippets, kept.
        scales: snippets of a part, a number for each scale.
        heads: heads of each scale; a head is in_dim // (heads * scales) wide, at least 1.
        dropout: of what is added.
        use_mask: leave padding out of the means and of the attention.
    """

    name = "multiscale_attention"
    inputs = {"x": "b t in_dim", "mask?": "b t"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8, "heads": 2}
    paper = "Yu et al., TCA-VAD, ICME 2022"
    fidelity = "reconstruction"
    lookahead = "all"
    mask_switch = "use_mask"

    def __init__(
        self,
        *,
        in_dim: int,
        scales: list[int] | None = None,
        heads: int = 4,
        dropout: float = 0.1,
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        scales = [1, 2, 4] if scales is None else list(scales)
        if not scales or min(scales) < 1:
            raise ValueError(f"scales must be one or more numbers of at least 1, not {scales}")
        if heads < 1:
            raise ValueError(f"heads must be at least 1, not {heads}")
        self.dim = self.in_dim = in_dim
        self.scales, self.heads, self.use_mask = scales, heads, use_mask
        inner = heads * max(1, in_dim // (heads * len(scales)))
        self.qkv = nn.ModuleList(nn.Linear(in_dim, 3 * inner) for _ in scales)
        self.out = nn.Linear(inner * len(scales), in_dim)
        self.dropout = Dropout(dropout)
        initialise(self)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c) and mask (b, t); return (b, t, c)."""
        mask = mask if self.use_mask else None
        found = [self._attend(x, mask, layer, scale) for layer, scale in zip(self.qkv, self.scales)]
        return x + self.dropout(self.out(torch.cat(found, dim=-1)))

    def _attend(self, x: Tensor, mask: Tensor | None, layer: nn.Module, scale: int) -> Tensor:
        """Return what each snippet finds at one scale, (b, t, h d)."""
        t = x.shape[1]
        parts, exists = (x, mask) if scale == 1 else _means(x, mask, scale)
        q, k, v = (rearrange(part, "b p (h d) -> b h p d", h=self.heads) for part in layer(parts).chunk(3, dim=-1))
        bias = padding_bias(exists, q)
        bias = None if bias is None else bias[:, None]  # the same for all heads
        found = rearrange(F.scaled_dot_product_attention(q, k, v, attn_mask=bias), "b h p d -> b p (h d)")
        return found.index_select(1, torch.arange(t, device=x.device) // scale)


def _means(x: Tensor, mask: Tensor | None, scale: int) -> tuple[Tensor, Tensor]:
    """Return the mean of the real snippets of each part (b, p, c), and whether it has one.

    There is always one part more than whole ones, so that their number is a plain function of t in an exported graph;
    in a reshape it would not be.
    """
    t = x.shape[1]
    short = (t // scale + 1) * scale - t
    real = torch.ones_like(x[..., 0], dtype=torch.bool) if mask is None else mask
    number = F.pad(real, (0, short)).unfold(1, scale, scale).sum(2)
    total = F.pad(clear(x, mask), (0, 0, 0, short)).unfold(1, scale, scale).sum(3)
    return total / number.clamp_min(1)[..., None], number > 0


@hookimpl
def vadkit_components() -> list[type]:
    return [MultiscaleAttention]
