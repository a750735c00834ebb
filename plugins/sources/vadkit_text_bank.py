"""A bank of vectors: of class names, as a text tower gives them, or prototypes.

UMIL (Lv et al., CVPR 2023) compares snippets with the text vectors of "normal" and "abnormal".

Legend: n rows, c channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Source, hookimpl


class TextBank(Source):
    """Give one vector per class.

    The vectors are drawn at random, of length 1. Take those of a text tower from a file (n, c) when training begins:
    ``train.warm_start: [{file: classes.npy, nodes: [text]}]``. They are part of the model file from then on.

    Args:
        rows: classes.
        dim: width of a vector.
        learned: train the vectors; a frozen bank is as it was drawn or read.
    """

    name = "text_bank"
    outputs = {"x": "rows dim"}
    example = {"rows": 2, "dim": 6}
    paper = "Lv et al., Unbiased Multiple Instance Learning, CVPR 2023"
    fidelity = "paper"

    def __init__(self, *, rows: int = 2, dim: int = 512, learned: bool = False) -> None:
        super().__init__()
        for name, value in (("rows", rows), ("dim", dim)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        self.rows, self.dim = rows, dim
        vectors = F.normalize(torch.randn(rows, dim), dim=-1)
        if learned:
            self.weight = nn.Parameter(vectors)
        else:
            self.register_buffer("weight", vectors)

    def forward(self) -> Tensor:
        """Return (n, c)."""
        return self.weight


@hookimpl
def vadkit_components() -> list[type]:
    return [TextBank]
