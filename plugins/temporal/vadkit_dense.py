"""Dense layer: one fully connected layer per snippet (a convolution of kernel 1), with an optional skip connection.

The small block between the large ones of every system; with a skip, Eq. 5 of the seed paper.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vadkit import Temporal, hookimpl
from vadkit.layers import Activation, Dropout, Init, initialise, nonlinearity


class Dense(Temporal):
    """Apply a linear layer, an activation and dropout; a skip connection may join before the activation or at the end.

    Args:
        in_dim: width of the snippets.
        skip_dim: width of the skip, where one is wired.
        dim: width of the layer; null keeps ``in_dim``.
        activation: after the layer.
        dropout: after the activation.
        merge: what is done with a wired skip. "add_before_activation" is the seed authors' code and
            needs equal widths; "concat_after" is Eq. 5 as printed, and widens the output by the
            skip; "none" ignores it.
        init: "xavier" as in the seed authors' code, or "torch".
    """

    name = "dense"
    inputs = {"x": "b t in_dim", "skip?": "b t skip_dim"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8, "dim": 4, "skip_dim": 4}
    paper = "Eq. 3 and 5 of the seed paper (IEEE OJCS 2024)"
    fidelity = "code"
    lookback = 0
    # X_CNN and Stage 3 in the seed authors' code. Theirs are convolutions: weights (o, i, 1), here (o, i).
    authors_names = {"linear": ("conv1", "linear1", "linear2")}

    def __init__(
        self,
        *,
        in_dim: int,
        skip_dim: int | None = None,
        dim: int | None = None,
        activation: Activation = "relu",
        dropout: float = 0.0,
        merge: Literal["add_before_activation", "concat_after", "none"] = "add_before_activation",
        init: Init = "xavier",
    ) -> None:
        super().__init__()
        if dim is not None and dim < 1:
            raise ValueError(f"dim must be at least 1, or null for the input's width, not {dim}")
        width = dim or in_dim
        if merge == "add_before_activation" and skip_dim not in (None, width):
            raise ValueError(
                f"a skip of width {skip_dim} cannot be added to {width} channels; "
                f"set dim to {skip_dim}, or merge to concat_after or none"
            )
        self.in_dim, self.skip_dim, self.merge = in_dim, skip_dim, merge
        self.dim = width + (skip_dim or 0) if merge == "concat_after" else width
        self.linear = nn.Linear(in_dim, width)
        self.activation = nonlinearity(activation)
        self.dropout = Dropout(dropout)
        initialise(self, init)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """Take x (b, t, c) and skip (b, t, c'); return (b, t, dim)."""
        x = self.linear(x)
        if skip is not None and self.merge == "add_before_activation":
            x = x + skip
        x = self.dropout(self.activation(x))
        if skip is not None and self.merge == "concat_after":
            x = torch.cat([x, skip], dim=-1)
        return x


@hookimpl
def vadkit_components() -> list[type]:
    return [Dense]
