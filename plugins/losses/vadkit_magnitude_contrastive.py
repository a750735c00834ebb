"""Magnitude-contrastive loss: features of abnormal and normal videos get different magnitudes.

Chen et al., "MGFN: Magnitude-Contrastive Glance-and-Focus Network for Weakly-Supervised Video
Anomaly Detection", AAAI 2023. The seed paper (IEEE OJCS 2024) keeps its inter-class term only.

Legend: b bags x crops, v videos, p pairs of videos, t snippets, c channels, k chosen snippets.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, pair_bags, per_video, weighted_mean


class MagnitudeContrastive(Loss):
    """Push the magnitudes of the strongest snippets of paired normal and abnormal videos apart.

    In each video the k snippets of largest L2 norm (mean over crops, times a dropout mask) are
    chosen, unless a selector gives their ``index``; their L1 norms, in the order of choice, are the
    magnitudes m (k). With the distance D(u, w) = || u - w + 1e-6 ||_2, the terms are

    - between: mean over pairs and crops of max(0, margin - D(m_abnormal, m_normal))^2
    - within_abnormal, within_normal: mean of D^2 between the later and the earlier half of the
      list of magnitudes, all videos of crop 0 first. With an even number of crops that compares
      two crops of one video; with one crop, two videos.

    "inter" is ``between``; "mgfn" is 0.001 * between + within_abnormal + within_normal, as weighted
    in MGFN's code (which multiplies the sum by another 0.001: the loss weight in the graph).

    The i-th normal video of a batch is paired with its i-th abnormal one.

    Quirks of the authors that are kept: snippets are chosen by L2 and compared by L1; only equal
    ranks are compared, so two neighbours that swap ranks change the loss; padding is included
    (``use_mask`` ends that); a batch of one normal and one abnormal video compares the normal one
    with itself in their code (``single_pair: authors`` does the same, the default compares the two).
    Deviations: k is cut to t; MGFN's paper sums over all pairs, its code and this loss do not.

    Args:
        dim: width of the features.
        form: which terms make up the total.
        k: snippets chosen per video (MGFN 3, seed 20); inferred where ``index`` is wired.
        margin: beyond this distance ``between`` is 0 (MGFN 200; seed 100, 150, 210).
        dropout: share of snippets that cannot be chosen in a training step (MGFN .7, seed .5), without ``index``.
        single_pair: what a batch of one normal and one abnormal video compares.
        use_mask: padding is neither chosen nor compared.
    """

    name = "magnitude_contrastive"
    inputs = {"x": "b t dim", "labels": "v", "mask?": "b t", "crops?": "", "index?": "v k"}
    indices = {"index": "t"}
    example = {"dim": 8, "k": 3}
    paper = "Chen et al., MGFN, AAAI 2023"
    fidelity = "code"
    mask_switch = "use_mask"
    pairs_bags = True

    def __init__(
        self,
        *,
        dim: int,
        form: Literal["inter", "mgfn"] = "inter",
        k: int = 20,
        margin: float = 100.0,
        dropout: float = 0.5,
        single_pair: Literal["compare", "authors"] = "compare",
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {dropout}")
        self.dim, self.form, self.k, self.margin = dim, form, k, margin
        self.dropout, self.single_pair, self.use_mask = dropout, single_pair, use_mask

    def forward(
        self,
        x: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
        crops: int | None = None,
        index: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Take features (b, t, c), labels (v), mask (b, t) and index (v, k); return "total" and its terms."""
        x = per_video(full_precision(x), crops or 1)  # (v, crops, t, c)
        if mask is None or not self.use_mask:
            mask = torch.ones_like(x[..., 0], dtype=torch.bool)
        else:
            mask = per_video(mask, crops or 1)
        if self.single_pair == "authors" and x.shape[0] == 2:
            normal = pair_bags(labels)[0]
            x, mask = x[normal.expand(2)], mask[normal.expand(2)]
            index = None if index is None else index[normal.expand(2)]
        if index is None:
            index = self.choose(x, mask[:, 0])
        return self.compare(*self.magnitudes(x, mask, index), labels)

    def draw_noise(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return a dropout mask (v, t): 0, or 1 / (1 - dropout)."""
        ones = torch.ones(shape, dtype=like.dtype, device=like.device)
        return F.dropout(ones, self.dropout, self.training)

    def choose(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the snippets of largest norm, largest first, (v, k)."""
        length = x.detach().norm(dim=-1).mean(1)  # (v, t)
        length = length * self.draw_noise(tuple(length.shape), length)
        return length.masked_fill(~mask, -1).topk(min(self.k, x.shape[2]), dim=1).indices

    def magnitudes(self, x: Tensor, mask: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return L1 norms and 1.0 where the chosen snippet is real, both (v, crops, k)."""
        index = index[:, None, :].expand(-1, x.shape[1], -1)
        return x.abs().sum(-1).gather(2, index), mask.gather(2, index).float()

    def compare(self, magnitude: Tensor, real: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Take what ``magnitudes`` returned and the labels (v); return "total" and its terms."""
        between = self.between(magnitude, real, labels)
        if self.form == "inter":
            return {"total": between}
        abnormal = self.within(magnitude, real, labels > 0.5)
        normal = self.within(magnitude, real, labels <= 0.5)
        parts = {"between": between, "within_abnormal": abnormal, "within_normal": normal}
        return {"total": 0.001 * between + abnormal + normal, **parts}

    def pair_distance(self, magnitude: Tensor, real: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return D of each pair and 1.0 where the pair exists, both (p, crops)."""
        normal, abnormal, exists = pair_bags(labels)
        both = real[abnormal] * real[normal]
        distance = _distance(magnitude[abnormal] * both, magnitude[normal] * both)
        return distance, exists[:, None].expand_as(distance)

    def between(self, magnitude: Tensor, real: Tensor, labels: Tensor) -> Tensor:
        """Return the inter-class term."""
        distance, exists = self.pair_distance(magnitude, real, labels)
        return weighted_mean((self.margin - distance).relu().square(), exists)

    def within(self, magnitude: Tensor, real: Tensor, chosen: Tensor) -> Tensor:
        """Return the intra-class term of the ``chosen`` (v) videos."""
        videos, crops, _ = magnitude.shape
        order = (~chosen).int().argsort(stable=True)  # the chosen ones first
        count = chosen.sum().clamp_min(1)
        half = chosen.sum() * crops // 2
        place = torch.arange(videos * crops // 2, device=magnitude.device)
        early, late = (self._nth(p, order, count, crops) for p in (place, place + half))
        both = real[early] * real[late]
        distance = _distance(magnitude[late] * both, magnitude[early] * both)
        return weighted_mean(distance.square(), (place < half).float())

    @staticmethod
    def _nth(place: Tensor, order: Tensor, count: Tensor, crops: int) -> tuple[Tensor, Tensor]:
        """Return video and crop at a place of the list of all (crop, video), crop by crop."""
        return order[place % count], (place // count).clamp_max(crops - 1)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return F.pairwise_distance(a, b, eps=1e-6)


@hookimpl
def vadkit_components() -> list[type]:
    return [MagnitudeContrastive]
