"""BN-WVAD as its authors run it: every layer builds and repeats the distance matrix, and masks gather the pairs.

Zhou et al., "BatchNorm-based Weakly Supervised Video Anomaly Detection", 2023. The model takes the running statistics
that this very forward has updated.

Legend: b rows, t snippets, c channels, h heads, d width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vadkit import Restatement, hookimpl

HEADS, WIDTH = 4, 128


class Normed(nn.Module):
    """A layer after a layer norm."""

    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(dim), fn

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fn(self.norm(x))
        return out


class Attention(nn.Module):
    """Softmax attention, and in each head a second value weighted by distance."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(dim, 4 * HEADS * WIDTH, bias=False)
        self.to_out = nn.Sequential(nn.Linear(2 * HEADS * WIDTH, dim))

    def forward(self, x: Tensor) -> Tensor:
        b, t, _ = x.shape
        q, k, v, local = (part.view(b, t, HEADS, WIDTH).transpose(1, 2) for part in self.to_qkv(x).chunk(4, -1))
        weights = (torch.matmul(q, k.transpose(-1, -2)) * WIDTH**-0.5).softmax(-1)
        place = torch.arange(t, device=x.device, dtype=torch.float32)
        decay = torch.exp(-(place[None, :] - place[:, None]).abs() / math.e)
        decay = (decay / decay.sum(-1)).repeat(b, HEADS, 1, 1)  # columns add to 1
        both = torch.cat([torch.matmul(weights, v), torch.matmul(decay, local)], -1)
        out: Tensor = self.to_out(both.transpose(1, 2).reshape(b, t, -1))
        return out


class FeedForward(nn.Module):
    """Two layers; the dropouts are 0."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Dropout(0.0), nn.Linear(dim, dim), nn.Dropout(0.0))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


class Transformer(nn.Module):
    """Two pre-norm layers."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        pairs = [nn.ModuleList([Normed(dim, Attention(dim)), Normed(dim, FeedForward(dim))]) for _ in range(2)]
        self.layers = nn.ModuleList(pairs)

    def forward(self, x: Tensor) -> Tensor:
        for attention, forward in self.layers:  # type: ignore[misc]
            x = attention(x) + x
            x = forward(x) + x
        return x


class Temporal(nn.Module):
    """A convolution over three snippets."""

    def __init__(self, dim: int, out: int) -> None:
        super().__init__()
        self.conv_1 = nn.Sequential(nn.Conv1d(dim, out, 3, padding=1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv_1(x.permute(0, 2, 1)).permute(0, 2, 1)
        return out


class NormalHead(nn.Module):
    """Three convolutions with two batch norms; the inputs of the norms are kept."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv1d(dim, dim // 16, 1), nn.BatchNorm1d(dim // 16)
        self.conv2, self.bn2 = nn.Conv1d(dim // 16, dim // 32, 1), nn.BatchNorm1d(dim // 32)
        self.conv3 = nn.Conv1d(dim // 32, 1, 1)

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Take x (b, c, t); return what enters each norm and the probability (b, t)."""
        first = self.conv1(x)
        second = self.conv2(self.bn1(first).relu())
        return [first, second], torch.sigmoid(self.conv3(self.bn2(second).relu())).squeeze(1)


def distance(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """Return how far rows (..., c) are from the running mean."""
    assert norm.running_mean is not None and norm.running_var is not None
    return ((x - norm.running_mean.clone()).square() / norm.running_var.clone()).sum(-1).sqrt()


class PlainBnWvad(Restatement):
    """The network and its two losses."""

    graphs: ClassVar[dict[str, dict[str, Any]]] = {"bn_wvad_xd": {}}

    def __init__(self, *, rgb: int = 1024) -> None:
        super().__init__()
        self.embedding, self.selfatt, self.normal_head = Temporal(rgb, 512), Transformer(512), NormalHead(512)

    def network(self, rgb: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Return per level features (b, t, c) and distances (b, t), and probabilities (b, t)."""
        x = self.selfatt(self.embedding(rgb))
        levels, probability = self.normal_head(x.permute(0, 2, 1))
        features = [level.permute(0, 2, 1) for level in levels]
        norms = (self.normal_head.bn1, self.normal_head.bn2)
        return features, [distance(norm, level) for norm, level in zip(norms, features)], probability

    def forward(self, rgb: Tensor) -> Tensor:
        """Take rgb (b, t, c); return scores (b, t), which are unbounded."""
        _, distances, probability = self.network(rgb)
        return sum(distances, torch.zeros_like(probability)) * probability

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the loss of a batch whose first half is normal."""
        features, distances, probability = self.network(batch["rgb"])
        half = len(probability) // 2
        total = probability[:half].norm(dim=1, p=2).mean()
        norms = (self.normal_head.bn1, self.normal_head.bn2)
        for weight, norm, level, far in zip((5, 20), norms, features, distances):
            near, wide = pairs(level, far.detach(), half)
            total = total + weight * (distance(norm, near) - distance(norm, wide) + 1).relu().mean()
        return total


def pairs(level: Tensor, far: Tensor, half: int) -> tuple[Tensor, Tensor]:
    """Return as many rows of the normal half (n, c) as of the abnormal half, each the farthest ones."""
    t = far.shape[1]
    own = torch.zeros_like(far[half:], dtype=torch.bool)
    own.scatter_(1, torch.topk(far[half:], int(t * 0.2), dim=1)[1], True)
    together = torch.zeros_like(own.reshape(-1))
    together.scatter_(0, torch.topk(far[half:].reshape(-1), int(half * t * 0.4))[1], True)
    chosen = own | together.view_as(own)
    abnormal = level[half:][chosen]
    k = len(abnormal) // half + 1
    index = torch.topk(far[:half], k, dim=1)[1].unsqueeze(-1).expand(-1, -1, level.shape[-1])
    normal = torch.gather(level[:half], 1, index).permute(1, 0, 2).reshape(-1, level.shape[-1])
    return normal[: len(abnormal)], abnormal


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainBnWvad]
