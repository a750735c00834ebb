"""Gated feature fusion with attention: the main stream attends to another, and a gate weights the result.

Section IV-E of the seed paper (IEEE OJCS 2024), which names it but gives only a concatenation; the
equations are those of the authors' code (``GatedFeatureFusionWithAttention``).

Legend: b bags x crops, t snippets, c channels of the main stream.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from vadkit import Fusion, hookimpl
from vadkit.layers import initialise, padding_bias


class GatedAttention(Fusion):
    """Fold the streams into the first, one after the other, in the order in which they are wired.

    Main a, other o: A = softmax(q(a) k(o)^T / sqrt(c)) v(o) + a; j = [a ; A];
    out = fc(sigmoid(gate(j)) * j). One head, no norm, no residual around the gate. The first
    stream decides the width; a stream of another width is projected first.

    Equal to the seed authors' code.

    Args:
        dims: widths of the streams, the main one first.
        use_mask: exclude the padding of the other streams. Off as in the authors' code.
    """

    name = "gated_attention"
    inputs = {"*x": "b t dims", "mask?": "b t"}
    example = {"dims": [4, 3]}
    paper = "Section IV-E of the seed paper (IEEE OJCS 2024)"
    fidelity = "code"
    lookahead = "all"
    mask_switch = "use_mask"
    authors_names = {  # of one ``GatedFeatureFusionWithAttention``, which joins one further stream
        "steps.0.query": "cross_attention.query",
        "steps.0.key": "cross_attention.key",
        "steps.0.value": "cross_attention.value",
        "steps.0.gate": "gate",
        "steps.0.out": "fc",
    }

    def __init__(self, *, dims: list[int], use_mask: bool = False) -> None:
        super().__init__()
        self.dims, self.dim, self.use_mask = list(dims), dims[0], use_mask
        self.lookahead = "all" if len(dims) > 1 else 0
        self.steps = nn.ModuleList(GatedStep(dims[0], other) for other in dims[1:])
        initialise(self)

    def forward(self, x: list[Tensor], mask: Tensor | None = None) -> Tensor:
        """Take streams (b, t, c_i) and mask (b, t); return (b, t, c_0)."""
        bias = padding_bias(mask if self.use_mask else None, x[0])
        main = x[0]
        for step, other in zip(self.steps, x[1:]):
            main = step(main, other, bias)
        return main


class GatedStep(nn.Module):
    """Fold one other stream into the main one."""

    def __init__(self, dim: int, other: int) -> None:
        super().__init__()
        self.project = nn.Linear(other, dim) if other != dim else nn.Identity()
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.gate = nn.Linear(2 * dim, 2 * dim)
        self.out = nn.Linear(2 * dim, dim)

    def forward(self, main: Tensor, other: Tensor, bias: Tensor | None) -> Tensor:
        """Take main (b, t, c), other (b, t, c') and the bias (b, 1, t); return (b, t, c)."""
        joint = torch.cat([main, main + self.attend(main, self.project(other), bias)], dim=-1)
        return self.out(torch.sigmoid(self.gate(joint)) * joint)

    def attend(self, main: Tensor, other: Tensor, bias: Tensor | None) -> Tensor:
        """Return what the main stream takes from the other, (b, t, c)."""
        parts = (self.query(main), self.key(other), self.value(other))
        q, k, v = (rearrange(part, "b t c -> b 1 t c") for part in parts)  # one head
        bias = None if bias is None else rearrange(bias, "b 1 t -> b 1 1 t")
        return rearrange(scaled_dot_product_attention(q, k, v, attn_mask=bias), "b 1 t c -> b t c")


@hookimpl
def vadkit_components() -> list[type]:
    return [GatedAttention]
