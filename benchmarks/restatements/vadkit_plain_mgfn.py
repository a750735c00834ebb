"""MGFN as its authors run it: all crops through the network, and a loop over crops gathers the chosen snippets.

Chen et al., "MGFN: Magnitude-Contrastive Glance-and-Focus Network for Weakly-Supervised Video Anomaly Detection",
AAAI 2023. Linear layers are convolutions over one snippet; the norm over channels computes variance and mean by
themselves. Their files hold the norm of each segment as the last channel; it is computed here where it is not given.

Legend: b rows, t snippets, c channels, h heads, k chosen snippets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from vadkit_plain_rtfm import by_video, chosen

from vadkit import Restatement, hookimpl

WIDTH, KERNEL = 64, 5
STAGES = ((64, 3, "glance"), (128, 3, "focus"), (1024, 2, "focus"))


class ChannelNorm(nn.Module):
    """Normalise the channels; the constant is outside the root."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.g, self.b = nn.Parameter(torch.ones(1, dim, 1)), nn.Parameter(torch.zeros(1, dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, c, t)."""
        deviation = torch.var(x, dim=1, unbiased=False, keepdim=True).sqrt()
        mean = torch.mean(x, dim=1, keepdim=True)
        return (x - mean) / (deviation + 1e-5) * self.g + self.b


class Glance(nn.Module):
    """Softmax attention over all snippets; the map is kept, as theirs is."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.heads, self.norm = dim // WIDTH, ChannelNorm(dim)
        self.to_qkv, self.to_out = nn.Conv1d(dim, 3 * dim, 1, bias=False), nn.Conv1d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, c, t)."""
        b, c, t = x.shape
        parts = self.to_qkv(self.norm(x)).chunk(3, dim=1)
        q, k, v = (part.reshape(b, self.heads, WIDTH, t).transpose(2, 3) for part in parts)
        similar = torch.einsum("bhid,bhjd->bhij", q * WIDTH**-0.5, k)
        self.attn = similar.softmax(dim=-1)
        found = torch.einsum("bhij,bhjd->bhid", self.attn, v)
        out: Tensor = self.to_out(found.transpose(2, 3).reshape(b, c, t))
        return out


class Focus(nn.Module):
    """One short kernel for each head; channel j is of head j mod h."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.heads, self.norm = dim // WIDTH, nn.BatchNorm1d(dim)
        self.to_v, self.to_out = nn.Conv1d(dim, dim, 1, bias=False), nn.Conv1d(dim, dim, 1)
        self.rel_pos = nn.Conv1d(self.heads, self.heads, KERNEL, padding=KERNEL // 2, groups=self.heads)

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, c, t)."""
        v = self.to_v(self.norm(x))
        mixed = self.rel_pos(v.reshape(-1, self.heads, x.shape[-1]))
        out: Tensor = self.to_out(mixed.reshape(v.shape))
        return out


def feed_forward(dim: int) -> nn.Sequential:
    """Return a part four times as wide inside."""
    return nn.Sequential(
        ChannelNorm(dim), nn.Conv1d(dim, 4 * dim, 1), nn.GELU(), nn.Dropout(0.0), nn.Conv1d(4 * dim, dim, 1)
    )


class Backbone(nn.Module):
    """Layers of a convolution, an attention and a feed-forward part."""

    def __init__(self, dim: int, depth: int, kind: str) -> None:
        super().__init__()
        attention = Glance if kind == "glance" else Focus
        self.layers = nn.ModuleList(
            nn.ModuleList([nn.Conv1d(dim, dim, 3, padding=1), attention(dim), feed_forward(dim)]) for _ in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, c, t)."""
        for conv, attention, forward in self.layers:  # type: ignore[misc]
            x = conv(x) + x
            x = attention(x) + x
            x = forward(x) + x
        return x


class PlainMgfn(Restatement):
    """The network, the choice of snippets and the loss.

    Args:
        channels: width of the features; an input that is one wider has the norms already.
    """

    graphs: ClassVar[dict[str, dict[str, Any]]] = {"mgfn_ucf": {"channels": 2048}}

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.channels = channels
        first, last = STAGES[0][0], STAGES[-1][0]
        self.to_tokens, self.to_mag = nn.Conv1d(channels, first, 3, padding=1), nn.Conv1d(1, first, 3, padding=1)
        self.stages = nn.ModuleList()
        for (dim, depth, kind), after in zip(STAGES, [*STAGES[1:], None]):
            widen = nn.Sequential(ChannelNorm(dim), nn.Conv1d(dim, after[0], 1)) if after else nn.Identity()
            self.stages.append(nn.ModuleList([Backbone(dim, depth, kind), widen]))
        self.to_logits = nn.Sequential(nn.LayerNorm(last))
        self.fc = nn.Linear(last, 1)
        self.dropout = nn.Dropout(0.7)

    def network(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (b, t, c) and scores (b, t)."""
        if x.shape[2] == self.channels:
            x = torch.cat([x, x.norm(p=2, dim=2, keepdim=True)], dim=2)
        x = x.permute(0, 2, 1)
        x = self.to_tokens(x[:, :-1]) + 0.1 * self.to_mag(x[:, -1:])
        for backbone, widen in self.stages:  # type: ignore[misc]
            x = widen(backbone(x))
        features = self.to_logits(x.permute(0, 2, 1))
        return features, torch.sigmoid(self.fc(features)).squeeze(-1)

    def forward(self, rgb: Tensor) -> Tensor:
        """Take rgb (b, t, c); return scores (b, t)."""
        return self.network(rgb)[1]

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the loss of a batch whose first half of videos is normal."""
        features, scores = by_video(*self.network(batch["rgb"]), batch.get("crops") or 1)
        half = len(scores) // 2
        abnormal, high = chosen(features[half:], scores[half:], self.dropout)
        normal, low = chosen(features[:half], scores[:half], self.dropout)
        mil = F.binary_cross_entropy(torch.cat([low, high]), batch["labels"].float())
        smooth = 8e-4 * (scores[:, 1:] - scores[:, :-1]).square().sum()
        sparse = 8e-3 * scores[:half].reshape(-1).norm()  # of the normal videos
        return mil + 1e-3 * contrast(abnormal, normal) + smooth + sparse


def contrast(abnormal: Tensor, normal: Tensor) -> Tensor:
    """Compare magnitudes of both classes, and of the later and the earlier half of the rows of each (r, k, c)."""
    far, near = torch.norm(abnormal, p=1, dim=2), torch.norm(normal, p=1, dim=2)
    half = len(far) // 2
    between = (200 - F.pairwise_distance(far, near, p=2)).clamp_min(0).square().mean()
    within = [F.pairwise_distance(x[half:], x[:half], p=2).square().mean() for x in (far, near)]
    return 1e-3 * between + within[0] + within[1]


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainMgfn]
