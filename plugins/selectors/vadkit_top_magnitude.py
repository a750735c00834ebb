"""Selection of snippets by the magnitude of their features.

Tian et al., "Weakly-supervised Video Anomaly Detection with Robust Temporal Feature Magnitude Learning", ICCV 2021,
Section 3.3; in the same form in CLIP-TSA (ICIP 2023) and MGFN (AAAI 2023).

Legend: b bags x crops, v videos, t snippets, c channels, k chosen snippets.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vadkit import Selector, hookimpl
from vadkit.layers import full_precision, per_video


class TopMagnitude(Selector):
    """Choose the snippets of a video with the largest magnitudes, largest first, for all losses alike.

    The magnitude is the L2 norm of a snippet's features, averaged over the crops of the video. In training it is
    multiplied by a dropout mask, so that a snippet cannot be chosen with probability ``dropout``. If fewer than k
    survive, those that were dropped tie at 0. Padding is chosen only where nothing else is left.

    Args:
        in_dim: width of the snippets.
        k: snippets chosen per video; a shorter video gives as many as it has (the authors' code fails there).
        dropout: share of snippets that cannot be chosen in a training step.
    """

    name = "top_magnitude"
    inputs = {"x": "b t in_dim", "mask?": "b t", "crops?": ""}
    example = {"in_dim": 8}
    paper = "Tian et al., RTFM, ICCV 2021"
    fidelity = "code"

    def __init__(self, *, in_dim: int, k: int = 3, dropout: float = 0.7) -> None:
        super().__init__()
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {dropout}")
        self.in_dim, self.k, self.dropout = in_dim, k, dropout

    def forward(self, x: Tensor, mask: Tensor | None = None, crops: int | None = None) -> Tensor:
        """Take x (b, t, c) and mask (b, t); return indices (v, k)."""
        length = per_video(full_precision(x.detach()).norm(dim=-1), crops or 1).mean(1)  # (v, t)
        if self.training:
            length = length * self.draw_noise(tuple(length.shape), length)
        if mask is not None:
            length = length.masked_fill(~per_video(mask, crops or 1)[:, 0], -1)
        return length.topk(min(self.k, x.shape[1]), dim=1).indices

    def draw_noise(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return a dropout mask (v, t): 0, or 1 / (1 - dropout)."""
        return F.dropout(torch.ones(shape, dtype=like.dtype, device=like.device), self.dropout)


@hookimpl
def vadkit_components() -> list[type]:
    return [TopMagnitude]
