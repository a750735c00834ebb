"""CLIP-TSA as its authors run it: one-hot ranks of every noise draw, and their product with the features.

Joo et al., "CLIP-TSA: CLIP-Assisted Temporal Self-Attention for Weakly-Supervised Video Anomaly Detection", ICIP 2023.
The ranks are (b, n, k, t) and the product is (b, k, t, c), though its sum over k is all that is used. The gradient
contracts the transposed Jacobian. Noise is drawn at test time, too. The rest is RTFM with a quarter of the width.

Legend: b rows, t snippets, c channels, n noise draws, k chosen snippets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from vadkit_plain_rtfm import Aggregate, rtfm_loss

from vadkit import Restatement, hookimpl

SAMPLES, SIGMA, LONGEST, DIM = 100, 0.05, 1000, 512
UCF = {"n_features": DIM, "k_ratio": 0.95, "enable_ha": True}


class PerturbedTopk(torch.autograd.Function):
    """The mean over noise draws of the one-hot ranks."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, noise: Tensor, k: int) -> Tensor:
        """Take scores (b, t) and noise (b, n, t); return the mean ranks (b, k, t)."""
        index = torch.topk(scores[:, None, :] + SIGMA * noise, k=k, dim=-1, sorted=False).indices
        index = torch.sort(index, dim=-1).values
        ranks = F.one_hot(index, num_classes=scores.shape[-1]).float()  # (b, n, k, t)
        ctx.save_for_backward(ranks, noise)
        return ranks.mean(dim=1)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        """Take the slope of the mean ranks (b, k, t)."""
        ranks, noise = ctx.saved_tensors
        expected = torch.einsum("bnkd,bnt->bkdt", ranks, noise) / (noise.shape[1] * SIGMA)
        return torch.einsum("bkdt,bkt->bd", expected, slope), None, None


class HardAttention(nn.Module):
    """Weight snippets by how often noise leaves them among the k best."""

    def __init__(self, ratio: float) -> None:
        super().__init__()
        self.ratio = ratio
        self.scorer = nn.Sequential()
        self.scorer.fc1, self.scorer.fc2 = nn.Linear(DIM, DIM // 2), nn.Linear(DIM // 2, 1)

    def draw_noise(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return Gaussian noise (b, n, t)."""
        return torch.normal(mean=0.0, std=1.0, size=shape, device=like.device)

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        scores = torch.sigmoid(self.scorer.fc2(self.scorer.fc1(x).relu())).squeeze(-1)
        k = max(1, int(x.shape[1] * self.ratio))
        k = k if len(x) > 1 else min(k, LONGEST)
        noise = self.draw_noise((len(x), SAMPLES, x.shape[1]), scores)
        ranks: Tensor = PerturbedTopk.apply(scores, noise, k)
        return (ranks.unsqueeze(-1) * x.unsqueeze(1)).sum(1)


class PlainClipTsa(Restatement):
    """The network, the choice of snippets and the loss.

    Args:
        n_features: width of the snippets; more than 512 channels are narrowed first.
        k_ratio: share of the snippets that is kept.
        enable_ha: with the hard attention.
    """

    graphs: ClassVar[dict[str, dict[str, Any]]] = {
        "clip_tsa_ucf": UCF,
        "clip_tsa_sht": {**UCF, "k_ratio": 0.01},
        "clip_tsa_xd": {**UCF, "k_ratio": 0.9},
        "clip_tsa_i3d_ucf": {**UCF, "n_features": 2048},
    }

    def __init__(self, *, n_features: int, k_ratio: float, enable_ha: bool) -> None:
        super().__init__()
        self.narrows, self.attends = n_features > DIM, enable_ha
        self.mlp = nn.Sequential()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(n_features, 2 * DIM), nn.Linear(2 * DIM, DIM)
        self.hard_attention, self.Aggregate = HardAttention(k_ratio), Aggregate(DIM)
        self.fc1, self.fc2, self.fc3 = nn.Linear(DIM, 128), nn.Linear(128, 32), nn.Linear(32, 1)
        self.dropout = nn.Dropout(0.7)

    def network(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (b, t, c) and scores (b, t)."""
        x = torch.sigmoid(self.mlp.fc2(self.mlp.fc1(x).relu())) if self.narrows else x
        x = self.hard_attention(x) if self.attends else x
        features = self.dropout(self.Aggregate(x))
        x = self.dropout(self.fc1(features).relu())
        x = self.dropout(self.fc2(x).relu())
        return features, torch.sigmoid(self.fc3(x)).squeeze(-1)

    def forward(self, **streams: Tensor) -> Tensor:
        """Take the one stream (b, t, c); return scores (b, t)."""
        return self.network(next(iter(streams.values())))[1]

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the loss of a batch whose first half of videos is normal."""
        features, scores = self.network(batch["rgb" if self.narrows else "clip"])
        return rtfm_loss(features, scores, batch, self.dropout)


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainClipTsa]
