"""RTFM as its authors run it: every crop goes through the whole network, and a loop over crops gathers snippets.

Tian et al., "Weakly-supervised Video Anomaly Detection with Robust Temporal Feature Magnitude Learning", ICCV 2021.
The non-local block multiplies (t x t) by the values. Snippets are chosen once for the abnormal and once for the normal
videos, each under its own dropout mask. The smoothness term is over one long row of scores.

Legend: v videos, n crops, t snippets, c channels, k chosen snippets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Restatement, hookimpl

CHOSEN = 3


def convolution(dim: int, out: int, dilation: int = 1, bias: bool = True) -> nn.Sequential:
    """Return a convolution over three snippets, ReLU, batch norm."""
    conv = nn.Conv1d(dim, out, 3, padding=dilation, dilation=dilation, bias=bias)
    return nn.Sequential(conv, nn.ReLU(), nn.BatchNorm1d(out))


class NonLocal(nn.Module):
    """Every snippet takes from all; no softmax."""

    def __init__(self, dim: int, inner: int) -> None:
        super().__init__()
        self.g, self.theta, self.phi = (nn.Conv1d(dim, inner, 1) for _ in range(3))
        self.W = nn.Sequential(nn.Conv1d(inner, dim, 1), nn.BatchNorm1d(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, c, t)."""
        values = self.g(x).permute(0, 2, 1)
        pairs = torch.matmul(self.theta(x).permute(0, 2, 1), self.phi(x))  # (b, t, t)
        read = torch.matmul(pairs / pairs.shape[-1], values).permute(0, 2, 1).contiguous()
        return self.W(read) + x


class Aggregate(nn.Module):
    """A pyramid of three dilated convolutions and the non-local block."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        part = dim // 4
        self.conv_1, self.conv_2, self.conv_3 = (convolution(dim, part, dilation) for dilation in (1, 2, 4))
        self.conv_4 = nn.Sequential(nn.Conv1d(dim, part, 1, bias=False), nn.ReLU())
        self.conv_5 = convolution(4 * part, dim, bias=False)
        self.non_local = NonLocal(part, part // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        out = x.permute(0, 2, 1)
        pyramid = torch.cat([self.conv_1(out), self.conv_2(out), self.conv_3(out)], dim=1)
        joined = torch.cat([pyramid, self.non_local(self.conv_4(out))], dim=1)
        return (self.conv_5(joined) + out).permute(0, 2, 1)


class PlainRtfm(Restatement):
    """The network, the choice of snippets and the loss.

    Args:
        n_features: width of the snippets.
    """

    graphs: ClassVar[dict[str, dict[str, Any]]] = {"rtfm_ucf": {"n_features": 2048}, "rtfm_sht": {"n_features": 2048}}

    def __init__(self, *, n_features: int) -> None:
        super().__init__()
        self.Aggregate = Aggregate(n_features)
        self.fc1, self.fc2, self.fc3 = nn.Linear(n_features, 512), nn.Linear(512, 128), nn.Linear(128, 1)
        self.dropout = nn.Dropout(0.7)

    def network(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (b, t, c) and scores (b, t)."""
        features = self.dropout(self.Aggregate(rgb))
        x = self.dropout(self.fc1(features).relu())
        x = self.dropout(self.fc2(x).relu())
        return features, torch.sigmoid(self.fc3(x)).squeeze(-1)

    def forward(self, rgb: Tensor) -> Tensor:
        """Take rgb (b, t, c); return scores (b, t)."""
        return self.network(rgb)[1]

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the loss of a batch whose first half of videos is normal."""
        return rtfm_loss(*self.network(batch["rgb"]), batch, self.dropout)


def by_video(features: Tensor, scores: Tensor, crops: int) -> tuple[Tensor, Tensor]:
    """Return features (v, n, t, c) and the mean scores of the crops (v, t)."""
    return features.unflatten(0, (-1, crops)), scores.view(-1, crops, scores.shape[-1]).mean(1)


def chosen(features: Tensor, scores: Tensor, dropout: nn.Module) -> tuple[Tensor, Tensor]:
    """Take features (v, n, t, c) and scores (v, t); return features (n * v, k, c) and bag scores (v,)."""
    magnitudes = features.norm(p=2, dim=3).mean(1)
    index = torch.topk(magnitudes * dropout(torch.ones_like(magnitudes)), CHOSEN, dim=1)[1]
    wide = index.unsqueeze(2).expand(-1, -1, features.shape[-1])
    found = torch.zeros(0, device=features.device)
    for crop in features.permute(1, 0, 2, 3):
        found = torch.cat([found, torch.gather(crop, 1, wide)])
    return found, torch.gather(scores, 1, index).mean(1)


def rtfm_loss(features: Tensor, scores: Tensor, batch: Mapping[str, Any], dropout: nn.Module) -> Tensor:
    """Return the loss of features (b, t, c) and scores (b, t); the first half of the videos is normal."""
    features, scores = by_video(features, scores, batch.get("crops") or 1)
    labels, half = batch["labels"].float(), len(scores) // 2
    abnormal, high = chosen(features[half:], scores[half:], dropout)
    normal, low = chosen(features[:half], scores[:half], dropout)
    mil = F.binary_cross_entropy(torch.cat([low, high]), labels)
    far = (100 - abnormal.mean(1).norm(p=2, dim=1)).abs()
    magnitude = (far + normal.mean(1).norm(p=2, dim=1)).square().mean()
    row = scores[half:].reshape(-1)
    shifted = torch.zeros_like(row)
    shifted[:-1] = row[1:]
    shifted[-1] = row[-1]
    return mil + 1e-4 * magnitude + 8e-4 * (shifted - row).square().sum() + 8e-3 * row.norm()


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainRtfm]
