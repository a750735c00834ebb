"""Sultani et al. as its authors run it: a loop over the videos of a batch builds the ranking loss.

Sultani, Chen, Shah, "Real-world Anomaly Detection in Surveillance Videos", CVPR 2018. Their Keras model unrolls the
loop when it is compiled. The L2 penalty that Keras adds is weight decay in our graph, so it is off here.

Legend: b videos, t segments, c channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Restatement, hookimpl


class PlainSultani(Restatement):
    """Three dense layers per segment.

    Args:
        input_dim: width of the segments.
        unit: scale each segment to length 1, which the authors do when they write their files.
        l2: factor of the squares of the three kernels; theirs is 0.001.
    """

    graphs: ClassVar[dict[str, dict[str, Any]]] = {"sultani_ucf": {"input_dim": 4096, "unit": True, "l2": 0.0}}

    def __init__(self, *, input_dim: int, unit: bool, l2: float) -> None:
        super().__init__()
        self.unit, self.l2 = unit, l2
        self.fc1, self.fc2, self.fc3 = nn.Linear(input_dim, 512), nn.Linear(512, 32), nn.Linear(32, 1)
        self.dropout = nn.Dropout(0.6)

    def forward(self, rgb: Tensor) -> Tensor:
        """Take rgb (b, t, c); return scores (b, t)."""
        x = F.normalize(rgb, dim=-1) if self.unit else rgb
        x = self.dropout(self.fc1(x).relu())
        x = self.dropout(self.fc2(x))
        return torch.sigmoid(self.fc3(x)).squeeze(-1)

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the hinge over all pairs of an abnormal and a normal video, smoothness and sparsity."""
        scores, labels = self(batch["rgb"]), batch["labels"].float()
        highest, sums, changes = [], [], []
        for curve in scores:
            highest.append(curve.max())
            sums.append(curve.sum())
            changes.append((curve[1:] - curve[:-1]).square().sum())
        peaks, abnormal = torch.stack(highest), labels > 0.5
        hinges = [(1 - peaks[abnormal] + peak).clamp_min(0).sum() for peak in peaks[~abnormal]]
        sparse, smooth = torch.stack(sums)[abnormal].sum(), torch.stack(changes)[abnormal].sum()
        squares = sum(layer.weight.square().sum() for layer in (self.fc1, self.fc2, self.fc3)) if self.l2 else 0.0
        return torch.stack(hinges).mean() + 8e-5 * sparse + 8e-5 * smooth + self.l2 * squares


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainSultani]
