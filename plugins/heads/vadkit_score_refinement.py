"""Refinement of scores by the scores around them, at several scales that are weighted for each video.

After Gong et al., "Multi-Scale Continuity-Aware Refinement Network for Weakly Supervised Video Anomaly Detection",
ICME 2022, whose abstract states both ideas; the formulas are ours.

Legend: b bags x crops, t snippets, c channels, r scales.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Head, hookimpl
from vadkit.layers import full_precision, initialise, masked_mean

LEAST = 1e-6  # probabilities closer to 0 or 1 have a finite logit, too


class ScoreRefinement(Head):
    """Raise a score that its neighbours support and lower an isolated one, at scales that are weighted for each video.

    With c the mean of the scores at most ``radius`` snippets away, the score itself left out, and d = s - c,

        s_r = sigmoid(logit(s) + w_r c - u_r |d|)        s' = sum over r of beta_r s_r

    for learned numbers w_r and u_r, at first 1, and beta = softmax(MLP(mean of x over the video)). A score without
    neighbours is its own c. Scores within 1e-6 of 0 and 1 have no gradient through their logit.

    Args:
        in_dim: width of the snippets that the weights of the scales are computed from.
        radii: snippets to each side that a scale takes, a number for each scale.
        hidden: width of the hidden layer before the weights of the scales.
        difference: "magnitude" as above, or "signed": d in place of |d|, which also raises a dip.
        use_mask: leave padding out of both means.
    """

    name = "score_refinement"
    inputs = {"x": "b t in_dim", "scores": "b t", "mask?": "b t"}
    needs = {"scores": "probability"}
    example = {"in_dim": 8}
    paper = "Gong et al., MCR, ICME 2022"
    fidelity = "reconstruction"
    range = "probability"
    lookahead = "all"
    mask_switch = "use_mask"

    def __init__(
        self,
        *,
        in_dim: int,
        radii: list[int] | None = None,
        hidden: int = 32,
        difference: Literal["magnitude", "signed"] = "magnitude",
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        radii = [1, 2, 4] if radii is None else list(radii)
        if not radii or min(radii) < 1:
            raise ValueError(f"radii must be one or more numbers of at least 1, not {radii}")
        if hidden < 1:
            raise ValueError(f"hidden must be at least 1, not {hidden}")
        self.in_dim, self.radii, self.difference, self.use_mask = in_dim, radii, difference, use_mask
        self.support = nn.Parameter(torch.ones(len(radii)))  # w
        self.contrast = nn.Parameter(torch.ones(len(radii)))  # u
        self.weigh = nn.Sequential(nn.Linear(in_dim, hidden), nn.ReLU(), nn.Linear(hidden, len(radii)))
        initialise(self)

    def forward(self, x: Tensor, scores: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c), scores (b, t) and mask (b, t); return scores (b, t)."""
        scores, mask = full_precision(scores), mask if self.use_mask else None
        around = torch.stack([_around(scores, mask, radius) for radius in self.radii], dim=-1)  # (b, t, r)
        apart = scores[..., None] - around
        apart = apart.abs() if self.difference == "magnitude" else apart
        logit = scores.logit(LEAST)[..., None]
        refined = (logit + self.support * around - self.contrast * apart).sigmoid()
        beta = self.weigh(masked_mean(x, mask)).softmax(-1)  # (b, r)
        return (refined * beta[:, None].to(refined.dtype)).sum(-1)


def _around(scores: Tensor, mask: Tensor | None, radius: int) -> Tensor:
    """Return the mean of the scores (b, t) at most ``radius`` away, each without itself."""
    real = torch.ones_like(scores) if mask is None else mask.to(scores.dtype)
    kept = scores if mask is None else scores.masked_fill(~mask, 0)
    sums, counts = (_box(x, radius) - x for x in (kept, real))
    return torch.where(counts > 0.5, sums / counts.clamp_min(1), scores)


def _box(x: Tensor, radius: int) -> Tensor:
    """Return the sum of x (b, t) over windows of 2 radius + 1, with zeros at the ends."""
    width = 2 * radius + 1
    return F.avg_pool1d(x[:, None], width, stride=1, padding=radius)[:, 0] * width


@hookimpl
def vadkit_components() -> list[type]:
    return [ScoreRefinement]
