"""The second stage of CUPL (CU-Net) as its authors test it: snippet by snippet, the memory averaged again for each.

Zhang et al., "Exploiting Completeness and Uncertainty of Pseudo Labels for Weakly Supervised Video Anomaly Detection",
CVPR 2023. They published the network and its test. Training is ours (cross entropy with the targets, all snippets in
one batch), and so is the whole first stage, of which there is nothing to restate.

Legend: b rows, t snippets, c channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vadkit import Restatement, hookimpl


class PlainCupl(Restatement):
    """A snippet and the mean of those before it, two outputs under a softmax.

    Args:
        win_size: snippets of the memory.
        dropout_rate: after both hidden layers.
    """

    graphs: ClassVar[dict[str, dict[str, Any]]] = {"cupl_classifier_ucf": {"win_size": 5, "dropout_rate": 0.8}}

    def __init__(self, *, win_size: int, dropout_rate: float) -> None:
        super().__init__()
        self.window = win_size
        hidden = [nn.Linear(4096, 512), nn.ReLU(), nn.Dropout(dropout_rate), nn.Linear(512, 32)]
        self.Regressor = nn.Sequential(*hidden, nn.Dropout(dropout_rate), nn.Linear(32, 2))

    def forward(self, rgb: Tensor) -> Tensor:
        """Take rgb (b, t, c); return scores (b, t)."""
        scores = []
        for i in range(rgb.shape[1]):
            pair = torch.cat([rgb[:, i], self.memory(rgb, i)], -1)
            scores.append(self.Regressor(pair).softmax(-1)[:, 1])
        return torch.stack(scores, 1)

    def memory(self, rgb: Tensor, i: int) -> Tensor:
        """Return the mean of the snippets before number i (b, c)."""
        return rgb[:, max(0, i - self.window) : i].mean(1) if i else rgb[:, 0]

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the cross entropy with the targets, by their weights."""
        rgb = batch["rgb"]
        memory = torch.stack([self.memory(rgb, i) for i in range(rgb.shape[1])], 1)
        scores = self.Regressor(torch.cat([rgb, memory], -1)).softmax(-1)[..., 1]
        wanted = batch["targets"] * batch["labels"].float()[:, None]
        weight = batch.get("target_weight")
        weight = torch.ones_like(scores) if weight is None else weight
        entropy = -wanted * (scores + 1e-8).log() - (1 - wanted) * (1 - scores + 1e-8).log()
        return (entropy * weight).sum() / weight.sum()


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainCupl]
