"""Causal scoring head: a convolution over the current snippet and those before it.

The classifier of PEL4VAD (Pu et al., IEEE TIP 2024) and Eq. 6 of the seed paper, where the kernel is
called Delta t (3 for XD-Violence and ShanghaiTech, 9 for UCF-Crime).

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

from typing import Literal

from einops import rearrange
from torch import Tensor, nn

from vadkit import Head, hookimpl
from vadkit.layers import initialise


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
        self.in_dim, self.kernel = in_dim, kernel
        self.dropout = nn.Dropout(dropout)
        self.conv = nn.Conv1d(in_dim, logits, kernel)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Take x (b, t, c); return scores (b, t)."""
        x = nn.functional.pad(rearrange(self.dropout(x), "b t c -> b c t"), (self.kernel - 1, 0))
        logits = self.conv(x)  # (b, 1 or 2, t)
        return logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]


@hookimpl
def vadkit_components() -> list[type]:
    return [CausalConv]
