"""Attention pooling: one vector for a bag, the mean of its snippets weighted by a learned attention.

Ilse, Tomczak, Welling, "Attention-based Deep Multiple Instance Learning", ICML 2018, Eq. 8 and 9.

Legend: b bags x crops, t snippets, c channels, h hidden width.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vadkit import Temporal, hookimpl
from vadkit.layers import full_precision, hide, initialise


class AttentionPool(Temporal):
    """Give every snippet of a bag the same vector: the mean of all its snippets, weighted by attention.

        a_t = w^T (tanh(V x_t) * sigmoid(U x_t))        "gated"; w^T tanh(V x_t) is "plain"
        z   = sum over t of softmax(a)_t x_t

    Any head that scores snippets thus scores the bag. "mean" gives all snippets equal weight.

    Outputs besides x: ``logits`` a; ``weight``, the softmax of a; ``gate``, exp(a_t - max a), which is 1 at the
    snippet of most attention.

    Args:
        in_dim: width of the snippets, kept.
        hidden: width inside the attention.
        form: of the attention.
        use_mask: leave padding out; its weight and gate are then 0.
    """

    name = "attention_pool"
    inputs = {"x": "b t in_dim", "mask?": "b t"}
    outputs = {"x": "b t dim", "logits": "b t", "weight": "b t", "gate": "b t"}
    example = {"in_dim": 8, "hidden": 4}
    paper = "Ilse et al., Attention-based Deep Multiple Instance Learning, ICML 2018, Eq. 8 and 9"
    fidelity = "paper"
    range = {"logits": "logit", "weight": "probability", "gate": "probability"}
    lookahead = "all"
    mask_switch = "use_mask"

    def __init__(
        self,
        *,
        in_dim: int,
        hidden: int = 128,
        form: Literal["gated", "plain", "mean"] = "gated",
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        if hidden < 1:
            raise ValueError(f"hidden must be at least 1, not {hidden}")
        self.dim = self.in_dim = in_dim
        self.use_mask = use_mask
        self.value = None if form == "mean" else nn.Linear(in_dim, hidden)
        self.gate = nn.Linear(in_dim, hidden) if form == "gated" else None
        self.out = None if form == "mean" else nn.Linear(hidden, 1, bias=False)
        initialise(self)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Take x (b, t, c) and mask (b, t); return the outputs above."""
        logits = full_precision(self._logits(x))
        seen = logits if mask is None or not self.use_mask else hide(logits, mask)
        weight, gate = seen.softmax(1), (seen - seen.amax(1, keepdim=True)).exp()
        if mask is not None and self.use_mask:  # a bag of padding alone has equal weights otherwise
            weight, gate = weight * mask, gate * mask
        pooled = (weight[..., None].to(x.dtype) * x).sum(1, keepdim=True)
        return {"x": pooled.expand_as(x), "logits": logits, "weight": weight, "gate": gate}

    def _logits(self, x: Tensor) -> Tensor:
        if self.value is None or self.out is None:
            return torch.zeros_like(x[..., 0])
        hidden = self.value(x).tanh()
        if self.gate is not None:
            hidden = hidden * self.gate(x).sigmoid()
        return self.out(hidden)[..., 0]  # type: ignore[no-any-return]


@hookimpl
def vadkit_components() -> list[type]:
    return [AttentionPool]
