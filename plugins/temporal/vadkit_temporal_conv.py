"""Temporal convolution: every snippet is mixed with its neighbours.

The embedding of UR-DMU (Zhou et al., AAAI 2023) and of the seed paper's Stage 2; with a dilation or
causal, one layer of a temporal convolutional network (TCN; Zhang et al., ICIP 2019).

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from vadkit import Temporal, hookimpl
from vadkit.layers import Activation, Init, clear, initialise, nonlinearity


class TemporalConv(Temporal):
    """Convolve over time with zeros at the ends, then apply an activation. Keeps t.

    Args:
        in_dim: width of the snippets.
        dim: width of the result; null keeps ``in_dim``.
        kernel: snippets that one output depends on; an even kernel covers one more after than before.
        dilation: distance between them.
        causal: use no later snippets.
        activation: after the convolution.
        use_mask: padding counts as zero. Off as in the authors' code, where it leaks into the
            last real snippets.
        init: "xavier" as in the seed authors' code, "torch" as in UR-DMU.
    """

    name = "temporal_conv"
    inputs = {"x": "b t in_dim", "mask?": "b t"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8, "dim": 4}
    paper = "Zhou et al., Dual Memory Units with Uncertainty Regulation, AAAI 2023"
    fidelity = "code"
    mask_switch = "use_mask"
    authors_names = {"conv": "embedding.conv_1.0"}  # UR-DMU's

    def __init__(
        self,
        *,
        in_dim: int,
        dim: int | None = None,
        kernel: int = 3,
        dilation: int = 1,
        causal: bool = False,
        activation: Activation = "relu",
        use_mask: bool = False,
        init: Init = "xavier",
    ) -> None:
        super().__init__()
        if min(kernel, dilation) < 1:
            raise ValueError(f"kernel and dilation must be at least 1, not {kernel} and {dilation}")
        if dim is not None and dim < 1:
            raise ValueError(f"dim must be at least 1, or null for the input's width, not {dim}")
        self.in_dim, self.dim, self.use_mask = in_dim, dim or in_dim, use_mask
        reach = (kernel - 1) * dilation
        self.before = reach if causal else reach // 2
        self.lookback, self.lookahead = self.before, reach - self.before
        self.conv = nn.Conv1d(in_dim, self.dim, kernel, dilation=dilation)
        self.activation = nonlinearity(activation)
        initialise(self, init)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c) and mask (b, t); return (b, t, dim)."""
        x = clear(x, mask if self.use_mask else None)
        return self.activation(self._convolve(x))

    def _convolve(self, x: Tensor) -> Tensor:
        """Return the convolution of x (b, t, c) as one product per tap, each on all bags in a row.

        On a CPU its rounding error is a quarter of conv1d's at the same speed. That matters: a ReLU
        whose input rounds to the other side of 0 changes a gradient by more than parity allows.
        A tap reads the padded bags from another row onwards, so nothing is copied per tap; the rows that
        cross from one bag into the next are computed and not used.
        """
        (b, t, _), kernel, step = x.shape, self.conv.kernel_size[0], self.conv.dilation[0]
        padded = nn.functional.pad(x, (0, 0, self.before, self.lookahead))
        rows = rearrange(padded, "b t c -> (b t) c")
        count = b * (t + self.before + self.lookahead) - step * (kernel - 1)
        taps = self.conv.weight.permute(2, 0, 1).contiguous().unbind()  # each (dim, c)
        result = nn.functional.linear(rows[:count], taps[0], self.conv.bias)
        for number, tap in enumerate(taps[1:], 1):
            result = torch.addmm(result, rows[number * step : number * step + count], tap.T)
        result = nn.functional.pad(result, (0, 0, 0, step * (kernel - 1)))
        return rearrange(result, "(b t) dim -> b t dim", b=b)[:, :t]


@hookimpl
def vadkit_components() -> list[type]:
    return [TemporalConv]
