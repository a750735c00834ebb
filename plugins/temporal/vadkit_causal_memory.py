"""A memory of the snippets before each one: their mean over a short window.

Zhang et al., "Exploiting Completeness and Uncertainty of Pseudo Labels for Weakly Supervised Video Anomaly
Detection" (CUPL), CVPR 2023.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from vadkit import Temporal, hookimpl


class CausalMemory(Temporal):
    """Average the snippets before each one, at most ``window`` of them, without the snippet itself.

    m_t = mean of x_(t - w) ... x_(t - 1) with w = min(t, window). The first snippet, which has none before it, is its
    own memory. The second output, ``rows``, are the snippets that are averaged: those that came in, or unit rows. Join
    both with ``concat``.

    Args:
        in_dim: width of the snippets, kept.
        window: snippets of the memory.
        unit: divide each snippet by its length first.
    """

    name = "causal_memory"
    inputs = {"x": "b t in_dim"}
    outputs = {"x": "b t dim", "rows": "b t dim"}
    example = {"in_dim": 6}
    paper = "Zhang et al., Exploiting Completeness and Uncertainty of Pseudo Labels, CVPR 2023"
    fidelity = "code"

    def __init__(self, *, in_dim: int, window: int = 5, unit: bool = False) -> None:
        super().__init__()
        if window < 1:
            raise ValueError(f"window must be at least 1, not {window}")
        self.in_dim = self.dim = in_dim
        self.window, self.unit = window, unit
        self.lookback = window

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Take x (b, t, c); return the memory and the snippets, (b, t, c) each."""
        x = normalize(x, dim=-1) if self.unit else x
        # A sum of shifted copies, not a difference of running sums: exact however long the video is.
        padded = torch.nn.functional.pad(x, (0, 0, self.window, 0))
        t = x.shape[1]
        total = sum((padded[:, shift : shift + t] for shift in range(1, self.window)), padded[:, :t])
        step = torch.arange(t, device=x.device)
        before = step.clamp(1, self.window).to(x.dtype)[:, None]
        return {"x": torch.where(step[:, None] == 0, x, total / before), "rows": x}


@hookimpl
def vadkit_components() -> list[type]:
    return [CausalMemory]
