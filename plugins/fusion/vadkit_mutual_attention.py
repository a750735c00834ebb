"""Mutual attention: one map between two streams tells each which snippets of the other to take.

A guess at the fusion of MSAF (Wei et al., "MSAF: Multimodal Supervise-Attention Enhanced Fusion for Video Anomaly
Detection", IEEE SPL 2022), of which only the abstract is public: features of two modalities are aligned implicitly,
enhanced, and fused.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

from itertools import combinations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from vadkit import Fusion, hookimpl
from vadkit.layers import initialise, padding_bias


class MutualAttention(Fusion):
    """Add to each of two streams what it finds in the other, both by one map of similarities, and add up the results.

    M = q(a) k(o)^T / sqrt(c) for two streams a and o; a' = a + softmax(M) v(o) over the snippets of o, and
    o' = o + softmax(M^T) v(a) over those of a. The result is a' + o'. Of more streams each two are aligned in this
    way, by the same q, k and v, in the order in which they are wired; a single stream is aligned with itself.

    Args:
        dim: width of every stream.
        use_mask: exclude padding.
    """

    name = "mutual_attention"
    inputs = {"*x": "b t dim", "mask?": "b t"}
    example = {"dim": 8}
    paper = "Wei et al., MSAF: Multimodal Supervise-Attention Enhanced Fusion, IEEE SPL 2022"
    fidelity = "reconstruction"
    lookahead = "all"
    mask_switch = "use_mask"

    def __init__(self, *, dim: int, use_mask: bool = False) -> None:
        super().__init__()
        self.dim, self.use_mask = dim, use_mask
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))
        initialise(self)

    def forward(self, x: list[Tensor], mask: Tensor | None = None) -> Tensor:
        """Take streams (b, t, c) and mask (b, t); return (b, t, c)."""
        bias = padding_bias(mask if self.use_mask else None, x[0])
        pairs = list(combinations(range(len(x)), 2)) or [(0, 0)]
        values, total = [self.v(stream) for stream in x], torch.stack(x).sum(0)
        for one, other in pairs:
            asking, answering = self.q(x[one]), self.k(x[other])
            total = total + attended(asking, answering, values[other], bias)
            total = total + attended(answering, asking, values[one], bias)
        return total


def attended(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """Return what rows q (b, t, c) take of the values (b, t, c) of rows k (b, t, c), with a bias (b, 1, t)."""
    q, k, v = (rearrange(part, "b t c -> b 1 t c") for part in (q, k, v))  # one head
    bias = None if bias is None else rearrange(bias, "b 1 t -> b 1 1 t")
    return rearrange(scaled_dot_product_attention(q, k, v, attn_mask=bias), "b 1 t c -> b t c")


@hookimpl
def vadkit_components() -> list[type]:
    return [MutualAttention]
