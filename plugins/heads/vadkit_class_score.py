"""Score of a snippet from the logits of its classes.

VadCLIP (AAAI 2024) scores XD-Violence so.

Legend: b bags x crops, t snippets, n classes.
"""

from __future__ import annotations

from torch import Tensor

from vadkit import Head, hookimpl


class ClassScore(Head):
    """Return the probability of not being of the first class, which is normal: 1 - softmax(x)[0].

    Args:
        dim: classes.
    """

    name = "class_score"
    example = {"dim": 4}
    paper = "Wu et al., VadCLIP, AAAI 2024"
    fidelity = "code"
    range = "probability"
    lookback = 0

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """Take logits (b, t, n); return probabilities (b, t)."""
        return 1 - x.softmax(-1)[..., 0]


@hookimpl
def vadkit_components() -> list[type]:
    return [ClassScore]
