"""Motion mix: the more the features of a video change, the more one of two scores counts.

A reconstruction of the score fusion of Xiao et al., "Optical Flow-Aware-Based Multi-Modal Fusion Network for Violence
Detection", Entropy 2022, which goes by the change of optical flow; its formula is a guess.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from vadkit import Head, hookimpl
from vadkit.layers import clear

SMALL = 1e-6  # a video without any motion has no size to divide by


class MotionMix(Head):
    """Return (1 - r) x + r moving, where r = m / (1 + m) and m is the relative change of the motion features.

    For two neighbouring snippets f and g, the change is |f - g| and the size (|f| + |g|) / 2. m is the sum of the
    changes of a video by the sum of the sizes, or for each snippet its change from the one before by their size. The
    first snippet has not changed. Padding has no part in it.

    Args:
        dim: width of the motion features.
        per: one r for each "video", or for each "snippet", which then needs no later one.
    """

    name = "motion_mix"
    inputs = {"x": "b t", "moving": "b t", "motion": "b t dim", "mask?": "b t"}
    needs = {"x": "probability", "moving": "probability"}
    example = {"dim": 3}
    paper = "Xiao et al., Optical Flow-Aware-Based Multi-Modal Fusion Network, Entropy 2022"
    fidelity = "reconstruction"
    range = "probability"

    def __init__(self, *, dim: int, per: Literal["video", "snippet"] = "video") -> None:
        super().__init__()
        self.dim, self.per = dim, per
        self.lookahead, self.lookback = ("all", "all") if per == "video" else (0, 1)

    def forward(self, x: Tensor, moving: Tensor, motion: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take probabilities (b, t), motion features (b, t, c) and mask (b, t); return probabilities (b, t)."""
        change, size = self.steps(motion, mask)
        if self.per == "video":
            change, size = change.sum(1, keepdim=True), size.sum(1, keepdim=True)
        m = change / (size + SMALL)
        share = m / (1 + m)
        return x + share * (moving - x)

    @staticmethod
    def steps(motion: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return change and size of each step to a snippet from the one before, both (b, t) and 0 at the first."""
        motion = clear(motion, mask)
        before, after = motion[:, :-1], motion[:, 1:]
        change, size = (after - before).norm(dim=-1), (after.norm(dim=-1) + before.norm(dim=-1)) / 2
        if mask is not None:
            change, size = change.masked_fill(~mask[:, 1:], 0), size.masked_fill(~mask[:, 1:], 0)
        return nn.functional.pad(change, (1, 0)), nn.functional.pad(size, (1, 0))


@hookimpl
def vadkit_components() -> list[type]:
    return [MotionMix]
