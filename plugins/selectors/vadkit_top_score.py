"""Selection of snippets by a score, so that one score can choose where another one is trained.

Park et al., "Normality Guided Multiple Instance Learning for Weakly Supervised Video Anomaly Detection", WACV 2023,
refine the scores by which instances are chosen. No code of it is public.

Legend: b bags x crops, v videos, t snippets, k chosen snippets.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vadkit import Selector, hookimpl
from vadkit.layers import full_precision, per_video


class TopScore(Selector):
    """Choose the snippets of a video with the highest scores, highest first.

    The scores of the crops of a video are averaged first. Padding is chosen only where nothing else is left.

    Args:
        k: snippets chosen per video; a shorter video gives as many as it has.
    """

    name = "top_score"
    inputs = {"x": "b t", "mask?": "b t", "crops?": ""}
    needs = {"x": "probability"}
    example = {"k": 3}
    paper = "Park et al., Normality Guided Multiple Instance Learning, WACV 2023"
    fidelity = "reconstruction"

    def __init__(self, *, k: int = 3) -> None:
        super().__init__()
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        self.k = k

    def forward(self, x: Tensor, mask: Tensor | None = None, crops: int | None = None) -> Tensor:
        """Take scores x (b, t) and mask (b, t); return indices (v, k)."""
        scores = per_video(full_precision(x.detach()), crops or 1).mean(1)
        if mask is not None:
            scores = torch.where(per_video(mask, crops or 1)[:, 0], scores, -1)
        return scores.topk(min(self.k, scores.shape[1]), dim=1).indices


@hookimpl
def vadkit_components() -> list[type]:
    return [TopScore]
