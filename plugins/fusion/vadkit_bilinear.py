"""Bilinear pooling: every channel of one stream meets every channel of the other, snippet by snippet.

Kim et al., "Hadamard Product for Low-rank Bilinear Pooling", ICLR 2017; the signed square root and the L2 norm are
those of Lin, RoyChowdhury, Maji, "Bilinear CNN Models for Fine-grained Visual Recognition", ICCV 2015.

Legend: b bags x crops, t snippets, c channels, r rank.
"""

from __future__ import annotations

from torch import Tensor, nn

from vadkit import Fusion, hookimpl
from vadkit.layers import Activation, initialise, nonlinearity

SMALL = 1e-6  # under a square root, whose slope would be infinite at 0


class Bilinear(Fusion):
    """Return bilinear forms of the streams: z_k = sum over i, j of W_kij x_i y_j, where W is of low rank.

    z = P (U x * V y), with the product taken channel by channel; three streams give a trilinear form.

    Args:
        dims: widths of the streams.
        dim: width of the result; null means the first stream's.
        rank: rank of W, the width of U x; null means ``dim``.
        activation: after U x and V y; the form is then bilinear in what it returns.
        root: replace z by sign(z) sqrt(|z|).
        unit: divide each snippet by its L2 norm.
    """

    name = "bilinear"
    example = {"dims": [4, 3], "dim": 4}
    paper = "Kim et al., Hadamard Product for Low-rank Bilinear Pooling, ICLR 2017"
    fidelity = "paper"
    lookback = 0

    def __init__(
        self,
        *,
        dims: list[int],
        dim: int | None = None,
        rank: int | None = None,
        activation: Activation = "none",
        root: bool = False,
        unit: bool = False,
    ) -> None:
        super().__init__()
        if any(size is not None and size < 1 for size in (dim, rank)):
            raise ValueError(f"dim and rank must be at least 1, or null, not {dim} and {rank}")
        self.dims, self.dim, self.root, self.unit = list(dims), dim or dims[0], root, unit
        width = rank or self.dim
        self.factors = nn.ModuleList(nn.Linear(size, width, bias=False) for size in dims)
        self.out = nn.Linear(width, self.dim, bias=False)
        self.activation = nonlinearity(activation)
        initialise(self)

    def forward(self, x: list[Tensor]) -> Tensor:
        """Take streams (b, t, c_i); return (b, t, dim)."""
        product = self.activation(self.factors[0](x[0]))  # (b, t, r)
        for factor, stream in zip(self.factors[1:], x[1:]):
            product = product * self.activation(factor(stream))
        z: Tensor = self.out(product)
        if self.root:
            z = z * (z.abs() + SMALL).rsqrt()
        return z * (z.square().sum(-1, keepdim=True) + SMALL).rsqrt() if self.unit else z


@hookimpl
def vadkit_components() -> list[type]:
    return [Bilinear]
