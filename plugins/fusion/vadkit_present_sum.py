"""Sum of the streams that are there, scaled up for those that are not.

Legend: b bags x crops, t snippets, c channels, n streams of the graph, m streams that are fused.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vadkit import Fusion, hookimpl
from vadkit.layers import initialise, presence_columns, presence_of


class PresentSum(Fusion):
    """Project the streams and add up those that are there: m / sum(p) * sum(p_i (P_i x_i)) + b.

    With all of them there it is a linear layer on their concatenation. With fewer, the sum keeps its size, as dropout
    does; with none, what is left is b.

    Args:
        dims: widths of the streams.
        dim: width of the result; null means the first stream's.
        streams: the graph's inputs, which the columns of ``presence`` are.
        of: for each x, the input that it is computed from; null, or a null in its place, counts as always there.
        scale: keep the size of the sum. Off, absent streams simply add nothing.
    """

    name = "present_sum"
    inputs = {"*x": "b t dims", "presence": "b t num_streams"}
    example = {"dims": [4, 3]}
    fidelity = "ours"
    lookback = 0

    def __init__(
        self,
        *,
        dims: list[int],
        dim: int | None = None,
        streams: list[str] | None = None,
        of: list[str | None] | None = None,
        scale: bool = True,
    ) -> None:
        super().__init__()
        if dim is not None and dim < 1:
            raise ValueError(f"dim must be at least 1, or null for the first stream's width, not {dim}")
        self.dims, self.dim, self.scale = list(dims), dim or dims[0], scale
        self.num_streams = len(streams or [""])
        self.columns = presence_columns(streams, of, len(dims))
        self.project = nn.ModuleList(nn.Linear(size, self.dim, bias=False) for size in dims)
        self.bias = nn.Parameter(torch.zeros(self.dim))
        initialise(self)

    def forward(self, x: list[Tensor], presence: Tensor) -> Tensor:
        """Take streams (b, t, c_i) and presence (b, t, n); return (b, t, dim)."""
        there = presence_of(presence, self.columns).to(x[0].dtype)
        total = torch.zeros_like(x[0][..., :1])
        for stream, project, share in zip(x, self.project, there.unbind(-1)):
            total = total + share[..., None] * project(stream)
        if self.scale:
            total = total * (len(x) / there.sum(-1, keepdim=True).clamp(min=1))
        return total + self.bias


@hookimpl
def vadkit_components() -> list[type]:
    return [PresentSum]
