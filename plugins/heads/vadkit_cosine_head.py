"""Scoring head that compares snippets with vectors of the classes, such as those of their names.

UMIL: Lv et al., "Unbiased Multiple Instance Learning for Weakly Supervised Video Anomaly Detection", CVPR 2023.

Legend: b bags x crops, t snippets, n classes, c channels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Head, hookimpl


class CosineHead(Head):
    """Score a snippet by its cosines with the vectors of the classes, the first of which is normal.

    The logit of class n is scale * cos(W x + b, text_n), and the score 1 - softmax(logits)[0]: with two classes the
    probability of the second.

    Args:
        in_dim: width of the snippets.
        dim: width of the class vectors.
        rows: classes.
        scale: what the cosines are multiplied by, at the start (100 in CLIP).
        learn_scale: train the logarithm of the scale; the authors' is frozen.
    """

    name = "cosine_head"
    inputs = {"x": "b t in_dim", "text": "rows dim"}
    outputs = {"scores": "b t", "logits": "b t rows"}
    example = {"in_dim": 8, "dim": 6, "rows": 2}
    paper = "Lv et al., Unbiased Multiple Instance Learning, CVPR 2023"
    fidelity = "paper"
    range = {"scores": "probability", "logits": "unbounded"}
    lookback = 0

    def __init__(self, *, in_dim: int, dim: int, rows: int, scale: float = 100.0, learn_scale: bool = False) -> None:
        super().__init__()
        if rows < 2:
            raise ValueError(f"it needs the vectors of at least two classes, not {rows}")
        if scale <= 0:
            raise ValueError(f"scale must be above 0, not {scale}")
        self.in_dim, self.dim, self.rows = in_dim, dim, rows
        self.project = nn.Linear(in_dim, dim)
        self.scale = scale
        self.logit_scale = nn.Parameter(torch.tensor(math.log(scale))) if learn_scale else None

    def forward(self, x: Tensor, text: Tensor) -> dict[str, Tensor]:
        """Take x (b, t, c) and text (n, c'); return probabilities (b, t) and logits (b, t, n)."""
        cosines = F.normalize(self.project(x), dim=-1) @ F.normalize(text, dim=-1).T
        logits = cosines * (self.scale if self.logit_scale is None else self.logit_scale.exp())
        return {"scores": 1 - logits.softmax(-1)[..., 0], "logits": logits}


@hookimpl
def vadkit_components() -> list[type]:
    return [CosineHead]
