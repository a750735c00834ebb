"""MAVD as its authors run it: six networks, loops over the videos in the losses, and channels matched one by one.

"Aligning First, Then Fusing", Knowledge-Based Systems 2025. Two nested loops over channels with a read-out of the
device in each match the channels of audio and flow to those of RGB.

Legend: b rows, t snippets, c channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from vadkit_plain_ur_dmu import Transformer

from vadkit import Restatement, hookimpl


class Mil(nn.Module):
    """The head of a network."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.regressor = nn.Sequential(
            nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(0.0), nn.Linear(hidden, 32), nn.Dropout(0.0)
        )
        self.regressor.extend([nn.Linear(32, 1), nn.Sigmoid()])

    def forward(self, x: Tensor) -> Tensor:
        """Take x (b, t, c); return scores (b, t)."""
        out: Tensor = self.regressor(x).squeeze(-1)
        return out


class Embedding(nn.Module):
    def __init__(self, dim: int, out: int) -> None:
        super().__init__()
        self.conv_1 = nn.Sequential(nn.Conv1d(dim, out, 3, padding=1), nn.ReLU())


class Unimodal(nn.Module):
    """The network of one stream."""

    def __init__(self, dim: int, hidden: int, out: int) -> None:
        super().__init__()
        self.embedding = Embedding(dim, out)
        self.selfatt = Transformer(out, 2, 4, out // 2, out, 0.0)
        self.mil = Mil(out, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        out: Tensor = self.selfatt(self.embedding.conv_1(x.permute(0, 2, 1)).permute(0, 2, 1))
        return out


class Projection(nn.Module):
    """Three layers of one width."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for _ in range(3):
            parts += [nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(0.0)]
        self.regressor = nn.Sequential(*parts[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        out: Tensor = self.regressor(x)
        return out


class CausalConv(nn.Module):
    """A weight-normalised convolution of two snippets; the surplus at the end is cut off."""

    def __init__(self, dim: int, dilation: int) -> None:
        super().__init__()
        start = nn.Conv1d(dim, dim, 2)
        self.dilation, self.bias = dilation, nn.Parameter(start.bias.detach().clone())  # type: ignore[union-attr]
        self.weight_g = nn.Parameter(start.weight.detach().norm(dim=(1, 2), keepdim=True))
        self.weight_v = nn.Parameter(start.weight.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, c, t)."""
        weight = self.weight_g * self.weight_v / self.weight_v.norm(dim=(1, 2), keepdim=True)
        out = F.conv1d(x, weight, self.bias, padding=self.dilation, dilation=self.dilation)
        return out[:, :, : -self.dilation].contiguous()


class TemporalBlock(nn.Module):
    def __init__(self, dim: int, dilation: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = CausalConv(dim, dilation), CausalConv(dim, dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, c, t)."""
        return (self.conv2(self.conv1(x).relu()).relu() + x).relu()  # type: ignore[no-any-return]


class Multimodal(nn.Module):
    """The network of the joined streams."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Sequential(nn.Linear(224, 112), nn.ReLU(), nn.Dropout(0.0), nn.Linear(112, 64), nn.ReLU())
        blocks = nn.Sequential(*(TemporalBlock(64, 2**n) for n in range(3)))
        self.tcn = nn.ModuleDict({"tcn": nn.ModuleDict({"network": blocks})})
        self.mil = Mil(64, 128)

    def forward(self, x: Tensor) -> Tensor:
        """Take x (b, t, 224); return features (b, t, 64)."""
        x = self.embedding(x).permute(0, 2, 1)
        return self.tcn["tcn"]["network"](x).permute(0, 2, 1)  # type: ignore[index, no-any-return]


class PlainMavd(Restatement):
    """The six networks and their losses, which one optimizer trains."""

    graphs: ClassVar[dict[str, dict[str, Any]]] = {"mavd_xd": {}}

    def __init__(self) -> None:
        super().__init__()
        self.v_net, self.a_net, self.f_net = Unimodal(1024, 128, 128), Unimodal(128, 64, 32), Unimodal(1024, 128, 64)
        self.va_net, self.vf_net, self.vaf_net = Projection(32), Projection(64), Multimodal()

    def network(self, streams: Mapping[str, Tensor]) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Return features of each stream, those that are aligned, and joined features."""
        features = [self.v_net(streams["rgb"]), self.a_net(streams["audio"]), self.f_net(streams["flow"])]
        fixed = [x.detach() for x in features]
        aligned = [fixed[0], self.va_net(fixed[1]), self.vf_net(fixed[2])]
        return features, aligned, self.vaf_net(torch.cat(aligned, -1))

    def forward(self, **streams: Tensor) -> Tensor:
        """Take rgb, audio and flow (b, t, c); return scores (b, t)."""
        scores: Tensor = self.vaf_net.mil(self.network(streams)[2])
        return scores

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the bag losses, the alignment and the triplet."""
        mask, labels = batch.get("mask"), batch["labels"].float()
        lengths = [batch["rgb"].shape[1]] * len(labels) if mask is None else mask.sum(1).tolist()
        features, aligned, joined = self.network(batch)
        heads = (self.v_net.mil, self.a_net.mil, self.f_net.mil)
        own = [head(x) for head, x in zip(heads, features)]
        after = [own[0].detach(), *(head(x) for head, x in zip(heads[1:], aligned[1:]))]
        scores = self.vaf_net.mil(joined)
        unimodal = bags(own[0], lengths, labels) + bags(own[1], lengths, labels) + bags(own[2], lengths, labels)
        align = alignment(aligned, after, lengths)
        align = align + 0.01 * (bags(after[1], lengths, labels) + bags(after[2], lengths, labels))
        multimodal = bags(scores, lengths, labels)
        return unimodal + 10 * align + 10 * multimodal + 0.001 * triplet(joined, scores, lengths, labels)


def bags(scores: Tensor, lengths: list[int], labels: Tensor) -> Tensor:
    """Return the cross entropy of the mean of the highest scores of each video."""
    found = torch.zeros(0, device=scores.device)
    for row, n in zip(scores, lengths):
        found = torch.cat([found, torch.topk(row[:n], k=int(n // 16 + 1), largest=True)[0].mean().view(1)])
    return F.binary_cross_entropy(found, labels)


def alignment(streams: list[Tensor], scores: list[Tensor], lengths: list[int]) -> Tensor:
    """Return the distances of all pairs of streams and the cross entropies of all pairs of scores."""
    wide = [streams[0], *(widened(x, streams[0]) for x in streams[1:])]
    known = [torch.zeros_like(s) for s in scores]
    for own, s in zip(known, scores):
        for i, n in enumerate(lengths):
            own[i, :n] = s[i, :n]
    total = torch.zeros((), device=wide[0].device)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        for one, other in zip(wide[i], wide[j]):
            total = total + (1 - F.cosine_similarity(one, other, dim=-1)).mean() / len(wide[i])
        q, p = known[i].clamp(1e-6, 1 - 1e-6), known[j].clamp(1e-6, 1 - 1e-6)
        total = total - (p * q.log() + (1 - p) * (1 - q).log()).mean()
    return total


def widened(x: Tensor, main: Tensor) -> Tensor:
    """Return x (b, t, s) with as many channels as main, each matched to the free one that it resembles most."""
    rows, wanted = F.normalize(x.detach().flatten(0, 1), dim=0), F.normalize(main.flatten(0, 1), dim=0)
    ranked = torch.topk(rows.t() @ wanted, k=main.shape[-1], dim=1)[1]
    taken: list[int] = []
    for channel in range(x.shape[-1]):
        for place in range(main.shape[-1]):
            number = int(ranked[channel, place].item())
            if number not in taken:
                taken.append(number)
                break
    taken += [number for number in range(main.shape[-1]) if number not in taken]
    padded = torch.cat([x, x.new_zeros(*x.shape[:2], main.shape[-1] - x.shape[-1])], -1)
    return padded[:, :, taken]


def triplet(x: Tensor, scores: Tensor, lengths: list[int], labels: Tensor) -> Tensor:
    """Return the triplet of normal videos, calm and violent snippets; 0 for a batch of one class."""
    anchors, calm, violent = [], [], []
    for row, score, n, label in zip(x, scores, lengths, labels):
        if label == 0:
            anchors.append(row[:n].mean(0))
        else:
            k = int(n // 16 + 1)
            calm.append(row[torch.topk(score[:n], k=k, largest=False)[1]].mean(0))
            violent.append(row[torch.topk(score[:n], k=k, largest=True)[1]].mean(0))
    if not anchors or not calm:
        return x.new_zeros(())
    means = (F.normalize(torch.stack(kind).mean(0, keepdim=True), dim=-1) for kind in (anchors, calm, violent))
    return F.triplet_margin_loss(*means, margin=5.0)


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainMavd]
