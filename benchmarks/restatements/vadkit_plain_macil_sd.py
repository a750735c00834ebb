"""MACIL-SD, light and full, as its authors run it: loops over the videos choose snippets and grow lists of rows.

Yu, Liu, Cheng, Feng, Zhang, "Modality-Aware Contrastive Instance Learning with Self-Distillation for Weakly-Supervised
Audio-Visual Violence Detection", ACM MM 2022. One layer is called for each direction. The contrast indexes each
stream by the scores of the other one. The full system trains a second network of RGB alone with its own optimizer in
the same step: the sum of both losses has the gradients of both. What moves the weights between epochs is not in it.

Legend: b videos, t snippets, c channels, k chosen snippets.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Restatement, hookimpl

DIM, HEADS = 128, 4
GROWING = {"lamda_a2b": None, "lamda_a2n": None}


class Attention(nn.Module):
    """Softmax attention of four heads; its own norm is never called."""

    def __init__(self) -> None:
        super().__init__()
        linear = nn.Linear(DIM, DIM)
        self.linears = nn.ModuleList(copy.deepcopy(linear) for _ in range(4))
        self.layer_norm = nn.LayerNorm(DIM)
        self.dropout = nn.Dropout(0.1)

    def forward(self, query: Tensor, other: Tensor) -> Tensor:
        b, width = len(query), DIM // HEADS
        inputs = (query, other, other)
        q, k, v = (layer(x).view(b, -1, HEADS, width).transpose(1, 2) for layer, x in zip(self.linears, inputs))
        weights = self.dropout(F.softmax(torch.matmul(q, k.transpose(-2, -1)) / width**0.5, dim=-1))
        found = torch.matmul(weights, v).transpose(1, 2).contiguous().view(b, -1, DIM)
        out: Tensor = self.linears[-1](found)
        return out


class FeedForward(nn.Module):
    """Two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.w_1, self.w_2, self.dropout = nn.Linear(DIM, DIM), nn.Linear(DIM, DIM), nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.w_2(self.dropout(self.w_1(x).relu()))
        return out


class Sublayer(nn.Module):
    """The norm before a part, and the dropout after it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.dropout = nn.LayerNorm(DIM), nn.Dropout(0.1)


class Layer(nn.Module):
    """A pre-norm layer whose keys and values are not normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn, self.feed_forward = Attention(), FeedForward()
        self.sublayer = nn.ModuleList([Sublayer(), Sublayer()])

    def forward(self, query: Tensor, other: Tensor) -> Tensor:
        first, second = self.sublayer
        x = query + first.dropout(self.self_attn(first.norm(query), other))  # type: ignore[operator]
        out: Tensor = x + second.dropout(self.feed_forward(second.norm(x)))  # type: ignore[operator]
        return out


class Cross(nn.Module):
    """The layer that both directions share."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = Layer()


class Head(nn.Module):
    """The linear layer that both streams share."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(DIM, 1)


class Visual(nn.Module):
    """The second network of the full system."""

    def __init__(self) -> None:
        super().__init__()
        self.multiheadattn, self.feedforward = Attention(), FeedForward()
        self.fc_v, self.cma, self.fc = nn.Linear(1024, DIM), Cross(), nn.Linear(DIM, 1)

    def forward(self, rgb: Tensor) -> Tensor:
        """Take rgb (b, t, c); return logits (b, t)."""
        x = self.fc_v(rgb)
        out: Tensor = self.fc(self.cma.layer(x, x)).squeeze(-1)
        return out


