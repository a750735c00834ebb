"""Pull and push around a mean: the farthest snippets of abnormal videos are farther than those of normal ones.

Zhou et al., "BatchNorm-based Weakly Supervised Video Anomaly Detection", 2023: selection by sample and by
batch, and the mean-based pull-push loss (MPP).

Legend: b bags x crops, v videos, t snippets, l levels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, hide, to_rows


class MeanDivergence(Loss):
    """Demand that chosen snippets of abnormal videos are farther from a mean than chosen ones of normal videos.

    At each level, the abnormal snippets are the union of two choices, both by distance: the farthest of each video,
    and the farthest of all abnormal videos together. From every normal video, as many of the farthest are taken as
    are needed to pair each of them. The n-th pair is the n-th abnormal one, in order of videos and then of time, and
    the n-th normal one, in order of their rank in their video and then of videos: pairs have nothing in common but
    the number, as in the authors' code. Every crop counts as a video. Padding is excluded, and a pair that lacks a
    partner is ignored; a batch of one class has a loss of 0.

    Args:
        of_video: share of each abnormal video that is chosen, rounded down.
        of_batch: share of the snippets of all abnormal videos that is chosen, rounded down.
        margin: by which a pair must differ.
        weights: of the levels.
    """

    name = "mean_divergence"
    inputs = {"distances": "b t levels", "labels": "v", "mask?": "b t"}
    example = {}
    paper = "Zhou et al., BatchNorm-based Weakly Supervised Video Anomaly Detection, 2023"
    fidelity = "code"
    pairs_bags = True

    def __init__(
        self,
        *,
        of_video: float = 0.2,
        of_batch: float = 0.4,
        margin: float = 1.0,
        weights: list[float] | None = None,
    ) -> None:
        super().__init__()
        if not (0 <= of_video <= 1 and 0 <= of_batch <= 1):
            raise ValueError(f"of_video and of_batch must be from 0 to 1, not {of_video} and {of_batch}")
        self.of_video, self.of_batch, self.margin = of_video, of_batch, margin
        self.weights = [5.0, 20.0] if weights is None else weights
        self.levels = len(self.weights)

    def forward(self, distances: Tensor, labels: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Take distances (b, t, l), labels (v) and mask (b, t); return the total and the loss of each level."""
        distances = full_precision(distances)
        real = torch.ones_like(distances[..., 0], dtype=torch.bool) if mask is None else mask
        abnormal = to_rows(labels > 0.5, len(distances))
        parts = [self._level(distance, abnormal, real) for distance in distances.unbind(-1)]
        total = sum(weight * part for weight, part in zip(self.weights, parts))
        return {"total": total, **{f"level_{i + 1}": part for i, part in enumerate(parts)}}

    def _level(self, distance: Tensor, abnormal: Tensor, real: Tensor) -> Tensor:
        """Return the mean over the pairs of one level, distance (b, t)."""
        chosen, normal_slot, count = self.select(distance.detach(), abnormal, real)
        slot = torch.where(chosen, chosen.flatten().cumsum(0).view_as(chosen) - 1, distance.numel())
        far, near = in_slots(distance, slot), in_slots(distance, normal_slot)
        exists = in_slots(torch.ones_like(distance), normal_slot)
        exists = exists * (torch.arange(len(exists), device=exists.device) < count)
        return (torch.relu(near - far + self.margin) * exists).sum() / exists.sum().clamp_min(1)

    def select(self, distance: Tensor, abnormal: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return which abnormal snippets are chosen (b, t), the pair of each normal one, and the number of pairs.

        A normal snippet that is in no pair has the number b * t.
        """
        rank = ranks(hide(distance, real), 1)
        usable = real & abnormal[:, None]
        chosen = rank < shares(real.sum(1), self.of_video)[:, None]
        everywhere = ranks(hide(distance, usable).flatten(), 0).view_as(distance)
        chosen = usable & (chosen | (everywhere < shares(usable.sum(), self.of_batch)))
        count, normals = chosen.sum(), (~abnormal).sum()
        pair = rank * normals + ((~abnormal).cumsum(0) - 1)[:, None]
        in_a_pair = real & ~abnormal[:, None] & (pair < count)
        return chosen, torch.where(in_a_pair, pair, distance.numel()), count


def ranks(x: Tensor, dim: int) -> Tensor:
    """Return the place of each entry in descending order, from 0."""
    return x.argsort(dim=dim, descending=True, stable=True).argsort(dim=dim)


def shares(count: Tensor, share: float) -> Tensor:
    """Return ``share`` of whole numbers, rounded down as Python's int() does, in double precision."""
    return (count.double() * share).floor().long()


def in_slots(values: Tensor, slot: Tensor) -> Tensor:
    """Return values (b, t) at their numbers, as (b * t); what has the number b * t is left out."""
    size = values.numel()
    return values.new_zeros(size + 1).scatter(0, slot.flatten(), values.flatten())[:size]


@hookimpl
def vadkit_components() -> list[type]:
    return [MeanDivergence]
