"""The nominator in the form the published code has: one-hot ranks and a product over them. For comparison only.

Legend: b bags x crops, t snippets, c channels, n noise draws, k snippets that are kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from vadkit_topk_nominator import TopkNominator

from vadkit import hookimpl


class OneHotNominator(TopkNominator):
    """Equal to ``topk_nominator`` (gradient: authors), with ranks held one by one: (b, n, k, t) and (b, k, t, c)."""

    name = "one_hot_nominator"

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Take x (b, t, c); return x (b, t, c) and gate (b, t)."""
        scores = self.scores(x)
        noise = self._noise(scores).expand(scores.shape[0], -1, -1)
        ranks = Ranks.apply(scores, noise, self.sigma, int(self._count(x.shape[1])))  # (b, k, t)
        return {"x": (ranks[..., None] * x[:, None]).sum(1), "gate": ranks.sum(1)}


class Ranks(torch.autograd.Function):
    """Share of draws in which snippet t is the r-th (by position) of the k best."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, noise: Tensor, sigma: float, k: int) -> Tensor:
        disturbed = scores[:, None, :] + sigma * noise
        places = disturbed.topk(k, dim=-1, sorted=False).indices.sort(dim=-1).values  # (b, n, k)
        one_hot = torch.nn.functional.one_hot(places, scores.shape[-1]).float()  # (b, n, k, t)
        ctx.save_for_backward(one_hot, noise)
        ctx.sigma = sigma
        return one_hot.mean(1)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        one_hot, noise = ctx.saved_tensors
        expected = torch.einsum("bnkd,bne->bkde", one_hot, noise) / (noise.shape[1] * ctx.sigma)
        return torch.einsum("bkde,bke->bd", expected, slope), None, None, None


@hookimpl
def vadkit_components() -> list[type]:
    return [OneHotNominator]