def bags(logits: Tensor, lengths: list[int]) -> Tensor:
    """Return the probability of each video (b,), of the mean of its highest logits."""
    found = torch.zeros(0, device=logits.device)
    for row, n in zip(logits, lengths):
        highest = torch.topk(row[:n], k=int(n // 16 + 1), largest=True)[0]
        found = torch.cat([found, highest.mean().view(1)])
    return torch.sigmoid(found)


def four_contrasts(
    streams: Mapping[str, Tensor], scores: Mapping[str, Tensor], bag: Tensor, lengths: list[int]
) -> tuple[Tensor, Tensor]:
    """Return the contrasts against background and against normal bags; 0 if the bags are all predicted alike."""
    violent: dict[str, list[Tensor]] = {"v": [], "a": []}
    normal: dict[str, list[Tensor]] = {"v": [], "a": []}
    background: dict[str, list[Tensor]] = {"v": [], "a": []}
    for i, n in enumerate(lengths):
        k = int(n // 16 + 1)
        for name, x in streams.items():
            high = torch.topk(scores[name][i, :n], k=k, largest=True)[1]
            low = torch.topk(scores[name][i, :n], k=k, largest=False)[1]
            background[name].append(x[i][low])
            if bag[i] > 0.5:
                violent[name].append(x[i][high].mean(0, keepdim=True).expand(k, -1))
            else:
                normal[name].append(x[i][high])
    if not violent["v"] or not normal["v"]:
        return bag.new_zeros(()), bag.new_zeros(())

    def both_ways(others: Mapping[str, list[Tensor]]) -> Tensor:
        return info_nce(violent["a"], violent["v"], others["v"]) + info_nce(violent["v"], violent["a"], others["a"])

    return both_ways(background), both_ways(normal)


def info_nce(own: list[Tensor], other: list[Tensor], negatives: list[Tensor]) -> Tensor:
    """Return the cross entropy of each row of one stream with its own in the other, among the negatives."""
    query, positive, negative = (F.normalize(torch.cat(rows), dim=-1) for rows in (own, other, negatives))
    right = (query * positive).sum(1, keepdim=True)
    logits = torch.cat([right, query @ negative.t()], 1) / 0.1
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


def lengths_of(batch: Mapping[str, Any]) -> list[int]:
    """Return the real snippets of each video."""
    mask, (b, t) = batch.get("mask"), batch["rgb"].shape[:2]
    lengths: list[int] = [t] * b if mask is None else mask.sum(1).tolist()
    return lengths


class PlainMacilSdLight(Restatement):
    """The audio-visual model, with what its authors create and never use.

    Args:
        second: the other stream.
        width: its width.
        lamda_a2b: factor of the contrasts against background; None lets it grow with the epoch.
        lamda_a2n: factor of those against normal bags.
    """

    graphs: ClassVar[dict[str, dict[str, Any]]] = {
        "macil_sd_light_xd": GROWING,
        "macil_sd_light_xd_flow": {"second": "flow", "width": 1024, **GROWING},
    }

    def __init__(self, *, second: str = "audio", width: int = 128, **factors: float | None) -> None:
        super().__init__()
        self.second, self.factors = second, factors
        self.multiheadattn, self.feedforward = Attention(), FeedForward()
        self.fc_v, self.fc_a = nn.Linear(1024, DIM), nn.Linear(width, DIM)
        self.cma, self.att_mmil = Cross(), Head()

    def network(self, streams: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return both streams (b, t, c) and their logits (b, t)."""
        v, a = self.fc_v(streams["rgb"]), self.fc_a(streams[self.second])
        v_out, a_out = self.cma.layer(v, a), self.cma.layer(a, v)
        return v_out, a_out, self.att_mmil.fc(v_out).squeeze(-1), self.att_mmil.fc(a_out).squeeze(-1)

    def forward(self, **streams: Tensor) -> Tensor:
        """Take rgb and the other stream (b, t, c); return scores (b, t)."""
        _, _, v_logit, a_logit = self.network(streams)
        return torch.sigmoid(a_logit + v_logit)

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the bag loss and the contrast, which grows with the epoch."""
        lengths = lengths_of(batch)
        v_out, a_out, v_logit, a_logit = self.network(batch)
        bag = bags(a_logit + v_logit, lengths)
        epoch = batch.get("epoch")
        growing = 1.5 if epoch is None else min(1.5, 0.1 * epoch)
        scores = {"v": torch.sigmoid(a_logit), "a": torch.sigmoid(v_logit)}  # those of the other stream
        contrasts = four_contrasts({"v": v_out, "a": a_out}, scores, bag, lengths)
        total = F.binary_cross_entropy(bag, batch["labels"].float())
        for factor, contrast in zip(self.factors.values(), contrasts):
            total = total + (growing if factor is None else factor) * contrast
        return total


class PlainMacilSdFull(Restatement):
    """The audio-visual model, and the one of RGB alone that is trained in the same step."""

    graphs: ClassVar[dict[str, dict[str, Any]]] = {"macil_sd_full_xd": GROWING}

    def __init__(self, **factors: float | None) -> None:
        super().__init__()
        self.av, self.v = PlainMacilSdLight(**factors), Visual()

    def forward(self, **streams: Tensor) -> Tensor:
        """Take rgb and audio (b, t, c); return scores (b, t)."""
        scores: Tensor = self.av(**streams)
        return scores

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the sum of both losses."""
        bag = bags(self.v(batch["rgb"]), lengths_of(batch))
        return self.av.loss(batch) + F.binary_cross_entropy(bag, batch["labels"].float())


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainMacilSdLight, PlainMacilSdFull]
