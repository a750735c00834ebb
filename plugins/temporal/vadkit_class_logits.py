"""Class logits: what kind of event a snippet shows, by linear layers.

Legend: b bags x crops, t snippets, c channels, n classes.
"""

from __future__ import annotations

from torch import Tensor, nn

from vadkit import Temporal, hookimpl
from vadkit.layers import Activation, Dropout, Init, initialise, nonlinearity


class ClassLogits(Temporal):
    """Return a logit for each class of each snippet, by linear layers with an activation and dropout between them.

    For ``class_bag_loss`` and ``class_score``, where the first class is normal.

    Args:
        in_dim: width of the snippets.
        num_classes: logits of a snippet; null means ``in_dim``.
        hidden: widths of the hidden layers; null means none.
        activation: after every hidden layer.
        dropout: after every activation.
        init: "xavier" or "torch".
    """

    name = "class_logits"
    inputs = {"x": "b t in_dim"}
    outputs = {"x": "b t num_classes"}
    example = {"in_dim": 8, "num_classes": 3, "hidden": [4]}
    lookback = 0

    def __init__(
        self,
        *,
        in_dim: int,
        num_classes: int | None = None,
        hidden: list[int] | None = None,
        activation: Activation = "relu",
        dropout: float = 0.0,
        init: Init = "xavier",
    ) -> None:
        super().__init__()
        self.in_dim, self.num_classes = in_dim, in_dim if num_classes is None else num_classes
        widths = [in_dim, *(hidden or []), self.num_classes]
        if min(widths) < 1:
            raise ValueError(f"num_classes and hidden widths must be at least 1, not {num_classes} and {hidden}")
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.activation, self.dropout = nonlinearity(activation), Dropout(dropout)
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Take x (b, t, c); return logits (b, t, n)."""
        for layer in self.layers[:-1]:
            x = self.dropout(self.activation(layer(x)))
        logits: Tensor = self.layers[-1](x)
        return logits


@hookimpl
def vadkit_components() -> list[type]:
    return [ClassLogits]
