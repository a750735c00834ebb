"""HL-Net as its authors run it: graphs are built video by video, and the distance graph on the host in every call.

Wu et al., "Not only Look, but also Listen: Learning Multimodal Violence Detection under Weak Supervision", ECCV 2020.
Loops over the videos build the similarity and the score graph of the real snippets, both bag losses and the
distillation.

Legend: b rows, t snippets, c channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Restatement, hookimpl

DIM = 32


class GraphConvolution(nn.Module):
    """Weights, a sum over the graph, and a residual, which is a convolution where the width changes."""

    def __init__(self, dim: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(dim, out)))
        self.residual = None if dim == out else nn.Conv1d(dim, out, 5, padding=2)

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        """Take x (b, t, c) and the graph (b, t, t); return (b, t, c')."""
        out = torch.matmul(graph, x.matmul(self.weight))
        if self.residual is None:
            return out + x
        return out + self.residual(x.permute(0, 2, 1)).permute(0, 2, 1)


def similarity(x: Tensor, lengths: list[int] | None) -> Tensor:
    """Return the softmax of cosines above 0.7 (b, t, t)."""
    size = torch.norm(x, p=2, dim=2, keepdim=True)
    cosine = x.matmul(x.permute(0, 2, 1)) / (size.matmul(size.permute(0, 2, 1)) + 1e-20)
    out = torch.zeros_like(cosine)
    for i, n in enumerate(lengths or [x.shape[1]] * len(x)):
        own = cosine[i, :n, :n]
        out[i, :n, :n] = F.softmax(F.threshold(own, 0.7, 0), dim=1)
    return out


def nearness(x: Tensor) -> Tensor:
    """Return the distance graph (b, t, t), computed on the host."""
    place = np.arange(x.shape[1], dtype=np.float64)[:, None]
    apart = torch.from_numpy(np.abs(place - place.T).astype(np.float32)).to(x.device)
    return torch.exp(-(apart / math.e)).unsqueeze(0).repeat(len(x), 1, 1)


def alike(scores: Tensor, lengths: list[int] | None) -> Tensor:
    """Return the graph (b, t, t) of probabilities (b, t) that are close."""
    t = scores.shape[1]
    rows = scores.unsqueeze(2).repeat(1, 1, t)
    close = 1 - (rows - rows.permute(0, 2, 1)).abs()
    sharp = 1 / (1 + torch.exp(-(close - 0.5) / 0.1))
    out = torch.zeros_like(sharp)
    for i, n in enumerate(lengths or [t] * len(scores)):
        out[i, :n, :n] = F.softmax(sharp[i, :n, :n], dim=1)
    return out


class PlainHlNet(Restatement):
    """The network with its offline and its online branch.

    Args:
        rgb, flow, audio: widths of the streams, 0 for one that is not used.
    """

    graphs: ClassVar[dict[str, dict[str, Any]]] = {
        "hl_net_xd": {},
        "hl_net_xd_rgb": {"audio": 0},
        "hl_net_xd_rgb_flow_audio": {"flow": 1024},
    }

    def __init__(self, *, rgb: int = 1024, flow: int = 0, audio: int = 128) -> None:
        super().__init__()
        self.streams = [name for name, width in (("rgb", rgb), ("flow", flow), ("audio", audio)) if width]
        self.conv1d1, self.conv1d2 = nn.Conv1d(rgb + flow + audio, 512, 1), nn.Conv1d(512, 128, 1)
        self.approximator = nn.Sequential(nn.Conv1d(128, 64, 1), nn.ReLU(), nn.Conv1d(64, 32, 1), nn.ReLU())
        self.conv1d_approximator = nn.Conv1d(32, 1, 5)
        self.gc1, self.gc3, self.gc5 = (GraphConvolution(128, DIM) for _ in range(3))
        self.gc2, self.gc4, self.gc6 = (GraphConvolution(DIM, DIM) for _ in range(3))
        self.classifier = nn.Linear(3 * DIM, 1)
        self.dropout = nn.Dropout(0.6)
        self.conv1d3, self.conv1d4 = nn.Conv1d(128, DIM, 5), nn.Conv1d(DIM, DIM, 5)  # these four are never called
        self.simAdj, self.disAdj = nn.ParameterDict(), nn.ParameterDict()
        self.simAdj.update(
            {name: nn.Parameter(torch.zeros(rgb + flow + audio, DIM)) for name in ("weight0", "weight1")}
        )
        self.disAdj["sigma"] = nn.Parameter(torch.ones(1))

    def network(self, streams: Mapping[str, Tensor], lengths: list[int] | None = None) -> tuple[Tensor, Tensor]:
        """Return the logits of both branches, offline and online (b, t)."""
        x = torch.cat([streams[name] for name in self.streams], -1)
        hidden = self.dropout(self.conv1d1(x.permute(0, 2, 1)).relu())
        hidden = self.dropout(self.conv1d2(hidden).relu())
        online = self.conv1d_approximator(F.pad(self.approximator(hidden), (4, 0))).squeeze(1)
        hidden = hidden.permute(0, 2, 1)
        graphs = (similarity(x, lengths), nearness(x), alike(torch.sigmoid(online.detach()), lengths))
        layers = ((self.gc1, self.gc2), (self.gc3, self.gc4), (self.gc5, self.gc6))
        found = []
        for graph, (first, second) in zip(graphs, layers):
            branch = self.dropout(first(hidden, graph).relu())
            found.append(self.dropout(second(branch, graph).relu()))
        return self.classifier(torch.cat(found, 2)).squeeze(-1), online

    def forward(self, **streams: Tensor) -> Tensor:
        """Take the streams (b, t, c); return the scores of the offline branch (b, t)."""
        return torch.sigmoid(self.network(streams)[0])

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the bag losses of both branches and the distillation of the online one."""
        mask, labels = batch.get("mask"), batch["labels"].float()
        lengths = [batch["rgb"].shape[1]] * len(labels) if mask is None else mask.sum(1).tolist()
        offline, online = self.network(batch, lengths)
        distance = torch.zeros((), device=labels.device)
        for teacher, pupil, n in zip(offline, online, lengths):
            known = torch.sigmoid(teacher[:n]).detach()
            distance = distance - (known * F.logsigmoid(pupil[:n])).mean()
        return bags(offline, lengths, labels) + bags(online, lengths, labels) + 5 * distance / len(labels)


def bags(logits: Tensor, lengths: list[int], labels: Tensor) -> Tensor:
    """Return the cross entropy of the mean of the highest logits of each video."""
    found = torch.zeros(0, device=logits.device)
    for row, n in zip(logits, lengths):
        highest = torch.topk(row[:n], k=int(n // 16 + 1), largest=True)[0]
        found = torch.cat([found, highest.mean().view(1)])
    return F.binary_cross_entropy(torch.sigmoid(found), labels)


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainHlNet]
