"""Cross entropy of scores with a target for each snippet, such as the pseudo labels of an earlier round.

The two forms of Sun and Gong, "Long-Short Temporal Co-Teaching for Weakly Supervised Video Anomaly Detection" (LSTC),
ICME 2023; the first, without its factors, also serves CUPL (Zhang et al., CVPR 2023).

Legend: b bags x crops, t snippets, r snippets of a part, p parts of a bag, v videos.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, part_means, to_rows


class TargetLoss(Loss):
    """Cross entropy of the score of each part of ``run`` snippets with the mean of its targets.

    Score and target y of a part are means over its snippets, and so is its weight. "binary" is - abnormal * y log s -
    normal * (1 - y) log(1 - s); "twice" is a quirk of the authors that is kept: cross entropy with the softmax of the
    probabilities [1 - s, s], so that softmax acts twice. The targets of normal videos are taken as 0. Averaged over
    parts by their weights; all weights 0 give 0.

    Args:
        run: snippets of a part.
        form: of the cross entropy.
        normal, abnormal: factors of its two terms, "binary" only (0.2 and 2 in the authors' code).
        eps: added to the arguments of the logarithms, "binary" only.
    """

    name = "target_loss"
    inputs = {"scores": "b t", "targets": "b t", "labels": "v", "target_weight?": "b t"}
    paper = "Sun and Gong, Long-Short Temporal Co-Teaching, ICME 2023"
    fidelity = "code"
    needs = {"scores": "probability"}

    def __init__(
        self,
        *,
        run: int = 1,
        form: Literal["binary", "twice"] = "binary",
        normal: float = 1.0,
        abnormal: float = 1.0,
        eps: float = 1e-8,
    ) -> None:
        super().__init__()
        if run < 1 or min(normal, abnormal) < 0 or eps <= 0:
            raise ValueError(f"run must be at least 1, factors at least 0 and eps above 0, not {run}, {normal}, {eps}")
        self.run, self.form, self.normal, self.abnormal, self.eps = run, form, normal, abnormal, eps

    def forward(self, scores: Tensor, targets: Tensor, labels: Tensor, target_weight: Tensor | None = None) -> Tensor:
        """Take scores, targets and weights (b, t) and labels (v); return the loss."""
        scores = full_precision(scores)
        abnormal = to_rows(labels, scores.shape[0])[:, None].to(scores.dtype)
        weight = torch.ones_like(scores) if target_weight is None else target_weight.to(scores.dtype)
        s, y, w = (part_means(x, self.run) for x in (scores, targets.to(scores.dtype) * abnormal, weight))
        return (self._entropy(s, y) * w).sum() / w.sum().clamp_min(1e-8)

    def _entropy(self, s: Tensor, y: Tensor) -> Tensor:
        if self.form == "twice":
            logs = torch.stack([1 - s, s], dim=-1).log_softmax(-1)
            return -((1 - y) * logs[..., 0] + y * logs[..., 1])
        return -self.abnormal * y * (s + self.eps).log() - self.normal * (1 - y) * (1 - s + self.eps).log()


@hookimpl
def vadkit_components() -> list[type]:
    return [TargetLoss]
