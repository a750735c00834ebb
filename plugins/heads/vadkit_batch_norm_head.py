"""Scoring head whose batch norms learn what is usual: a snippet scores by how far its features are from their means.

Zhou et al., "BatchNorm-based Weakly Supervised Video Anomaly Detection", 2023: divergence of features from
the mean (DFM), Eq. 2, and the score of inference.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from vadkit import Head, hookimpl
from vadkit.layers import batch_norm, full_precision, per_video, to_rows

TINY = 1e-24  # of a squared distance: below it the root has no useful gradient


class BatchNormHead(Head):
    """Score a snippet by its probability times its distance from the running means of two batch norms.

    Two convolutions over time, each with a batch norm and a ReLU, and a third one with a sigmoid give the probability.
    The distance at a batch norm is that of its input from the running mean, each channel divided by its running
    deviation; no gradient reaches the statistics. The score is the probability times the sum of both distances: it
    is unbounded. A batch of a single snippet has no deviation: it is normalised by the running statistics.

    Args:
        in_dim: width of the snippets.
        ratios: by which ``in_dim`` is divided for the widths of the two layers.
        kernels: snippets that each of the three convolutions covers; odd numbers.
        updated: in training, measure from the statistics that this very batch has already updated, as the authors
            do; off takes those before it.
        crops_first: average distances and probabilities over the crops of a video, then multiply, as the authors'
            model does if it is given crops on an axis of their own. It must then get all crops of a video at once.
            Off as in the authors' test, which averages the products.
    """

    name = "batch_norm_head"
    inputs = {"x": "b t in_dim", "crops?": ""}
    outputs = {"scores": "b t", "probability": "b t", "distances": "b t levels"}
    example = {"in_dim": 8, "ratios": [2, 4]}
    paper = "Zhou et al., BatchNorm-based Weakly Supervised Video Anomaly Detection, 2023"
    fidelity = "code"
    range = {"scores": "unbounded", "probability": "probability"}
    levels = 2
    authors_names = {
        "convs.0": "normal_head.conv1",
        "convs.1": "normal_head.conv2",
        "convs.2": "normal_head.conv3",
        "norms.0": "normal_head.bn1",
        "norms.1": "normal_head.bn2",
    }

    def __init__(
        self,
        *,
        in_dim: int,
        ratios: list[int] | None = None,
        kernels: list[int] | None = None,
        updated: bool = True,
        crops_first: bool = False,
    ) -> None:
        super().__init__()
        ratios, kernels = [16, 32] if ratios is None else ratios, [1, 1, 1] if kernels is None else kernels
        if len(ratios) != self.levels or min(ratios) < 1 or in_dim < max(ratios):
            raise ValueError(f"ratios must be two numbers from 1 to in_dim ({in_dim}), not {ratios}")
        if len(kernels) != self.levels + 1 or min(kernels) < 1 or not all(kernel % 2 for kernel in kernels):
            raise ValueError(f"kernels must be three odd numbers of at least 1, not {kernels}")
        self.in_dim, self.updated, self.crops_first = in_dim, updated, crops_first
        self.lookahead = self.lookback = sum(kernel // 2 for kernel in kernels)
        widths = [in_dim, *(in_dim // ratio for ratio in ratios), 1]
        self.convs = nn.ModuleList(
            nn.Conv1d(before, after, kernel, padding=kernel // 2)
            for before, after, kernel in zip(widths, widths[1:], kernels)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths[1:-1])

    def forward(self, x: Tensor, crops: int | None = None) -> dict[str, Tensor]:
        """Take x (b, t, c); return scores and probability (b, t), and distances (b, t, 2)."""
        x, distances = rearrange(x, "b t c -> b c t"), []
        for conv, norm in zip(self.convs, self.norms):
            x, distance = self._normalised(conv(x), norm)
            distances.append(distance)
            x = nn.functional.relu(x)
        probability, far = torch.sigmoid(self.convs[-1](x))[:, 0], torch.stack(distances, -1)
        if self.crops_first and (crops or 1) > 1:
            probability, far = (to_rows(per_video(part, crops).mean(1), len(part)) for part in (probability, far))
        return {"scores": probability * far.sum(-1), "probability": probability, "distances": far}

    def _normalised(self, x: Tensor, norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
        """Return x (b, c, t) normalised, and its distance from the running mean (b, t)."""
        before = (norm.running_mean.clone(), norm.running_var.clone())
        normalised = batch_norm(norm, x)
        # Copies: a later forward may update the statistics before this one's gradient is asked for.
        after = (norm.running_mean.clone(), norm.running_var.clone()) if self.updated else before
        mean, variance = (full_precision(values)[:, None] for values in after)
        return normalised, ((full_precision(x) - mean).square() / variance).sum(1).clamp_min(TINY).sqrt()


@hookimpl
def vadkit_components() -> list[type]:
    return [BatchNormHead]
