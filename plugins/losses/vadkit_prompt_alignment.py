"""Prompt-enhanced learning: the features of a video should resemble the text vector of its class.

Pu, Wu, Yang, Wang, "Learning Prompt-Enhanced Context Features for Weakly-Supervised Video Anomaly
Detection", IEEE TIP 2024 (L_kd there; in the seed paper L_PEL, as vadkit interprets it).

Legend: b bags x crops, v videos, t snippets, c channels, n = 2 v rows: foreground and background
of each video in turn.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from einops import rearrange, reduce
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision

SHARPNESS = 10.0  # of the pooling weights, and of the target distribution
TINY = 1e-8


class PromptAlignment(Loss):
    """Align the pooled anomalous and calm snippets of a video with the text vectors of its class.

    Snippets are pooled with weights exp(10 s) - 1 (foreground) and exp(10 (1 - s)) - 1 (background),
    which sum to 1 over time. A normal video gives one row: its foreground, of class 0. An abnormal
    video gives two: its foreground of its own class, its background of class 0. With the cosine
    between each row and the text vector of each row's class, divided by a learned temperature, the
    loss is KL( softmax(10 [same class]) || softmax(cosine / temperature) ), averaged over rows.

    The crops of one video are pooled one by one and averaged. With normal videos only the loss is 0.
    Rows are laid out for all videos, and those that do not exist are masked, so that no shape depends
    on the labels.

    Quirk of the authors that is kept: padding enters the pooling (``use_mask`` ends that).

    Args:
        dim: width of the features, which must be that of the text vectors.
        temperature: initial value of the learned temperature; ``logit_scale`` holds log(1 / temperature).
        log: "log_softmax" (the seed paper's and PEL4VAD's released code) or "softmax_eps", that is
            log(softmax + 1e-7), found in an earlier version of theirs.
        use_mask: exclude padding.
    """

    name = "prompt_alignment"
    inputs = {
        "x": "b t dim",
        "scores": "b t",
        "prompts": "v 2 dim",
        "classes": "v",
        "labels": "v",
        "mask?": "b t",
        "crops?": "",
    }
    needs = {"scores": "probability"}
    example = {"dim": 8}
    paper = "Pu et al., Learning Prompt-Enhanced Context Features, IEEE TIP 2024"
    fidelity = "code"
    mask_switch = "use_mask"
    authors_names = {"logit_scale": "logit_scale"}

    def __init__(
        self,
        *,
        dim: int,
        temperature: float = 0.05,
        log: Literal["log_softmax", "softmax_eps"] = "log_softmax",
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.dim, self.log, self.use_mask = dim, log, use_mask
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))

    def forward(
        self,
        x: Tensor,
        scores: Tensor,
        prompts: Tensor,
        classes: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
        crops: int | None = None,
    ) -> dict[str, Tensor]:
        """Take features (b, t, c), probabilities (b, t), text vectors of class 0 and the video's own
        class (v, 2, c), classes (v), labels (v), mask (b, t); return the loss as "total"."""
        x, scores, prompts = (full_precision(v) for v in (x, scores, prompts))
        kinds, exists = self.row_classes(classes, labels)
        with torch.autocast(x.device.type, enabled=False):  # otherwise its products are in half precision
            rows = self.pool(x, scores, mask if self.use_mask else None, crops or 1)
            logits = self.logits(rows, self.row_prompts(prompts, labels))
            return {"total": self.divergence(logits, kinds, exists)}

    def pool(self, x: Tensor, scores: Tensor, mask: Tensor | None, crops: int) -> Tensor:
        """Return the foreground and background vectors of each video, (n, c)."""
        weights = torch.expm1(SHARPNESS * torch.stack([scores, 1 - scores], dim=1))  # (b, 2, t)
        if mask is not None:
            weights = weights.masked_fill(~mask[:, None, :], 0)
        pooled = F.normalize(weights, p=1, dim=-1) @ x  # (b, 2, c)
        return reduce(pooled, "(v crops) two c -> (v two) c", "mean", crops=crops)

    @staticmethod
    def row_classes(classes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the class of each row and whether the row exists, both (n)."""
        abnormal = labels > 0.5
        own = torch.where(abnormal, classes, 0)
        kinds = rearrange([own, torch.zeros_like(own)], "two v -> (v two)")
        return kinds, rearrange([torch.ones_like(abnormal), abnormal], "two v -> (v two)")

    @staticmethod
    def row_prompts(prompts: Tensor, labels: Tensor) -> Tensor:
        """Return the text vector of each row, (n, c)."""
        calm = prompts[:, 0]
        own = torch.where(labels[:, None] > 0.5, prompts[:, 1], calm)
        return rearrange([own, calm], "two v c -> (v two) c")

    def logits(self, rows: Tensor, texts: Tensor) -> Tensor:
        """Return cosine / temperature of each row with each text, (n, n)."""
        rows, texts = (F.normalize(v, dim=-1, eps=TINY) for v in (rows, texts))
        # Relative to one calm text, all calm texts are exactly 0, and so exactly equal for every row.
        calm = texts[1:2]
        return self.logit_scale.exp() * (rows @ calm.T + rows @ (texts - calm).T)

    def divergence(self, logits: Tensor, kinds: Tensor, exists: Tensor) -> Tensor:
        """Return the KL divergence from the class distribution, averaged over rows that exist."""
        absent = ~exists[None, :]
        same = SHARPNESS * (kinds[:, None] == kinds[None, :]).to(logits.dtype)
        wanted, found = (_log_softmax(x.masked_fill(absent, -torch.inf)) for x in (same, logits))
        if self.log == "softmax_eps":
            found = (found.exp() + 1e-7).log()
        missed = wanted.masked_fill(absent, 0) - found.masked_fill(absent, 0)  # -inf less -inf is NaN
        rows = (wanted.exp() * missed).sum(1)
        return (rows * exists).sum() / exists.sum()


def _log_softmax(x: Tensor) -> Tensor:
    """Return log softmax of each row, counted from its largest entry: rows of one value give the same
    numbers whatever the value, so that videos of one class lose exactly 0."""
    return (x - x.detach().amax(1, keepdim=True)).log_softmax(1)


@hookimpl
def vadkit_components() -> list[type]:
    return [PromptAlignment]
