"""The standard transformer encoder, pre-norm unless asked otherwise.

Vaswani et al., "Attention Is All You Need", NIPS 2017; pre-norm as in Xiong et al., ICML 2020. The
seed paper names only a "Transformer" for its flow and audio streams; its authors' code is ``gl_mhsa``.
MSBT (Sun, Gong, ICME 2024) has both: a norm of the input and one after each residual. Shao et al., "Temporal Context
Aggregation for Video Retrieval with Contrastive Learning", WACV 2021, have one plain layer without positions.

Legend: b bags x crops, t snippets, c channels, h heads, d head width.
"""

from __future__ import annotations

from typing import Literal

from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from vadkit import Temporal, hookimpl
from vadkit.layers import Dropout, PostNormLayer, initialise, padding_bias, sinusoid


class Transformer(Temporal):
    """Add sine and cosine positions, then apply pre-norm layers of attention and feed-forward.

    A head is in_dim // heads wide (at least 1), so any width works. No final norm.

    Args:
        in_dim: width of the snippets, kept.
        depth: layers.
        heads: heads per layer.
        ff_dim: width inside the feed-forward part; null means ``in_dim``.
        dropout: after attention and both feed-forward projections.
        form: "pre_norm" as above, with a GELU between the feed-forward projections; "post_norm", a norm after each
            residual, and a ReLU (Vaswani et al.); "msbt", as post_norm but without positions and with one more norm
            on the input of each layer, from whose result the first residual starts: equal to MSBT's code. These
            two have a dropout of .1 on attention weights and inside the feed-forward part too. "plain" is post_norm
            without positions and with one dropout everywhere: torch's own encoder layer, as in Shao et al.
        init: "xavier"; "torch"; or "equal", where all layers, and in each q, k, v and out, start as copies (MSBT).
        use_mask: exclude padding.
    """

    name = "transformer"
    inputs = {"x": "b t in_dim", "mask?": "b t"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8, "heads": 2}
    paper = "Vaswani et al., Attention Is All You Need, NIPS 2017"
    lookahead = "all"
    mask_switch = "use_mask"

    def __init__(
        self,
        *,
        in_dim: int,
        depth: int = 1,
        heads: int = 4,
        ff_dim: int | None = None,
        dropout: float = 0.1,
        form: Literal["pre_norm", "post_norm", "msbt", "plain"] = "pre_norm",
        init: Literal["xavier", "torch", "equal"] = "xavier",
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        if min(depth, heads) < 1:
            raise ValueError(f"depth and heads must be at least 1, not {depth} and {heads}")
        if ff_dim is not None and ff_dim < 1:
            raise ValueError(f"ff_dim must be at least 1, or null for the input's width, not {ff_dim}")
        self.dim = self.in_dim = in_dim
        if form == "pre_norm" and init == "equal":
            raise ValueError("init 'equal' needs another form than 'pre_norm', where q, k and v are one projection")
        self.form, self.use_mask = form, use_mask
        sizes = (in_dim, heads, ff_dim or in_dim, dropout)
        if form == "pre_norm":
            self.layers = nn.ModuleList(TransformerLayer(*sizes) for _ in range(depth))
        else:
            inner = dropout if form == "plain" else 0.1
            switches = {"norm_first": form == "msbt", "equal_start": init == "equal"}
            self.layers = nn.ModuleList(PostNormLayer(*sizes, inner_dropout=inner, **switches) for _ in range(depth))
        if init == "equal":
            for layer in self.layers:
                layer.load_state_dict(self.layers[0].state_dict())
        else:
            initialise(self, init)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c) and mask (b, t); return (b, t, c)."""
        bias = padding_bias(mask if self.use_mask else None, x)
        x = x if self.form in ("msbt", "plain") else x + sinusoid(x)
        for layer in self.layers:
            x = layer(x, bias=bias)
        return x


class TransformerLayer(nn.Module):
    """One pre-norm layer: attention, then feed-forward, each with a residual."""

    def __init__(self, dim: int, heads: int, ff_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * max(1, dim // heads)
        self.attn_norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * inner)
        self.out = nn.Linear(inner, dim)
        self.ff_norm = nn.LayerNorm(dim)
        self.ff_in = nn.Linear(dim, ff_dim)
        self.ff_out = nn.Linear(ff_dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Take x (b, t, c) and the bias (b, 1, t); return (b, t, c)."""
        bias = None if bias is None else bias[:, None]  # the same for all heads
        parts = self.qkv(self.attn_norm(x)).chunk(3, dim=-1)
        q, k, v = (rearrange(part, "b t (h d) -> b h t d", h=self.heads) for part in parts)
        attended = scaled_dot_product_attention(q, k, v, attn_mask=bias)
        x = x + self.dropout(self.out(rearrange(attended, "b h t d -> b t (h d)")))
        hidden = self.dropout(nn.functional.gelu(self.ff_in(self.ff_norm(x))))
        return x + self.dropout(self.ff_out(hidden))


@hookimpl
def vadkit_components() -> list[type]:
    return [Transformer]
