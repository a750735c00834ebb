"""The heads and losses of UMIL's first stage as its authors write them, on frozen features.

Lv et al., "Unbiased Multiple Instance Learning for Weakly Supervised Video Anomaly Detection", CVPR 2023. Their
backbone is X-CLIP on frames, which is no part of this, so their step is far slower than this one; the strong view is
a dropout here as in our graph, and the text vectors are fixed. Both views go through both heads; the loops over the
rows are theirs. The later stage, on labels of stable snippets, has parts that only the paper describes.

Legend: b rows, t snippets, c channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Restatement, hookimpl

DIM, SCALE, SURE, ALIKE = 512, 100.0, 0.8, 0.7


class PlainUmil(Restatement):
    """Two linear heads, compared with the vectors of "normal" and "abnormal"."""

    graphs: ClassVar[dict[str, dict[str, Any]]] = {"umil_ucf": {}}

    def __init__(self) -> None:
        super().__init__()
        self.head_video, self.u_head_video = nn.Linear(DIM, DIM), nn.Linear(DIM, DIM)
        self.register_buffer("text_features", F.normalize(torch.randn(2, DIM), dim=-1))
        self.augment = nn.Dropout(0.5)

    def logits(self, head: nn.Linear, x: Tensor) -> Tensor:
        """Return the logits of both classes (b, t, 2)."""
        x = head(x)
        x = x / x.norm(dim=-1, keepdim=True)
        text = self.text_features / self.text_features.norm(dim=-1, keepdim=True)
        return SCALE * x @ text.t()

    def forward(self, rgb: Tensor) -> Tensor:
        """Take rgb (b, t, c); return scores (b, t)."""
        return self.logits(self.head_video, rgb).softmax(-1)[..., 1]

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the loss of both views."""
        weak, labels = batch["rgb"], batch["labels"].float()
        views = (weak, self.augment(weak))
        scored = [self.logits(self.head_video, x) for x in views]
        grouped = [self.logits(self.u_head_video, x) for x in views]
        rows, twice = torch.cat(scored).softmax(-1)[..., 1], labels.repeat(2)
        peak = gap = smooth = sparse = rows.new_zeros(())
        for curve, label in zip(rows, twice):
            highest = curve[curve.argmax()]
            sure = torch.maximum(highest, 1 - highest)
            peak = peak + sure * F.binary_cross_entropy(highest, label)
            gap = gap + sure * F.binary_cross_entropy(curve.max() - curve.min(), label)
            smooth = smooth + (curve[1:] - curve[:-1]).square().sum()
            sparse = sparse + curve.sum()
        bags = (peak + gap + 0.01 * smooth + 0.001 * sparse) / len(rows)
        return bags + agreement(*scored) + agreement(*grouped) + 0.01 * clustering(weak, *grouped)


def agreement(weak: Tensor, strong: Tensor) -> Tensor:
    """Return the cross entropy of the strong view with the classes that the weak one is sure of."""
    sure, wanted = weak.detach().softmax(-1).max(-1)
    entropy = F.cross_entropy(strong.flatten(0, 1), wanted.flatten(), reduction="none")
    return (entropy * (sure.flatten() >= SURE)).mean()


def clustering(x: Tensor, weak: Tensor, strong: Tensor) -> Tensor:
    """Return the loss on all pairs of snippets: of one class if their features are alike."""
    flat = x.detach().flatten(0, 1)
    flat = flat / flat.norm(dim=1, keepdim=True)
    target = torch.where(flat @ flat.t() > ALIKE, 1.0, -1.0).flatten()
    n = len(flat)
    first = weak.flatten(0, 1).softmax(-1).repeat_interleave(n, 0)  # every pair as two rows, as they list them
    second = strong.flatten(0, 1).softmax(-1).repeat(n, 1)
    same = (first * second).sum(1)
    return -(torch.where(target > 0, same, 1 - same) + 1e-7).log().mean()


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainUmil]
