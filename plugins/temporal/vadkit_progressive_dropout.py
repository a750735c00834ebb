"""Progressive dropout: whole channels are dropped, the stronger the more likely.

Reference [63] of the seed paper as its authors implemented it (``Pdropout``), after both layers of Stage 3.

Legend: b bags x crops, t snippets, c channels; a row is one channel of one bag.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor

from vadkit import Temporal, hookimpl


class ProgressiveDropout(Temporal):
    """Drop rows in training, with a probability that rises from 0 to p with their rank in the batch.

    Rows are ranked by sigmoid(mean over time), all bags together: the rate of one bag depends on
    the others. The authors pass (b, c, t), so that a row is a channel, not a snippet as the
    text suggests; and the survivors are not scaled up, so that activations grow by about 1.6 at
    test. Both are kept. In evaluation it changes nothing.

    Args:
        in_dim: width of the snippets, kept.
        p: probability of the top rank.
        curve: "log" rises fast at first (code), "linear" evenly.
        rescale: divide the survivors by 1 - their probability.
    """

    name = "progressive_dropout"
    inputs = {"x": "b t in_dim"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8}
    paper = "Section IV-B of the seed paper (IEEE OJCS 2024)"
    fidelity = "code"
    lookback = 0

    def __init__(
        self,
        *,
        in_dim: int,
        p: float = 0.5,
        curve: Literal["log", "linear"] = "log",
        rescale: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"p must be at least 0 and below 1, not {p}")
        self.dim = self.in_dim = in_dim
        self.p, self.curve, self.rescale = p, curve, rescale

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        if not self.training or self.p == 0:
            return x
        probability = self.probabilities(x)  # (b, c)
        kept = self.draw_noise(probability.shape, x) >= probability
        factor = kept.to(x.dtype)
        if self.rescale:
            factor = factor / (1 - probability)
        return x * factor[:, None, :]

    def probabilities(self, x: Tensor) -> Tensor:
        """Return the drop probability of every row (b, c)."""
        strength = rearrange(torch.sigmoid(x.detach().mean(1)), "b c -> (b c)")
        rank = strength.argsort().argsort().to(x.dtype)
        share = rank / max(strength.numel() - 1, 1)
        if self.curve == "log":  # log10(1 + share * (10^1.5 - 1)) / 1.5
            share = torch.log10(1 + share * (math.pow(10, 1.5) - 1)) / 1.5
        return rearrange(self.p * share, "(b c) -> b c", b=x.shape[0])

    def draw_noise(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return uniform noise (b, c) in [0, 1)."""
        return torch.rand(shape, dtype=like.dtype, device=like.device)


@hookimpl
def vadkit_components() -> list[type]:
    return [ProgressiveDropout]
