"""Clustering of normal snippets around prototypes.

Park et al., "Normality Guided Multiple Instance Learning for Weakly Supervised Video Anomaly Detection", WACV 2023:
the normality clustering loss. No code of it is public; its abstract says what it is for, not its formula.

Legend: b bags x crops, v videos, t snippets, c channels, m prototypes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, to_rows, weighted_mean


class PrototypeClustering(Loss):
    """Draw each snippet of a normal video to its nearest prototype, and prototypes apart from each other.

        mean over normal snippets of (1 - max_m cos_m)  +  spread * mean over m != n of max(0, cos(p_m, p_n))

    Padding and abnormal videos have no share. Without a normal video the first term is 0; a single prototype has no
    second one.

    Args:
        rows: prototypes.
        dim: width of a prototype.
        spread: weight of the second term.
    """

    name = "prototype_clustering"
    inputs = {"cosines": "b t rows", "prototypes": "rows dim", "labels": "v", "mask?": "b t"}
    example = {"rows": 3, "dim": 6}
    paper = "Park et al., Normality Guided Multiple Instance Learning, WACV 2023"
    fidelity = "reconstruction"

    def __init__(self, *, rows: int, dim: int, spread: float = 1.0) -> None:
        super().__init__()
        if spread < 0:
            raise ValueError(f"spread must be at least 0, not {spread}")
        self.rows, self.dim, self.spread = rows, dim, spread

    def forward(
        self, cosines: Tensor, prototypes: Tensor, labels: Tensor, mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Take cosines (b, t, m), prototypes (m, c), labels (v) and mask (b, t); return "total" and both terms."""
        distance = 1 - full_precision(cosines).amax(-1)
        kept = (to_rows(labels, len(distance)) < 0.5)[:, None].expand_as(distance)
        kept = kept if mask is None else kept & mask
        pull, spread = weighted_mean(distance, kept.float()), self.spread * self.closeness(prototypes)
        return {"total": pull + spread, "pull": pull, "spread": spread}

    def closeness(self, prototypes: Tensor) -> Tensor:
        """Return the mean of max(0, cosine) over all pairs of different prototypes."""
        units = F.normalize(full_precision(prototypes), dim=-1)
        different = 1 - torch.eye(self.rows, device=units.device, dtype=units.dtype)
        return ((units @ units.T).relu() * different).sum() / max(1, self.rows * (self.rows - 1))


@hookimpl
def vadkit_components() -> list[type]:
    return [PrototypeClustering]
