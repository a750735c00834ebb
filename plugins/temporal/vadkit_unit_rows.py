"""Scale every snippet to length 1.

Sultani et al., CVPR 2018, do so after they have averaged the snippets of a segment; LSTC (ICME 2023) at test time.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from vadkit import Temporal, hookimpl


class UnitRows(Temporal):
    """Divide each snippet by its L2 norm; a snippet of zeros stays.

    Args:
        in_dim: width of the snippets, kept.
        in_training: false leaves snippets as they are in training (LSTC, whose training files are scaled already).
    """

    name = "unit_rows"
    inputs = {"x": "b t in_dim"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8}
    paper = "Sultani et al., Real-world Anomaly Detection in Surveillance Videos, CVPR 2018"
    fidelity = "code"
    lookback = 0

    def __init__(self, *, in_dim: int, in_training: bool = True) -> None:
        super().__init__()
        self.dim = self.in_dim = in_dim
        self.in_training = in_training

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        return x if self.training and not self.in_training else F.normalize(x, dim=-1)


@hookimpl
def vadkit_components() -> list[type]:
    return [UnitRows]
