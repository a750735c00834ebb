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
from vadkit.layers import full_precision, hide, pair_bags, per_video, probability_loss, topk_mean

PICKS = 20  # WSV-GST
WIDTH = 100.0  # how much longer abnormal read-outs should be
PARTS = ("abnormal_high", "normal_low", "normal_high", "abnormal_low", "kl", "triplet", "distance", "cosine")


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
        usable = mask if self.use_mask else None
        with torch.autocast(x.device.type, enabled=False):  # otherwise its products are in half precision
            a, n, x, abnormal_read, latent, mu, logvar = (
                full_precision(v) for v in (abnormal_score, normal_score, x, abnormal_read, latent, mu, logvar)
            )
            # Terms of one group have one weight per video, or per pair, and are averaged together.
            high = self._high(a, n, usable, crops)
            calm = torch.cat([self._everywhere(a, n, mask, crops), self._kl(mu, logvar, usable, crops)])
            apart, exists = self._separation(x, a, n, abnormal_read, latent, labels, usable, crops)
            abnormal = labels > 0.5
            groups = (_mean(high, abnormal), _mean(calm, ~abnormal), _mean(apart, exists > 0))
            values = [value for group in groups for value in group.unbind()]
            parts = dict(zip(PARTS, values))
            answers = groups[0].sum() + groups[1][:2].sum()
            total = 0.1 * (answers + parts["triplet"]) + 0.001 * parts["kl"] + 0.0001 * parts["distance"]
            if self.cos_weight:
                total = total + self.cos_weight * parts["cosine"]
            return {"total": total, **parts}

    def _high(self, a: Tensor, n: Tensor, usable: Tensor | None, crops: int) -> Tensor:
        """Return abnormal_high and normal_low of each video, (2, v)."""
        scores = torch.stack([_video(a, crops), 1 - _video(n, crops)])
        k = PICKS if self.form == "wsv_gst" else _share(a)
        if usable is None:
            top = scores.topk(min(k, a.shape[1]), dim=-1).values.mean(-1)
        else:
            keep = per_video(usable, crops)[:, 0].expand(scores.shape).flatten(0, 1)
            count = torch.full((len(keep),), k, device=keep.device)
            top = topk_mean(scores.flatten(0, 1), count, keep).view(2, -1)
        return probability_loss(top, torch.ones_like(top))

    @staticmethod
    def _everywhere(a: Tensor, n: Tensor, mask: Tensor | None, crops: int) -> Tensor:
        """Return normal_high and abnormal_low of each video, (2, v): the mean over its real snippets."""
        scores = torch.stack([_video(n, crops), _video(a, crops)])
        wanted = torch.arange(1, -1, -1, dtype=scores.dtype, device=scores.device)[:, None, None]
        snippets = probability_loss(scores, wanted.expand(scores.shape))
        if mask is None:
            return snippets.mean(-1)
        real = per_video(mask, crops)[:, 0]
        return (snippets * real).sum(-1) / real.sum(-1).clamp_min(1)

    @staticmethod
    def _kl(mu: Tensor, logvar: Tensor, usable: Tensor | None, crops: int) -> Tensor:
        """Return the divergence of each video's normal read-outs, summed over time, (1, v)."""
        if usable is not None:
            mu, logvar = mu * usable[..., None], logvar * usable[..., None]
        excess = (torch.expm1(logvar) - logvar).sum((1, 2)) + torch.linalg.vector_norm(mu, dim=(1, 2)).square()
        return _video(0.5 / mu.shape[-1] * excess[:, None], crops).T

    def _separation(
        self,
        x: Tensor,
        a: Tensor,
        n: Tensor,
        abnormal_read: Tensor,
        latent: Tensor,
        labels: Tensor,
        usable: Tensor | None,
        crops: int,
    ) -> tuple[Tensor, Tensor]:
        """Return triplet, distance and cosine of each pair of videos (3, p), and 1.0 where the pair exists."""
        normal, abnormal, exists = pair_bags(labels)
        picks = self._picks(torch.stack([a, n], dim=1), usable)
        pooled = torch.cat([picks @ x, picks[:, :1] @ abnormal_read, picks[:, 1:] @ latent], dim=1)  # (b, 4, c)
        calm, loud = _video(pooled, crops).index_select(0, torch.cat([normal, abnormal])).chunk(2)
        (_, anchor, _, shorter), (negative, positive, longer, _) = calm.unbind(1), loud.unbind(1)
        unit = F.normalize(torch.stack([anchor, positive, negative]), dim=-1)
        near, far = F.pairwise_distance(unit[:1], unit[1:]).unbind()
        long, short = torch.stack([longer, shorter]).norm(dim=-1).unbind()
        cosine = 1 - (unit[0] * unit[2]).sum(-1)
        return torch.stack([(1 + near - far).relu(), (WIDTH - long + short).relu(), cosine]), exists

    def _picks(self, scores: Tensor, usable: Tensor | None) -> Tensor:
        """Return the weights (b, 2, t) that average the snippets of highest score (b, 2, t): a product pools them.

        Gathering them would fill one whole gradient with zeros for each pool.
        """
        scores = scores.detach() if usable is None else hide(scores.detach(), usable[:, None])
        k = min(self.pool_k or _share(scores[:, 0]), scores.shape[-1])
        index = scores.topk(k, dim=-1).indices
        if usable is None:
            return torch.zeros_like(scores).scatter(-1, index, 1 / k)
        chosen = torch.zeros_like(scores).scatter(-1, index, 1.0) * usable[:, None]
        return chosen / chosen.sum(-1, keepdim=True).clamp_min(1)


def _video(x: Tensor, crops: int) -> Tensor:
    """Return the mean of rows (b, ...) over the crops of each video, (v, ...)."""
    return x if crops == 1 else per_video(x, crops).mean(1)


def _mean(terms: Tensor, counts: Tensor) -> Tensor:
    """Return the mean of terms (n, v) over the videos that count (v); the others may hold anything, also NaN."""
    return torch.where(counts, terms, 0).sum(-1) / counts.sum().clamp_min(1)


def _share(score: Tensor) -> int:
    return score.shape[1] // 16 + 1


@hookimpl
def vadkit_components() -> list[type]:
    return [DualMemoryLoss]
