"""The losses that train UR-DMU's two memories to separate normal from abnormal.

Zhou, Yu, Yang, "Dual Memory Units with Uncertainty Regulation for Weakly Supervised Video Anomaly
Detection", AAAI 2023. The seed paper (IEEE OJCS 2024, code of WSV-GST) uses them with another k.

Legend: b bags x crops, v videos, p pairs of videos, t snippets, c channels, k chosen snippets.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vadkit import Loss, hookimpl
from vadkit.layers import (
    full_precision,
    gather_snippets,
    hide,
    masked_mean,
    pair_bags,
    per_video,
    probability_loss,
    topk_mean,
    weighted_mean,
)

PICKS = 20  # WSV-GST
WIDTH = 100.0  # how much longer abnormal read-outs should be


class DualMemoryLoss(Loss):
    """Make each memory respond to its own kind of snippet, and keep the two kinds apart.

    With a the abnormal and n the normal memory's score of a snippet, and "top" the mean of the k
    largest, the total is

        0.1 (abnormal_high + normal_low + normal_high + abnormal_low)
        + 0.1 triplet + 0.001 kl + 0.0001 distance + cos_weight cosine

    - abnormal_high: in abnormal videos top(a) should be 1; normal_low: so should top(1 - n);
    - normal_high: in normal videos n should be 1 everywhere; abnormal_low: and a should be 0;
    - triplet (margin 1, unit vectors): x pooled where n is highest in a normal video (anchor), where
      n is highest in an abnormal one (positive), where a is highest in an abnormal one (negative);
    - kl: the normal read-outs of normal videos should follow a standard normal distribution;
    - distance: relu(100 - || abnormal read-out || + || normal latent ||), pooled where a is highest
      in the abnormal and n in the normal video;
    - cosine: 1 - cos(anchor, negative), an addition of WSV-GST.

    The i-th normal video of a batch is paired with its i-th abnormal one. With several crops the
    memories' scores are averaged over the crops, pooling picks snippets crop by crop and then
    averages, as in UR-DMU.

    ``form``: "ur_dmu" takes k = t // 16 + 1 for top; "wsv_gst" takes 20.

    Quirks of the authors that are kept: ``kl`` is summed over time and averaged over channels;
    padding can be picked and enters ``kl`` (``use_mask`` ends that), only normal_high and
    abnormal_low exclude it; minimising ``cosine`` pulls the normal and the abnormal vector
    together, which looks like a sign error (WSV-GST: 0.5; here off). Deviation: k is cut to t.

    Args:
        dim: width of the features.
        form: whose k to use.
        cos_weight: weight of ``cosine``.
        pool_k: snippets pooled for triplet, distance and cosine; null for t // 16 + 1.
        use_mask: exclude padding everywhere.
    """

    name = "dual_memory_loss"
    inputs = {
        "x": "b t dim",
        "abnormal_score": "b t",
        "normal_score": "b t",
        "abnormal_read": "b t dim",
        "latent": "b t dim",
        "mu": "b t dim",
        "logvar": "b t dim",
        "labels": "v",
        "mask?": "b t",
        "crops?": "",
    }
    needs = {}
    example = {"dim": 8}
    paper = "Zhou et al., UR-DMU, AAAI 2023"
    fidelity = "code"
    mask_switch = "use_mask"
    pairs_bags = True

    def __init__(
        self,
        *,
        dim: int,
        form: Literal["ur_dmu", "wsv_gst"] = "ur_dmu",
        cos_weight: float = 0.0,
        pool_k: int | None = None,
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        if pool_k is not None and pool_k < 1:
            raise ValueError(f"pool_k must be at least 1, or null for t // 16 + 1, not {pool_k}")
        self.dim, self.form, self.cos_weight = dim, form, cos_weight
        self.pool_k, self.use_mask = pool_k, use_mask

    def forward(
        self,
        x: Tensor,
        abnormal_score: Tensor,
        normal_score: Tensor,
        abnormal_read: Tensor,
        latent: Tensor,
        mu: Tensor,
        logvar: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
        crops: int | None = None,
    ) -> dict[str, Tensor]:
        """Take rows (b, t, c) and scores (b, t) of the memories, labels (v), mask (b, t).

        ``abnormal_read`` is the abnormal memory's read-out through the mean encoder; ``mu`` and
        ``logvar`` encode the normal one's, ``latent`` is drawn from them. Returns "total" and parts.
        """
        crops = crops or 1
        real = torch.ones_like(abnormal_score, dtype=torch.bool) if mask is None else mask
        usable = real if self.use_mask else torch.ones_like(real)
        a, n, x, abnormal_read, latent, mu, logvar = (
            full_precision(v) for v in (abnormal_score, normal_score, x, abnormal_read, latent, mu, logvar)
        )
        parts = {
            **self._answers(a, n, labels, real, usable, crops),
            "kl": self._kl(mu, logvar, labels, usable, crops),
            **self._separation(x, a, n, abnormal_read, latent, labels, usable, crops),
        }
        return {"total": self._weigh(parts), **parts}

    def _weigh(self, parts: dict[str, Tensor]) -> Tensor:
        answers = sum(parts[p] for p in ("abnormal_high", "normal_low", "normal_high", "abnormal_low"))
        total = 0.1 * answers + 0.1 * parts["triplet"] + 0.001 * parts["kl"] + 0.0001 * parts["distance"]
        return total + self.cos_weight * parts["cosine"]

    def _answers(
        self, a: Tensor, n: Tensor, labels: Tensor, real: Tensor, usable: Tensor, crops: int
    ) -> dict[str, Tensor]:
        """Return the four terms on the memories' scores (b, t)."""
        a, n = (per_video(score, crops).mean(1) for score in (a, n))  # (v, t)
        real, usable = (per_video(keep, crops)[:, 0] for keep in (real, usable))
        abnormal, one = (labels > 0.5).float(), torch.ones_like(a)
        k = torch.full_like(labels, PICKS if self.form == "wsv_gst" else _share(a), dtype=torch.long)

        def top(score: Tensor) -> Tensor:
            return weighted_mean(probability_loss(topk_mean(score, k, usable), one[:, 0]), abnormal)

        def everywhere(score: Tensor, target: Tensor) -> Tensor:
            return weighted_mean(masked_mean(probability_loss(score, target), real), 1 - abnormal)

        return {
            "abnormal_high": top(a),
            "normal_low": top(1 - n),
            "normal_high": everywhere(n, one),
            "abnormal_low": everywhere(a, 1 - one),
        }

    @staticmethod
    def _kl(mu: Tensor, logvar: Tensor, labels: Tensor, usable: Tensor, crops: int) -> Tensor:
        """Return the divergence of the normal videos' read-outs, summed over time."""
        snippets = -0.5 * (1 + logvar - mu.square() - logvar.exp())
        rows = snippets.masked_fill(~usable[..., None], 0).sum(1).mean(-1)  # (b)
        normal = (labels <= 0.5).float()
        return weighted_mean(per_video(rows, crops).mean(1), normal)

    def _separation(
        self,
        x: Tensor,
        a: Tensor,
        n: Tensor,
        abnormal_read: Tensor,
        latent: Tensor,
        labels: Tensor,
        usable: Tensor,
        crops: int,
    ) -> dict[str, Tensor]:
        """Return the three terms on vectors pooled over the snippets of highest score."""
        normal, abnormal, exists = pair_bags(labels)
        high_a, high_n = (self._highest(score, usable) for score in (a, n))

        def pool(rows: Tensor, index: Tensor) -> Tensor:
            chosen = masked_mean(gather_snippets(rows, index), usable.gather(1, index))
            return per_video(chosen, crops).mean(1)  # (v, c)

        by_n, by_a = pool(x, high_n), pool(x, high_a)
        anchor, positive, negative = by_n[normal], by_n[abnormal], by_a[abnormal]
        triplet = F.triplet_margin_loss(
            *(F.normalize(v, dim=-1) for v in (anchor, positive, negative)), reduction="none"
        )
        longer = pool(abnormal_read, high_a)[abnormal].norm(dim=-1)
        shorter = pool(latent, high_n)[normal].norm(dim=-1)
        return {
            "triplet": weighted_mean(triplet, exists),
            "distance": weighted_mean((WIDTH - longer + shorter).relu(), exists),
            "cosine": weighted_mean(1 - F.cosine_similarity(anchor, negative, dim=-1), exists),
        }

    def _highest(self, score: Tensor, usable: Tensor) -> Tensor:
        """Return the snippets of highest score in each row, (b, k)."""
        k = min(self.pool_k or _share(score), score.shape[1])
        return hide(score, usable).topk(k, dim=1).indices


def _share(score: Tensor) -> int:
    return score.shape[1] // 16 + 1


@hookimpl
def vadkit_components() -> list[type]:
    return [DualMemoryLoss]
