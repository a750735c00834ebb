"""Temporal convolutional network: residual blocks of causal convolutions whose dilation doubles.

Bai, Kolter, Koltun, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
Modeling", 2018; the fusion of MAVD ("Aligning First, Then Fusing", Knowledge-Based Systems 2025) ends with one.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from vadkit import Temporal, hookimpl
from vadkit.layers import Dropout


class TemporalConvNet(Temporal):
    """Apply blocks of two weight-normalised causal convolutions with a residual; block n looks 2^n snippets apart.

    Each convolution is w = gain * direction / ||direction||, with the norm over all but the output channels, then a
    ReLU and dropout; the sum with the residual passes a ReLU again. Where a block changes the width, a linear layer
    adapts the residual. Equal to MAVD's code. No later snippet is used, so padding at the end changes nothing.

    Args:
        in_dim: width of the snippets.
        dim: width of every block; null keeps ``in_dim``.
        depth: blocks; the result depends on 1 + 2 (kernel - 1) (2^depth - 1) snippets.
        kernel: snippets that one convolution takes.
        dropout: after every ReLU inside a block.
    """

    name = "tcn"
    inputs = {"x": "b t in_dim"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8, "dim": 4, "depth": 2}
    paper = "Bai et al., An Empirical Evaluation of Generic Convolutional and Recurrent Networks, 2018"
    fidelity = "official"
    authors_names = {
        f"blocks.*.conv{n}.{own}": f"tcn.tcn.network.*.conv{n}.{theirs}"
        for n in (1, 2)
        for own, theirs in (("gain", "weight_g"), ("direction", "weight_v"), ("bias", "bias"))
    }

    def __init__(
        self, *, in_dim: int, dim: int | None = None, depth: int = 3, kernel: int = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if min(depth, kernel) < 1:
            raise ValueError(f"depth and kernel must be at least 1, not {depth} and {kernel}")
        if dim is not None and dim < 1:
            raise ValueError(f"dim must be at least 1, or null for the input's width, not {dim}")
        self.in_dim, self.dim = in_dim, dim or in_dim
        self.lookback = 2 * (kernel - 1) * (2**depth - 1)
        widths = [in_dim, *[self.dim] * depth]
        self.blocks = nn.ModuleList(
            TcnBlock(a, b, kernel, 2**n, dropout) for n, (a, b) in enumerate(zip(widths, widths[1:]))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Take x (b, t, c); return (b, t, dim)."""
        for block in self.blocks:
            x = block(x)
        return x


class TcnBlock(nn.Module):
    """Two causal convolutions and a residual."""

    def __init__(self, in_dim: int, dim: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = NormedConv(in_dim, dim, kernel, dilation)
        self.conv2 = NormedConv(dim, dim, kernel, dilation)
        self.adapt = nn.Linear(in_dim, dim) if in_dim != dim else nn.Identity()
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Take x (b, t, c); return (b, t, dim)."""
        hidden = self.dropout(self.conv1(x).relu())
        hidden = self.dropout(self.conv2(hidden).relu())
        return (hidden + self.adapt(x)).relu()


class NormedConv(nn.Module):
    """A causal convolution whose weight has a learned length (gain) and a learned direction."""

    def __init__(self, in_dim: int, dim: int, kernel: int, dilation: int) -> None:
        super().__init__()
        plain = nn.Conv1d(in_dim, dim, kernel)  # for its initial values
        self.kernel, self.dilation = kernel, dilation
        self.direction = nn.Parameter(plain.weight.detach().clone())  # (dim, c, kernel)
        self.gain = nn.Parameter(self._length().detach())  # (dim, 1, 1)
        self.bias = nn.Parameter(plain.bias.detach().clone())  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """Take x (b, t, c); return (b, t, dim). One product over concatenated neighbours, as in temporal_conv."""
        t, before = x.shape[1], (self.kernel - 1) * self.dilation
        padded = nn.functional.pad(x, (0, 0, before, 0))
        seen = torch.cat([padded[:, start : start + t] for start in range(0, before + 1, self.dilation)], dim=-1)
        weight = self.gain * self.direction / self._length()
        return nn.functional.linear(seen, rearrange(weight, "dim c kernel -> dim (kernel c)"), self.bias)

    def _length(self) -> Tensor:
        return self.direction.square().sum((1, 2), keepdim=True).sqrt()


@hookimpl
def vadkit_components() -> list[type]:
    return [TemporalConvNet]
