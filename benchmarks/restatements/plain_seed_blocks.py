"""Blocks of the paper's systems as their authors run them: nominator, progressive dropout, gated fusion.

Legend: b bags, t snippets, c channels, n noise draws, k snippets kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Ranks(torch.autograd.Function):
    """Share of the draws in which a snippet is the r-th of the k best, from one-hot ranks (b, n, k, t)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, k: int, draws: int, sigma: float) -> Tensor:
        b, t = x.shape
        noise = torch.normal(mean=0.0, std=1.0, size=(b, draws, t)).to(x.device)
        index = torch.topk(x.unsqueeze(1) + noise * sigma, k=k, dim=-1, sorted=False).indices
        ranks = F.one_hot(torch.sort(index, dim=-1).values, num_classes=t).float()
        ctx.save_for_backward(ranks, noise)
        ctx.sigma = sigma
        return ranks.mean(dim=1)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        ranks, noise = ctx.saved_tensors
        expected = torch.einsum("bnkd,bne->bkde", ranks, noise) / noise.shape[1] / ctx.sigma
        return torch.einsum("bkde,bke->bd", expected, slope), None, None, None


class Scorer(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, dim // 2), nn.Linear(dim // 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.fc2(F.relu(self.fc1(x)))).squeeze(-1)


class HardAttention(nn.Module):
    """The nominator: every rank times every snippet, then the sum over the ranks."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scorer = Scorer(dim)

    def forward(self, x: Tensor) -> Tensor:
        k = min(max(int(0.95 * x.shape[1]), 1), 500)
        ranks = Ranks.apply(self.scorer(x), k, 100, 0.05)  # (b, k, t)
        return torch.mul(x.unsqueeze(1), ranks.unsqueeze(-1)).sum(1)  # by way of (b, k, t, c)


class ProgressiveDropout(nn.Module):
    """Drop whole rows of (b, c, t), the stronger the more likely; survivors keep their size."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        b, c, _ = x.shape
        order = torch.argsort(torch.sigmoid(x.mean(dim=2)).view(-1))
        share = torch.arange(b * c, device=x.device) / max(b * c - 1, 1)
        curve = self.p / 1.5 * torch.log10(1 + share * (10**1.5 - 1))
        chance = torch.zeros(b * c, device=x.device)
        chance[order] = curve
        kept = (torch.rand(b * c, device=x.device) >= chance).float().view(b, c, 1)
        return x * kept.expand_as(x)


class CrossAttention(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))

    def forward(self, main: Tensor, other: Tensor) -> Tensor:
        logits = torch.matmul(self.query(main), self.key(other).transpose(1, 2)) / main.shape[-1] ** 0.5
        return torch.matmul(F.softmax(logits, dim=-1), self.value(other)) + main


class GatedFusion(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.cross_attention = CrossAttention(dim)
        self.gate, self.fc = nn.Linear(2 * dim, 2 * dim), nn.Linear(2 * dim, dim)

    def forward(self, main: Tensor, other: Tensor) -> Tensor:
        joint = torch.cat([main, self.cross_attention(main, other)], dim=-1)
        return self.fc(torch.sigmoid(self.gate(joint)) * joint)
