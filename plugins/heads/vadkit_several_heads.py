"""Several scoring heads that look at the same snippets; their mean is the score.

Zhang et al., "Exploiting Completeness and Uncertainty of Pseudo Labels for Weakly Supervised Video Anomaly
Detection" (CUPL), CVPR 2023: the generator of pseudo labels.

Legend: b bags x crops, t snippets, c channels, n heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vadkit import Head, hookimpl
from vadkit.layers import Dropout, Init, initialise


class SeveralHeads(Head):
    """Score each snippet by the mean probability of several heads of fully connected layers.

    ``heads`` are the probabilities of each, for a loss that drives them apart (``head_diversity``).

    Guesses, as the authors published no code of it: a head is linear layers with ReLU and dropout after the first, and
    the score is the mean of the probabilities.

    Args:
        in_dim: width of the snippets.
        count: heads.
        hidden: widths of the hidden layers of each; null means [512, 32].
        dropout: after every hidden layer.
        init: "xavier" or "torch".
    """

    name = "several_heads"
    inputs = {"x": "b t in_dim"}
    outputs = {"scores": "b t", "heads": "b t count"}
    example = {"in_dim": 8, "hidden": [4]}
    paper = "Zhang et al., Exploiting Completeness and Uncertainty of Pseudo Labels, CVPR 2023"
    fidelity = "paper"
    range = "probability"
    lookback = 0

    def __init__(
        self,
        *,
        in_dim: int,
        count: int = 3,
        hidden: list[int] | None = None,
        dropout: float = 0.6,
        init: Init = "xavier",
    ) -> None:
        super().__init__()
        widths = [in_dim, *([512, 32] if hidden is None else hidden), 1]
        if min(count, *widths) < 1:
            raise ValueError(f"count and hidden widths must be at least 1, not {count} and {hidden}")
        self.in_dim, self.count = in_dim, count
        self.parts = nn.ModuleList(_head(widths, dropout) for _ in range(count))
        initialise(self, init)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Take x (b, t, c); return the scores (b, t) and those of each head (b, t, n)."""
        heads = torch.cat([part(x) for part in self.parts], dim=-1).sigmoid()
        return {"scores": heads.mean(-1), "heads": heads}


def _head(widths: list[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number, (a, b) in enumerate(zip(widths, widths[1:])):
        layers.append(nn.Linear(a, b))
        if number < len(widths) - 2:
            layers += [nn.ReLU()] if number == 0 else []
            layers.append(Dropout(dropout))
    return nn.Sequential(*layers)


@hookimpl
def vadkit_components() -> list[type]:
    return [SeveralHeads]
