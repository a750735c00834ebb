"""Sum of scores: streams that were scored each by itself add their logits."""

from __future__ import annotations

from torch import Tensor

from vadkit import Head, hookimpl


class ScoreSum(Head):
    """Add the logits of several heads, snippet by snippet, as MACIL-SD does.

    Heads that share weights add their bias once each, as in the authors' code.

    Args:
        average: divide by the number of heads, as Zhong et al. (CVPR 2019) do.
    """

    name = "score_sum"
    inputs = {"*x": "b t"}
    paper = "Yu et al., Modality-Aware Contrastive Instance Learning with Self-Distillation, ACM MM 2022"
    fidelity = "official"
    range = "logit"
    lookback = 0

    def __init__(self, *, average: bool = False) -> None:
        super().__init__()
        self.average = average

    def forward(self, x: list[Tensor]) -> Tensor:
        """Take logits (b, t) of each head; return their sum (b, t)."""
        total = x[0]
        for scores in x[1:]:
            total = total + scores
        return total / len(x) if self.average else total


@hookimpl
def vadkit_components() -> list[type]:
    return [ScoreSum]
