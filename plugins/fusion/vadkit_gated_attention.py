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
from vadkit.layers import attend_past, initialise, padding_bias, remember


class GatedAttention(Fusion):
    """Fold the streams into the first, one after the other, in the order in which they are wired.

    Main a, other o: A = softmax(q(a) k(o)^T / sqrt(c)) v(o) + a; j = [a ; A];
    out = fc(sigmoid(gate(j)) * j). One head, no norm, no residual around the gate. The first
    stream decides the width; a stream of another width is projected first.

    Equal to the seed authors' code.

    Args:
        dims: widths of the streams, the main one first.
        use_mask: exclude the padding of the other streams. Off as in the authors' code.
        past: a causal variant, for live scores: a snippet attends to the last ``past`` ones up to itself; null means
            the whole video.
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

    def __init__(self, *, dims: list[int], use_mask: bool = False, past: int | None = None) -> None:
        super().__init__()
        if past is not None and past < 1:
            raise ValueError(f"past must be at least 1, or null for the whole video, not {past}")
        self.dims, self.dim, self.use_mask, self.past = list(dims), dims[0], use_mask, past
        self.lookahead = "all" if len(dims) > 1 and past is None else 0
        self.steps = nn.ModuleList(GatedStep(dims[0], other, past) for other in dims[1:])
        initialise(self)

    def forward(self, x: list[Tensor], mask: Tensor | None = None) -> Tensor:
        """Take streams (b, t, c_i) and mask (b, t); return (b, t, c_0)."""
        bias = padding_bias(mask if self.use_mask else None, x[0])
        main = x[0]
        for step, other in zip(self.steps, x[1:]):
            main = step(main, other, bias)
        return main

    def step(self, state: list[Tensor] | None, x: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Take the rows kept of each other stream and the next x (b, n, c_i); return (b, n, c_0) and rows to keep."""
        main, kept = x[0], []
        for number, (step, other) in enumerate(zip(self.steps, x[1:])):
            main, rows = step.next(main, other, None if state is None else state[number])
            kept.append(rows)
        return main, kept


class GatedStep(nn.Module):
    """Fold one other stream into the main one."""

    def __init__(self, dim: int, other: int, past: int | None = None) -> None:
        super().__init__()
        self.past = past
        self.project = nn.Linear(other, dim) if other != dim else nn.Identity()
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.gate = nn.Linear(2 * dim, 2 * dim)
        self.out = nn.Linear(2 * dim, dim)

    def forward(self, main: Tensor, other: Tensor, bias: Tensor | None) -> Tensor:
        """Take main (b, t, c), other (b, t, c') and the bias (b, 1, t); return (b, t, c)."""
        other = self.project(other)
        bias = None if bias is None else rearrange(bias, "b 1 t -> b 1 1 t")
        return self._gated(main, self.attend(self.query(main), self.key(other), self.value(other), bias))

    def next(self, main: Tensor, other: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Take main (b, n, c), other (b, n, c'), and keys and values kept; return (b, n, c) and what to keep."""
        assert self.past is not None
        other = self.project(other)
        joined, state = remember(state, torch.cat([self.key(other), self.value(other)], dim=-1), self.past - 1)
        return self._gated(main, self.attend(self.query(main), *joined.chunk(2, dim=-1), None)), state

    def _gated(self, main: Tensor, found: Tensor) -> Tensor:
        joint = torch.cat([main, main + found], dim=-1)
        return self.out(torch.sigmoid(self.gate(joint)) * joint)  # type: ignore[no-any-return]

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """Return what the main stream takes from the other, (b, t, c)."""
        q, k, v = (rearrange(part, "b t c -> b 1 t c") for part in (q, k, v))  # one head
        if self.past is None:
            found = scaled_dot_product_attention(q, k, v, attn_mask=bias)
        else:
            found = attend_past(q, k, v, self.past, bias)
        return rearrange(found, "b 1 t c -> b t c")


@hookimpl
def vadkit_components() -> list[type]:
    return [GatedAttention]
