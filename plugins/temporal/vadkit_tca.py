"""Temporal context aggregation: one similarity map, applied globally and within a window, then mixed.

Pu, Wu, Yang, Wang, "Learning Prompt-Enhanced Context Features for Weakly-Supervised Video Anomaly
Detection", IEEE TIP 2024, equations 1 to 6; Eq. 1 and 2 of the seed paper (IEEE OJCS 2024).

Legend: b bags x crops, t snippets, c channels, h hidden width.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vadkit import Temporal, hookimpl
from vadkit.layers import by_rows, clear, distances, hide, initialise, kept, remember


class TemporalContextAggregation(Temporal):
    """Add one attention head's global and windowed context to every snippet.

    Both share the logits S = q k^T / sqrt(h) + D, where D_ij = exp(-|gamma d^2 - beta|) with
    d = |i - j| is the dynamic position encoding; the local one is limited to a window. They are
    mixed by sigmoid(alpha), optionally power-normalised, and projected back (``out``, f_h).

    Equal to PEL4VAD and to the seed authors' code.

    Args:
        in_dim: width of the snippets, kept.
        hidden: width of q, k and v.
        window: snippets of the local context, from j - window // 2 onwards; an even window reaches
            one less forwards than backwards.
        gamma: initial value of the learned slope of the position encoding.
        beta: initial value of its learned shift.
        power_norm: signed square root of the context, then L2 normalisation over "time" (the
            authors' code for UCF-Crime and ShanghaiTech: scores then depend on t) or over the
            "channel" (the paper); "off" for XD-Violence.
        norm: "layer" adds a LayerNorm after the residual, the other interpretation of LN in Eq. 2.
        use_mask: exclude padding. Off as in the authors' code, which includes it.
    """

    name = "tca"
    inputs = {"x": "b t in_dim", "mask?": "b t"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8, "hidden": 4, "window": 3}
    paper = "Pu et al., Learning Prompt-Enhanced Context Features, IEEE TIP 2024"
    fidelity = "code"
    lookahead = "all"
    mask_switch = "use_mask"
    past: int | None = None  # snippets of the global context, of the causal variant
    authors_names = {
        "q": "self_attn.q",
        "k": "self_attn.k",
        "v": "self_attn.v",
        "out": "self_attn.o",
        "alpha": "self_attn.alpha",
        "gamma": "loc_adj.w",
        "beta": "loc_adj.b",
    }

    def __init__(
        self,
        *,
        in_dim: int,
        hidden: int = 128,
        window: int = 9,
        gamma: float = 0.06,
        beta: float = 0.02,
        power_norm: Literal["off", "time", "channel"] = "off",
        norm: Literal["none", "layer"] = "none",
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        if window < 1:
            raise ValueError(f"window must be at least 1, not {window}")
        if hidden < 1:
            raise ValueError(f"hidden must be at least 1, not {hidden}")
        self.dim = self.in_dim = in_dim
        self.window, self.power_norm, self.use_mask = window, power_norm, use_mask
        self.before = window // 2  # snippets of the local context before its own
        self.q = nn.Linear(in_dim, hidden)
        self.k = nn.Linear(in_dim, hidden)
        self.v = nn.Linear(in_dim, hidden)
        self.out = nn.Linear(hidden, in_dim)
        self.alpha = nn.Parameter(torch.zeros(()))
        self.gamma = nn.Parameter(torch.tensor([gamma]))
        self.beta = nn.Parameter(torch.tensor([beta]))
        self.norm = nn.LayerNorm(in_dim) if norm == "layer" else nn.Identity()
        initialise(self)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c) and mask (b, t); return (b, t, c)."""
        mask = mask if self.use_mask else None
        q, k, v = self._project(x).chunk(3, dim=-1)
        read = by_rows(lambda rows: self._maps(q[:, rows], k, mask, rows) @ v, x)  # (b, t, h)
        return self.norm(x + self.out(self._power_norm(clear(read, mask))))

    def _project(self, x: Tensor) -> Tensor:
        """Return q, k and v as (b, t, 3 h), by one product: x is read once, and its gradient written once."""
        layers = (self.q, self.k, self.v)
        weight, bias = torch.cat([one.weight for one in layers]), torch.cat([one.bias for one in layers])
        return nn.functional.linear(x, weight, bias)

    def position_encoding(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        """Return D (t, t), or some rows of it."""
        if rows == slice(None):
            square = kept(lambda: distances(x).to(x.dtype) ** 2, x, "tca distance")
        else:
            square = distances(x, rows) ** 2
        return torch.exp(-(self.gamma * square - self.beta).abs())

    def _maps(self, q: Tensor, k: Tensor, mask: Tensor | None, rows: slice) -> Tensor:
        """Return rows of the mixed attention map (b, rows, t): one product with v serves both contexts."""
        encoding = self.position_encoding(k, rows)
        logits = torch.baddbmm(encoding, q, k.transpose(1, 2), alpha=self.q.out_features**-0.5)
        if mask is not None:
            logits = hide(logits, mask[:, None, :])
        if self.past is not None:
            logits = hide(logits, ~self._outside(k, rows, self.past, self.past - 1))
        near = logits.masked_fill(self._outside(k, rows, self.window, self.before), torch.finfo(logits.dtype).min)
        mix = torch.sigmoid(self.alpha)
        return mix * logits.softmax(-1) + (1 - mix) * near.softmax(-1)

    def _outside(self, x: Tensor, rows: slice, window: int, before: int) -> Tensor:
        """Return (rows, t), True where column i is outside the window of row j."""
        if rows == slice(None):
            return kept(lambda: outside_window(x, window, before, rows), x, "tca window", window, before)
        return outside_window(x, window, before, rows)

    def _power_norm(self, read: Tensor) -> Tensor:
        if self.power_norm == "off":
            return read
        root = read.relu().sqrt() - (-read).relu().sqrt()
        return nn.functional.normalize(root, dim=1 if self.power_norm == "time" else 2)


class CausalContextAggregation(TemporalContextAggregation):
    """TCA without later snippets, for live scores: the contexts of a snippet end with itself.

    As ``tca``, with the same weights, but the global context are the last ``past`` snippets and the local one the last
    ``window``. Padding at the end changes no score, so no mask is needed.

    Args:
        in_dim: width of the snippets, kept.
        past: snippets of the global context, the snippet itself among them.
        hidden: width of q, k and v.
        window: snippets of the local context.
        gamma: initial value of the learned slope of the position encoding.
        beta: initial value of its learned shift.
        power_norm: signed square root of the context and L2 normalisation over the "channel", or "off".
        norm: "layer" adds a LayerNorm after the residual.
    """

    name = "causal_tca"
    inputs = {"x": "b t in_dim"}
    example = {"in_dim": 8, "past": 4, "hidden": 4, "window": 3}
    fidelity = "ours"
    lookahead = 0
    mask_switch = None

    def __init__(
        self,
        *,
        in_dim: int,
        past: int = 64,
        hidden: int = 128,
        window: int = 9,
        gamma: float = 0.06,
        beta: float = 0.02,
        power_norm: Literal["off", "channel"] = "off",
        norm: Literal["none", "layer"] = "none",
    ) -> None:
        super().__init__(
            in_dim=in_dim, hidden=hidden, window=window, gamma=gamma, beta=beta, power_norm=power_norm, norm=norm
        )
        if past < 1:
            raise ValueError(f"past must be at least 1, not {past}")
        self.past, self.before = past, window - 1

    def step(self, state: Tensor | None, x: Tensor) -> tuple[Tensor, Tensor]:
        """Take the keys and values kept (b, m, 2 h) and the next x (b, n, c); return (b, n, c) and those to keep."""
        assert self.past is not None
        q, new = self._project(x).split([self.q.out_features, 2 * self.q.out_features], dim=-1)
        joined, state = remember(state, new, self.past - 1)
        k, v = joined.chunk(2, dim=-1)
        read = self._maps(q, k, None, slice(k.shape[1] - x.shape[1], k.shape[1])) @ v
        return self.norm(x + self.out(self._power_norm(read))), state


def outside_window(x: Tensor, window: int, before: int, rows: slice) -> Tensor:
    """Return (rows, t), True where snippet i of ``x`` (b, t, c) is not among ``window`` from j - ``before`` onwards."""
    position = torch.arange(x.shape[1], device=x.device)
    offset = position[None, :] - position[rows, None] + before
    return (offset < 0) | (offset >= window)


@hookimpl
def vadkit_components() -> list[type]:
    return [TemporalContextAggregation, CausalContextAggregation]
