"""CMA-LA as its authors run it: the distance prior is built on the host in every call and repeated for every row.

Pu, Wu, "Audio-Guided Attention Network for Weakly Supervised Violence Detection", ICCECE 2022. A loop over the videos
takes the mean of the highest scores; the loss applies a second sigmoid.

Legend: b rows, t snippets, c channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Restatement, hookimpl

HIDDEN = 128


class Prior(nn.Module):
    """A learned weight for each distance in time."""

    def __init__(self) -> None:
        super().__init__()
        self.w, self.bias = nn.Parameter(torch.full((1,), 0.01)), nn.Parameter(torch.full((1,), 0.01))

    def forward(self, rows: int, t: int) -> Tensor:
        """Return the prior (b, t, t)."""
        place = np.arange(t, dtype=np.float64)
        apart = torch.from_numpy(np.abs(place[:, None] - place[None, :]).astype(np.float32)).to(self.w.device)
        prior = torch.exp(-(self.w * apart**2 + self.bias).abs())
        return prior.unsqueeze(0).repeat(rows, 1, 1)


class Attention(nn.Module):
    """One head: audio asks, RGB answers."""

    def __init__(self, rgb: int, audio: int) -> None:
        super().__init__()
        self.q, self.k, self.v = nn.Linear(audio, HIDDEN), nn.Linear(rgb, HIDDEN), nn.Linear(rgb, HIDDEN)
        self.o = nn.Linear(HIDDEN, rgb)

    def forward(self, rgb: Tensor, audio: Tensor, prior: Tensor) -> Tensor:
        """Return what is found (b, t, c)."""
        similar = torch.matmul(self.q(audio), self.k(rgb).permute(0, 2, 1)) / HIDDEN**0.5
        out: Tensor = self.o(torch.matmul(F.softmax(similar + prior, dim=-1), self.v(rgb)))
        return out


class Encoder(nn.Module):
    """Attention with a residual, a norm, and two convolutions over one snippet."""

    def __init__(self, rgb: int, audio: int) -> None:
        super().__init__()
        self.cross_attention = Attention(rgb, audio)
        self.ffn = nn.Sequential(
            nn.Conv1d(rgb, 512, 1), nn.GELU(), nn.Dropout(0.1), nn.Conv1d(512, HIDDEN, 1), nn.Dropout(0.1)
        )
        self.norm = nn.LayerNorm(rgb)

    def forward(self, rgb: Tensor, audio: Tensor, prior: Tensor) -> Tensor:
        """Return (b, c, t)."""
        x = self.norm(rgb + self.cross_attention(rgb, audio, prior))
        out: Tensor = self.ffn(x.permute(0, 2, 1))
        return out


class PlainCmaLa(Restatement):
    """The network and its loss."""

    graphs: ClassVar[dict[str, dict[str, Any]]] = {"cma_la_xd": {}}

    def __init__(self, *, rgb: int = 1024, audio: int = 128, kernel: int = 7) -> None:
        super().__init__()
        self.kernel = kernel
        self.dis_adj, self.cross_attention = Prior(), Encoder(rgb, audio)
        self.classifier = nn.Conv1d(HIDDEN, 1, kernel)

    def forward(self, rgb: Tensor, audio: Tensor) -> Tensor:
        """Take rgb (b, t, 1024) and audio (b, t, 128); return scores (b, t)."""
        x = self.cross_attention(rgb, audio, self.dis_adj(*rgb.shape[:2]))
        return torch.sigmoid(self.classifier(F.pad(x, (self.kernel - 1, 0)))).squeeze(1)

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the cross entropy of the mean of the highest scores of each video."""
        scores = self(batch["rgb"], batch["audio"])
        mask = batch.get("mask")
        lengths = [scores.shape[1]] * len(scores) if mask is None else mask.sum(1).tolist()
        found = torch.zeros(0, device=scores.device)
        for curve, n in zip(scores, lengths):
            highest = torch.topk(curve[:n], k=int(n // 16 + 1), largest=True)[0]
            found = torch.cat([found, highest.mean().view(1)])
        return F.binary_cross_entropy(torch.sigmoid(found), batch["labels"].float())


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainCmaLa]
