"""Keep the text vectors of classes away from that of the normal class.

VadCLIP: Wu et al., AAAI 2024 (L_cts).

Legend: n classes, c channels.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision


class TextDispersion(Loss):
    """Average the absolute cosines of the first row, the normal class, with the other rows.

    The other rows may be as alike as they want. With one row it is 0.

    Args:
        dim: width of a row.
        rows: number of rows.
    """

    name = "text_dispersion"
    inputs = {"x": "rows dim"}
    example = {"dim": 8, "rows": 3}
    paper = "Wu et al., VadCLIP, AAAI 2024"
    fidelity = "code"

    def __init__(self, *, dim: int, rows: int) -> None:
        super().__init__()
        self.dim, self.rows = dim, rows

    def forward(self, x: Tensor) -> Tensor:
        """Take text vectors (n, c); return the loss."""
        unit = F.normalize(full_precision(x), dim=-1)
        return (unit[1:] @ unit[0]).abs().sum() / max(1, self.rows - 1)


@hookimpl
def vadkit_components() -> list[type]:
    return [TextDispersion]
