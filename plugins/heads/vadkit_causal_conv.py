"""Causal scoring head: a convolution over the current snippet and those before it.

The classifier of PEL4VAD (Pu et al., IEEE TIP 2024) and Eq. 6 of the seed paper, where the kernel is
called Delta t (3 for XD-Violence and ShanghaiTech, 9 for UCF-Crime).

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from vadkit import Head, hookimpl
from vadkit.layers import Dropout, initialise


class CausalConv(Head):
    """Score a snippet from itself and the ``kernel - 1`` before it, with zeros before the start.

    Returns a logit; the graph applies the sigmoid. Equal to PEL4VAD and to the seed authors' code.

    Args:
        in_dim: width of the snippets.
        kernel: snippets that one score depends on.
        logits: 1, or 2 for the softmax of Eq. 17 and 18, which is the sigmoid of their difference;
            the difference is returned.
        dropout: on the snippets before they are scored; .5 in the seed authors' two-stream model.
    """

    name = "causal_conv"
    inputs = {"x": "b t in_dim"}
    example = {"in_dim": 8}
    paper = "Pu et al., Learning Prompt-Enhanced Context Features, IEEE TIP 2024"
    fidelity = "code"
    range = "logit"
    authors_names = {"conv": "classifier"}

    def __init__(self, *, in_dim: int, kernel: int = 3, logits: Literal[1, 2] = 1, dropout: float = 0.0) -> None:
        super().__init__()
        if kernel < 1:
            raise ValueError(f"kernel must be at least 1, not {kernel}")
        self.in_dim, self.kernel, self.logits = in_dim, kernel, logits
        self.lookback = kernel - 1
        self.dropout = Dropout(dropout)
        self.conv = nn.Conv1d(in_dim, logits, kernel)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Take x (b, t, c); return scores (b, t)."""
        weight = rearrange(self.conv.weight, "o c k -> (o k) c")
        taps = nn.functional.linear(self.dropout(x), weight)  # (b, t, o * k): what each snippet adds to later scores
        taps = nn.functional.pad(rearrange(taps, "b t n -> b n t"), (self.kernel - 1, 0))
        # Tap j belongs to the snippet j places on: a convolution of these few rows, and not of all channels of x.
        place = torch.eye(self.kernel, dtype=taps.dtype, device=taps.device)[None].repeat(self.logits, 1, 1)
        logits = nn.functional.conv1d(taps, place, self.conv.bias, groups=self.logits)  # (b, 1 or 2, t)
        return logits[:, 0] if self.logits == 1 else logits[:, 1] - logits[:, 0]


@hookimpl
def vadkit_components() -> list[type]:
    return [CausalConv]
