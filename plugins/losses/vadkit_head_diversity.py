"""Drive several heads apart, so that together they find whole anomalies.

Zhang et al., "Exploiting Completeness and Uncertainty of Pseudo Labels for Weakly Supervised Video Anomaly
Detection" (CUPL), CVPR 2023.

Legend: b bags x crops, t snippets, n heads, v videos.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from vadkit import Loss, hookimpl
from vadkit.layers import clear, full_precision, to_rows, weighted_mean


class HeadDiversity(Loss):
    """Mean cosine similarity of the score curves of each two heads, plus the spread of their lengths.

    total = mean over pairs of cos(s_i, s_j) + norm * mean over heads of | |s_i| - mean |s| |, where s_i are the scores
    of head i over the snippets of a video. The second term keeps a head from becoming silent. Without an abnormal
    video, or with one head, it is 0.

    Guess, as the authors published no code of it: abnormal videos only, as in normal ones all heads should agree on 0.

    Args:
        count: heads.
        norm: weight of the second term.
    """

    name = "head_diversity"
    inputs = {"heads": "b t count", "labels": "v", "mask?": "b t"}
    example = {"count": 3}
    paper = "Zhang et al., Exploiting Completeness and Uncertainty of Pseudo Labels, CVPR 2023"
    fidelity = "paper"

    def __init__(self, *, count: int, norm: float = 0.1) -> None:
        super().__init__()
        if norm < 0:
            raise ValueError(f"norm must be at least 0, not {norm}")
        self.count, self.norm = count, norm

    def forward(self, heads: Tensor, labels: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Take the scores of each head (b, t, n), labels (v) and mask (b, t); return total and parts."""
        heads = clear(full_precision(heads), mask)
        abnormal = to_rows(labels, heads.shape[0]).to(heads.dtype)  # (b)
        curves = normalize(heads, dim=1, eps=1e-6)
        alike = curves.transpose(1, 2) @ curves  # (b, n, n)
        pairs = torch.ones_like(alike[0]).triu(1)
        alike = (alike * pairs).sum((1, 2)) / pairs.sum().clamp_min(1)
        length = (heads.square().sum(1) + 1e-12).sqrt()  # (b, n)
        apart = (length - length.mean(1, keepdim=True)).abs().mean(1)
        parts = {"alike": weighted_mean(alike, abnormal), "length": weighted_mean(apart, abnormal)}
        return {"total": parts["alike"] + self.norm * parts["length"], **parts}


@hookimpl
def vadkit_components() -> list[type]:
    return [HeadDiversity]
