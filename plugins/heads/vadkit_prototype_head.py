"""Scoring head that compares snippets with prototypes of normal ones.

Park et al., "Normality Guided Multiple Instance Learning for Weakly Supervised Video Anomaly Detection", WACV 2023:
the similarity-based classifier. No code of it is public; its abstract says what is compared, not how.

Legend: b bags x crops, t snippets, c channels, m prototypes.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from vadkit import Head, hookimpl
from vadkit.layers import full_precision


class PrototypeHead(Head):
    """Score a snippet by how unlike it is to the most similar of several prototypes.

    With cos_m its cosine with prototype m,

        score = 1 - max(0, max_m cos_m)        ("clipped"), or
        score = (1 - max_m cos_m) / 2          ("halved")

    Cosines of features after a ReLU are seldom below 0; "halved" has a gradient there, too.

    Args:
        in_dim: width of the snippets and of the prototypes.
        rows: prototypes.
        form: how a cosine becomes a probability.
    """

    name = "prototype_head"
    inputs = {"x": "b t in_dim", "prototypes": "rows in_dim"}
    outputs = {"scores": "b t", "cosines": "b t rows"}
    example = {"in_dim": 8, "rows": 3}
    paper = "Park et al., Normality Guided Multiple Instance Learning, WACV 2023"
    fidelity = "reconstruction"
    range = {"scores": "probability", "cosines": "unbounded"}
    lookback = 0

    def __init__(self, *, in_dim: int, rows: int, form: Literal["clipped", "halved"] = "clipped") -> None:
        super().__init__()
        self.in_dim, self.rows, self.form = in_dim, rows, form

    def forward(self, x: Tensor, prototypes: Tensor) -> dict[str, Tensor]:
        """Take x (b, t, c) and prototypes (m, c); return scores (b, t) and cosines (b, t, m)."""
        snippets, rows = (F.normalize(full_precision(part), dim=-1) for part in (x, prototypes))
        cosines = snippets @ rows.T
        # Rounding may leave a cosine a little above 1.
        nearest = cosines.amax(-1).clamp(0 if self.form == "clipped" else -1, 1)
        scores = 1 - nearest if self.form == "clipped" else (1 - nearest) / 2
        return {"scores": scores, "cosines": cosines}


@hookimpl
def vadkit_components() -> list[type]:
    return [PrototypeHead]
