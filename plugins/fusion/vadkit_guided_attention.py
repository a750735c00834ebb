"""Guided attention: another stream decides which snippets of the main one are attended to, near ones first.

The cross attention of CMA-LA: Pu, Wu, "Audio-Guided Attention Network for Weakly Supervised Violence
Detection", ICCECE 2022, where sound guides the pictures.

Legend: b bags x crops, t snippets, c channels of the main stream, h hidden width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vadkit import Fusion, hookimpl
from vadkit.layers import by_rows, distances, hide, initialise


class GuidedAttention(Fusion):
    """Add to the first stream what the others find in it, one after the other, in the order in which they are wired.

    Main a, guide g: a + out(softmax(q(g) k(a)^T / sqrt(h) + P) v(a)), one head. P_ij = exp(-|gamma d^2 + beta|) with
    d = |i - j| is the distance prior. A guide thus only weights snippets of the main stream, whose width is kept.

    Equal to the authors' code, which ends with a LayerNorm (``layer_norm`` as the next node) and has no other norm.
    Deviation: the authors create gamma and beta from uninitialised memory. Where both are exactly 0, the prior is 1
    everywhere and its gradient is 0, so it never trains: here both start small, and (0, 0) is refused.

    Args:
        dims: widths of the streams, the main one first.
        hidden: width of q, k and v.
        gamma: initial value of the learned slope of the prior.
        beta: initial value of its learned shift.
        use_mask: exclude padding. Off as in the authors' code, which includes it.
    """

    name = "guided_attention"
    inputs = {"*x": "b t dims", "mask?": "b t"}
    example = {"dims": [4, 3], "hidden": 4}
    paper = "Pu, Wu, Audio-Guided Attention Network for Weakly Supervised Violence Detection, ICCECE 2022"
    fidelity = "official"
    lookahead = "all"
    mask_switch = "use_mask"
    authors_names = {  # of one cross attention, which has one guide
        "steps.0.q": "cross_attention.cross_attention.q",
        "steps.0.k": "cross_attention.cross_attention.k",
        "steps.0.v": "cross_attention.cross_attention.v",
        "steps.0.out": "cross_attention.cross_attention.o",
        "steps.0.gamma": "dis_adj.w",
        "steps.0.beta": "dis_adj.bias",
    }

    def __init__(
        self, *, dims: list[int], hidden: int = 128, gamma: float = 0.01, beta: float = 0.01, use_mask: bool = False
    ) -> None:
        super().__init__()
        if hidden < 1:
            raise ValueError(f"hidden must be at least 1, not {hidden}")
        if gamma == 0 and beta == 0:
            raise ValueError("gamma and beta must not both be 0: the gradient of the prior would stay 0")
        self.dims, self.dim, self.use_mask = list(dims), dims[0], use_mask
        self.lookahead = self.lookback = "all" if len(dims) > 1 else 0
        self.steps = nn.ModuleList(GuidedStep(dims[0], guide, hidden, gamma, beta) for guide in dims[1:])
        initialise(self)

    def forward(self, x: list[Tensor], mask: Tensor | None = None) -> Tensor:
        """Take streams (b, t, c_i) and mask (b, t); return (b, t, c_0)."""
        main = x[0]
        for step, guide in zip(self.steps, x[1:]):
            main = step(main, guide, mask if self.use_mask else None)
        return main


class GuidedStep(nn.Module):
    """Add to the main stream what one guide finds in it."""

    def __init__(self, dim: int, guide: int, hidden: int, gamma: float, beta: float) -> None:
        super().__init__()
        self.q = nn.Linear(guide, hidden)
        self.k = nn.Linear(dim, hidden)
        self.v = nn.Linear(dim, hidden)
        self.out = nn.Linear(hidden, dim)
        self.gamma = nn.Parameter(torch.tensor([gamma]))
        self.beta = nn.Parameter(torch.tensor([beta]))

    def forward(self, main: Tensor, guide: Tensor, mask: Tensor | None) -> Tensor:
        """Take main (b, t, c), guide (b, t, c') and mask (b, t); return (b, t, c)."""
        q, k, v = self.q(guide), self.k(main), self.v(main)
        return main + self.out(by_rows(lambda rows: self.attention(q[:, rows], k, mask, rows) @ v, main))

    def attention(self, q: Tensor, k: Tensor, mask: Tensor | None, rows: slice = slice(None)) -> Tensor:
        """Return rows of the attention map, (b, rows, t)."""
        logits = q @ k.transpose(1, 2) * self.q.out_features**-0.5 + self.prior(k, rows)
        return (logits if mask is None else hide(logits, mask[:, None, :])).softmax(-1)

    def prior(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        """Return P (t, t), or some rows of it."""
        return torch.exp(-(self.gamma * distances(x, rows) ** 2 + self.beta).abs())


@hookimpl
def vadkit_components() -> list[type]:
    return [GuidedAttention]
