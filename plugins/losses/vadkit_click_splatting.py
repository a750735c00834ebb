"""Cross entropy of abnormal videos with bells around clicks, of each event one, and around what scores mine from them.

Zhang, Wang, Zeng, Yang, Zhang, Shou, "GlanceVAD: Exploring Glance Supervision for Label-efficient Video Anomaly
Detection", arXiv 2403.06154: mining and splatting of temporal Gaussians.

Legend: b bags x crops, v videos, t snippets, j a snippet, p a clicked or mined one.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, per_video, probability_loss, weighted_mean


class ClickSplatting(Loss):
    """Learn a curve from 0 to 1 over each abnormal video: the highest of the bells around its events.

    Mining: from a click the event grows to both sides, as long as scores are at least ``alpha`` times that at the
    click, and at most to the next click. Splatting: with N snippets a snippet p of an event gives each snippet j

        g(j) = exp(-(2 (j - p) / (N - 1))^2 / (2 sigma^2))

    stretched to reach from 0 to 1 in the video; the curve is the maximum over all p, stretched again. A video whose
    curve is 1 everywhere stays so. Scores and curve are compared by binary cross entropy, a mean over the snippets of
    all abnormal videos. Curves have no gradient; the scores of several crops are averaged first.

    Deviations: the authors mark one of 200 segments for each click, here all that hold its snippet are marked (in
    videos of fewer than 200 snippets one is repeated). Their first release never mines the last snippet of a video, and
    their second mines backwards with the score of the wrong click.

    Args:
        sigma: width of a bell, half a video being 1.
        alpha: share of the click's score that a mined snippet has at least.
        mine_from: first optimizer step, counted from 1, that mines; before it there are only clicks (50 in the authors'
            code on UCF-Crime, 100 on XD-Violence).
        unclicked: an abnormal video without a click is learned as "normal" throughout, as in the authors' code, or is
            "ignored".
    """

    name = "click_splatting"
    inputs = {"scores": "b t", "clicks": "b t", "labels": "v", "step?": "v", "mask?": "b t", "crops?": ""}
    needs = {"scores": "probability"}
    paper = "Zhang et al., GlanceVAD, arXiv 2403.06154"
    fidelity = "paper"

    def __init__(
        self,
        *,
        sigma: float = 0.1,
        alpha: float = 0.9,
        mine_from: int = 1,
        unclicked: Literal["normal", "ignored"] = "normal",
    ) -> None:
        super().__init__()
        if sigma <= 0 or not 0 <= alpha <= 1 or mine_from < 1:
            raise ValueError(
                f"sigma must be above 0, alpha from 0 to 1 and mine_from at least 1, not {sigma}, {alpha}, {mine_from}"
            )
        self.sigma, self.alpha, self.mine_from, self.unclicked = sigma, alpha, mine_from, unclicked

    def forward(
        self,
        scores: Tensor,
        clicks: Tensor,
        labels: Tensor,
        step: Tensor | None = None,
        mask: Tensor | None = None,
        crops: int | None = None,
    ) -> Tensor:
        """Take scores, clicks (1 or 0) and mask (b, t), labels and step (v); return the loss."""
        scores = per_video(full_precision(scores), crops or 1).mean(1)
        clicked = per_video(clicks, crops or 1)[:, 0] > 0.5
        real = torch.ones_like(clicked) if mask is None else per_video(mask, crops or 1)[:, 0]
        clicked = clicked & real
        events = self.mined(scores.detach(), clicked) & real
        if step is not None:
            events = torch.where((step + 1 >= self.mine_from)[:, None], events, clicked)
        counts = labels > 0.5
        if self.unclicked == "ignored":
            counts = counts & clicked.any(1)
        loss = probability_loss(scores, self.curve(events, real))
        return weighted_mean(loss, (counts[:, None] & real).to(loss.dtype))

    def mined(self, scores: Tensor, clicked: Tensor) -> Tensor:
        """Return where events are (b, t), for scores (b, t) and clicks (b, t) as truth values."""
        later = self._grown(scores, clicked)
        sooner = self._grown(scores.flip(1), clicked.flip(1)).flip(1)
        return clicked | later | sooner

    def _grown(self, scores: Tensor, clicked: Tensor) -> Tensor:
        """Return the snippets that follow the last click before them without one that scores too little."""
        at = torch.arange(scores.shape[1], device=scores.device).expand_as(scores)
        click = torch.where(clicked, at, -1).cummax(1).values
        least = self.alpha * scores.gather(1, click.clamp_min(0))
        low = torch.where((scores < least) & ~clicked, at, -1).cummax(1).values
        return (click >= 0) & (low < click)

    def curve(self, events: Tensor, real: Tensor) -> Tensor:
        """Return the targets (b, t) of events (b, t); 0 everywhere without an event."""
        t = events.shape[1]
        count = real.sum(1)
        at = torch.arange(t, device=events.device, dtype=torch.float32)
        unit = (2 / (count - 1).clamp_min(1)).float()[:, None]
        bell = self._bell((at[:, None] - at).abs() * unit[..., None])  # (b, j, p)
        lowest = self._bell(torch.maximum(at, count[:, None] - 1 - at) * unit)[:, None]  # of each p, at the farther end
        bell = torch.where(lowest < 1, (bell - lowest) / (1 - lowest).clamp_min(1e-12), 1.0)
        highest = torch.where(events[:, None], bell, 0).amax(2)
        base = torch.where(real, highest, 1).amin(1, keepdim=True)
        stretched = torch.where(base < 1, (highest - base) / (1 - base).clamp_min(1e-12), highest)
        return torch.where(real, stretched, 0).clamp(0, 1)

    def _bell(self, distance: Tensor) -> Tensor:
        return torch.exp(-distance.square() / (2 * self.sigma**2))


@hookimpl
def vadkit_components() -> list[type]:
    return [ClickSplatting]
