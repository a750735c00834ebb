"""Layer normalisation as a separate node: Stage 2 of the seed paper ends with one.

Ba, Kiros, Hinton, "Layer Normalization", 2016.
"""

from __future__ import annotations

from torch import Tensor, nn

from vadkit import Temporal, hookimpl


class LayerNorm(Temporal):
    """Normalise the channels of every snippet, with a learned scale and shift.

    Args:
        in_dim: width of the snippets, kept.
    """

    name = "layer_norm"
    example = {"in_dim": 8}
    paper = "Ba et al., Layer Normalization, 2016"
    fidelity = "code"
    lookback = 0

    def __init__(self, *, in_dim: int) -> None:
        super().__init__()
        self.dim = self.in_dim = in_dim
        self.norm = nn.LayerNorm(in_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        return self.norm(x)


@hookimpl
def vadkit_components() -> list[type]:
    return [LayerNorm]
