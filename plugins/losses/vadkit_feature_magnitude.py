"""Feature magnitude loss: long features for abnormal videos, short ones for normal videos.

Tian et al., "Weakly-supervised Video Anomaly Detection with Robust Temporal Feature Magnitude Learning", ICCV 2021,
Eq. 3 and 4; also in CLIP-TSA (Joo et al., ICIP 2023).

Legend: b bags x crops, v videos, p pairs of videos, t snippets, c channels, k chosen snippets.
"""

from __future__ import annotations

from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, pair_bags, per_video, weighted_mean


class FeatureMagnitude(Loss):
    """Pull the magnitude at the chosen snippets of abnormal videos to a margin, and that of normal ones to 0.

    With f the mean of a video's features at the k chosen snippets, per crop,

        mean over pairs and crops of ( |margin - ||f_abnormal||_2| + ||f_normal||_2 )^2

    The i-th normal video of a batch is paired with its i-th abnormal one; both terms are squared together, as in the
    authors' code. The paper's Eq. 3 is a hinge without the square: beyond the margin it is 0, where the code pulls
    back. A batch of one class gives 0. Padding among the chosen snippets is left out of the mean.

    Args:
        dim: width of the features.
        k: snippets chosen of each video; inferred.
        margin: the magnitude that abnormal videos should have.
    """

    name = "feature_magnitude"
    inputs = {"x": "b t dim", "index": "v k", "labels": "v", "mask?": "b t", "crops?": ""}
    indices = {"index": "t"}
    example = {"dim": 8, "k": 3}
    paper = "Tian et al., RTFM, ICCV 2021, Eq. 3 and 4"
    fidelity = "code"
    pairs_bags = True

    def __init__(self, *, dim: int, k: int, margin: float = 100.0) -> None:
        super().__init__()
        self.dim, self.k, self.margin = dim, k, margin

    def forward(
        self, x: Tensor, index: Tensor, labels: Tensor, mask: Tensor | None = None, crops: int | None = None
    ) -> Tensor:
        """Take features (b, t, c), index (v, k), labels (v) and mask (b, t); return the loss."""
        magnitude = self.magnitude(full_precision(x), index, mask, crops or 1)
        normal, abnormal, exists = pair_bags(labels)
        distance = (self.margin - magnitude[abnormal]).abs() + magnitude[normal]  # (p, crops)
        return weighted_mean(distance.square(), exists[:, None].expand_as(distance))

    def magnitude(self, x: Tensor, index: Tensor, mask: Tensor | None, crops: int) -> Tensor:
        """Return the norm of the mean feature at the chosen snippets, (v, crops)."""
        x = per_video(x, crops)  # (v, crops, t, c)
        found = x.gather(2, index[:, None, :, None].expand(-1, crops, -1, x.shape[-1]))
        if mask is None:
            return found.mean(2).norm(dim=-1)
        real = per_video(mask, crops)[:, 0].gather(1, index)[:, None, :, None].to(x.dtype)
        return ((found * real).sum(2) / real.sum(2).clamp_min(1)).norm(dim=-1)


@hookimpl
def vadkit_components() -> list[type]:
    return [FeatureMagnitude]
