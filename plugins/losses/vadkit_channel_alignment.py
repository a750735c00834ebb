"""Alignment of streams channel by channel: a narrow stream is matched to a wide one, then drawn towards it.

The modality alignment of MAVD ("Aligning First, Then Fusing: A Novel Weakly Supervised Multimodal Violence Detection
Method", Knowledge-Based Systems 2025): sound and flow are aligned with RGB, semantically and by their scores.

Legend: b bags x crops, t snippets, c channels of the main stream, s channels of another, n all b * t snippets.
"""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from vadkit import Loss, hookimpl
from vadkit.layers import clear, full_precision, weighted_mean

EPS = 1e-6  # scores are kept this far from 0 and 1


class ChannelAlignment(Loss):
    """Bring features and scores of every pair of streams together; the first stream is fixed.

    A stream of s channels is first given the c channels of the main one: each of its channels, in order, takes the
    free main channel that it resembles most (cosine over all snippets of the batch), and the rest are zeros. Summed
    over the pairs (i, j), i before j, of streams x and their scores q, p:

        mean(1 - cos(x_i, x_j)) - mean(p log q + (1 - p) log(1 - q)),  q of stream i, p of stream j

    No gradient reaches the first stream and its scores, nor the choice of channels. The second term keeps the
    authors' order of arguments: where stream i is the fixed one, its logarithm is a constant that weights p.

    Equal to the authors' code, padding included: it takes part in both means and in the choice, its scores as 0
    (``use_mask`` ends that). A channel that is 0 throughout resembles none, and takes what torch.topk lists first.

    Args:
        dims: widths of the streams, the main one first, and no other wider.
        match: "gather" is the authors' code, which reads the list of chosen channels the wrong way round (channel n of
            the result is channel list[n], not the other way); "scatter" puts a channel where it was matched to.
        use_mask: leave padding out of everything.
    """

    name = "channel_alignment"
    inputs = {"*x": "b t dims", "*scores": "b t", "mask?": "b t"}
    needs = {"scores": "probability"}
    example = {"dims": [6, 4]}
    paper = "Aligning First, Then Fusing, Knowledge-Based Systems 2025"
    fidelity = "official"
    mask_switch = "use_mask"

    def __init__(
        self, *, dims: list[int], match: Literal["gather", "scatter"] = "gather", use_mask: bool = False
    ) -> None:
        super().__init__()
        if len(dims) < 2:
            raise ValueError(f"x takes two streams or more, got {len(dims)}")
        if max(dims) > dims[0]:
            raise ValueError(f"x: no stream may be wider than the first: {', '.join(map(str, dims))}")
        self.dims, self.match, self.use_mask = list(dims), match, use_mask

    def forward(self, x: list[Tensor], scores: list[Tensor], mask: Tensor | None = None) -> dict[str, Tensor]:
        """Take features (b, t, c_i), probabilities (b, t) and mask (b, t); return "total", "features" and "scores"."""
        if len(scores) != len(x):
            raise ValueError(f"there must be as many scores as streams: {len(scores)} for {len(x)}")
        mask = torch.ones_like(scores[0], dtype=torch.bool) if mask is None else mask
        counted = (mask if self.use_mask else torch.ones_like(mask)).float()
        main, *others = map(full_precision, x)
        wide = [main.detach(), *(self.widen(other, main.detach(), counted > 0) for other in others)]
        known = [full_precision(s).masked_fill(~mask, 0) for s in scores]
        known[0] = known[0].detach()
        distances = [weighted_mean(1 - F.cosine_similarity(a, b, dim=-1), counted) for a, b in combinations(wide, 2)]
        entropies = [weighted_mean(cross_entropy(q, p), counted) for q, p in combinations(known, 2)]
        parts = {"features": torch.stack(distances).sum(), "scores": torch.stack(entropies).sum()}
        return {"total": parts["features"] + parts["scores"], **parts}

    def widen(self, x: Tensor, main: Tensor, counted: Tensor) -> Tensor:
        """Return x (b, t, s) with the channels of main (b, t, c), as (b, t, c)."""
        order = assign(self.similarity(x.detach(), main, counted))  # (c)
        padded = F.pad(x, (0, main.shape[-1] - x.shape[-1]))
        return padded[..., order if self.match == "gather" else order.argsort()]

    def similarity(self, x: Tensor, main: Tensor, counted: Tensor) -> Tensor:
        """Return the cosine of each channel of x with each channel of main, (s, c)."""
        ours, theirs = (F.normalize(rearrange(clear(y, counted), "b t c -> (b t) c"), dim=0) for y in (x, main))
        return ours.T @ theirs


def assign(similarity: Tensor) -> Tensor:
    """Give each row, in order, its best free column: (s, c) -> (c), the columns of all rows and then the free ones.

    A loop over channels, never over bags: a row has to know what the rows before it took.
    """
    free = torch.ones_like(similarity[0], dtype=torch.bool)
    columns = similarity.shape[1]
    ranks = similarity.topk(columns, dim=1).indices.argsort(dim=1)  # a sort would order ties in another way
    chosen = []
    for rank in ranks.unbind(0):
        best = rank.masked_fill(~free, columns).argmin()
        free = free & (torch.arange(len(free), device=free.device) != best)
        chosen.append(best)
    rest = (~free).int().argsort(stable=True)[: columns - len(chosen)]  # ascending
    return torch.cat([torch.stack(chosen), rest])


def cross_entropy(q: Tensor, p: Tensor) -> Tensor:
    """Return -p log q - (1 - p) log(1 - q) of each entry."""
    q, p = q.clamp(EPS, 1 - EPS), p.clamp(EPS, 1 - EPS)
    return -(p * q.log() + (1 - p) * (1 - q).log())


@hookimpl
def vadkit_components() -> list[type]:
    return [ChannelAlignment]
