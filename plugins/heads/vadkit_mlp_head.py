"""Scoring head of fully connected layers, applied to each snippet.

The classifier of UR-DMU (Zhou et al., AAAI 2023: hidden 128) and, with other widths, of most systems.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from vadkit import Head, hookimpl
from vadkit.layers import Activation, Dropout, Init, initialise, nonlinearity


class MlpHead(Head):
    """Score each snippet by linear layers, with an activation and dropout after all but the last.

    Returns a logit. Equal to UR-DMU. With two ``logits``, as in LSTC and CUPL, it is the second number less the first,
    so that its sigmoid is the second of their softmax.

    Args:
        in_dim: width of the snippets.
        hidden: widths of the hidden layers; null means one of 128.
        activation: after every hidden layer, or a list with one for each; several systems have none before the last.
        dropout: after every activation.
        init: "xavier", or "torch" as UR-DMU starts it.
        logits: numbers that the last layer gives: 1, or 2 for [normal, abnormal].
    """

    name = "mlp_head"
    inputs = {"x": "b t in_dim"}
    example = {"in_dim": 8, "hidden": [4]}
    paper = "Zhou et al., Dual Memory Units with Uncertainty Regulation, AAAI 2023"
    fidelity = "code"
    range = "logit"
    lookback = 0
    authors_names = {"layers.0": "cls_head.mlp.0", "layers.1": "cls_head.mlp.2"}

    def __init__(
        self,
        *,
        in_dim: int,
        hidden: list[int] | None = None,
        activation: Activation | list[Activation] = "relu",
        dropout: float = 0.0,
        init: Init = "xavier",
        logits: Literal[1, 2] = 1,
    ) -> None:
        super().__init__()
        widths = [in_dim, *([128] if hidden is None else hidden), logits]
        if min(widths) < 1:
            raise ValueError(f"hidden widths must be at least 1, not {hidden}")
        kinds = [activation] * (len(widths) - 2) if isinstance(activation, str) else activation
        if len(kinds) != len(widths) - 2:
            raise ValueError(f"activation must be one, or one for each of {len(widths) - 2} hidden layers, not {kinds}")
        self.in_dim, self.logits = in_dim, logits
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.activations = nn.ModuleList(map(nonlinearity, kinds))
        self.dropout = Dropout(dropout)
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Take x (b, t, c); return scores (b, t)."""
        for layer, activation in zip(self.layers, self.activations):
            x = self.dropout(activation(layer(x)))
        x = self.layers[-1](x)
        return x[..., 0] if self.logits == 1 else x[..., 1] - x[..., 0]


@hookimpl
def vadkit_components() -> list[type]:
    return [MlpHead]
