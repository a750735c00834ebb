"""Tokens of snippets from their features and their magnitude: the feature amplification mechanism of MGFN.

Chen et al., "MGFN: Magnitude-Contrastive Glance-and-Focus Network for Weakly-Supervised Video Anomaly Detection",
AAAI 2023, Section 3.2.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from vadkit import Temporal, hookimpl


class MagnitudeTokens(Temporal):
    """Convolve features over time, and add a convolution of their L2 norms times a small factor.

        y = conv(x, kernel 3) + ratio * conv(||x||_2, kernel 3)

    The authors store the norm as a last channel of the features; here it is computed, of the segment means in
    training as theirs is. ``appended`` takes it from the last channel of files like theirs.

    Args:
        in_dim: width of the snippets, with the norm if that is appended.
        dim: width of the tokens; null keeps that of the features.
        ratio: factor of the magnitudes.
        appended: the last channel is the norm of the others.
    """

    name = "magnitude_tokens"
    example = {"in_dim": 6, "dim": 4}
    paper = "Chen et al., MGFN, AAAI 2023"
    fidelity = "code"
    lookahead = lookback = 1
    authors_names = {"features": "to_tokens", "magnitudes": "to_mag"}

    def __init__(self, *, in_dim: int, dim: int | None = None, ratio: float = 0.1, appended: bool = False) -> None:
        super().__init__()
        width = in_dim - appended
        if width < 1 or (dim is not None and dim < 1):
            raise ValueError(f"features and tokens must be at least 1 wide, not {width} and {dim}")
        self.in_dim, self.dim = in_dim, dim or width
        self.ratio, self.appended = ratio, appended
        self.features = nn.Conv1d(width, self.dim, 3, padding=1)
        self.magnitudes = nn.Conv1d(1, self.dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Take x (b, t, c); return tokens (b, t, dim)."""
        if self.appended:
            x, length = x[..., :-1], x[..., -1:]
        else:
            length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        x, length = (rearrange(part, "b t c -> b c t") for part in (x, length))
        return rearrange(self.features(x) + self.ratio * self.magnitudes(length), "b c t -> b t c")


@hookimpl
def vadkit_components() -> list[type]:
    return [MagnitudeTokens]
