"""Multi-scale temporal network: a pyramid of dilated convolutions next to a non-local block.

Tian et al., "Weakly-supervised Video Anomaly Detection with Robust Temporal Feature Magnitude Learning", ICCV 2021,
Section 3.2; CLIP-TSA (Joo et al., ICIP 2023) uses it on 512 channels.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from vadkit import Temporal, hookimpl
from vadkit.layers import Dropout, Init, batch_norm, initialise

SHARE = 4  # every branch has a quarter of the channels, so that four of them are as wide as the input
DILATIONS = (1, 2, 4)


class MultiScaleTemporal(Temporal):
    """Look at neighbours at three distances and at all snippets; join the four views, and add the input.

    With a batch norm N after the ReLU, as in the code, and c' = c / 4 channels in each branch,

        x_i = N(relu(conv(x, dilation 1, 2, 4)))            the pyramid
        z   = relu(W x);   x_4 = z + N(V (theta(z) phi(z)^T g(z) / t))     the non-local block, without a softmax
        y   = dropout(x + N(relu(conv([x_1, x_2, x_3, x_4]))))

    Without a softmax the product is associative: phi^T g is computed first, so that cost and memory grow with t and
    not with its square. The last norm of the block starts at 0, so the block starts as the identity.

    Quirks of the authors that are kept: ReLU comes before the batch norm; batch statistics mix crops and snippets of
    all videos; the dropout is large, and magnitudes in training are those of the dropped-out features. A training
    batch of one snippet has no deviation: it is normalised by the running statistics. Padding takes part.

    Args:
        in_dim: width of the snippets, kept; at least 8.
        dropout: of the result.
        init: "xavier" for all convolutions with biases of 0, as the authors start them, or "torch".
    """

    name = "mtn"
    inputs = {"x": "b t in_dim"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8}
    paper = "Tian et al., RTFM, ICCV 2021"
    fidelity = "code"
    lookahead = "all"
    authors_names = {
        **{f"branches.{i}": f"conv_{i + 1}.0" for i in range(3)},
        **{f"norms.{i}": f"conv_{i + 1}.2" for i in range(3)},
        "narrow": "conv_4.0",
        **{name: f"non_local.{name}" for name in ("theta", "phi", "g")},
        "out": "non_local.W.0",
        "out_norm": "non_local.W.1",
        "join": "conv_5.0",
        "join_norm": "conv_5.2",
    }

    def __init__(self, *, in_dim: int, dropout: float = 0.7, init: Init = "xavier") -> None:
        super().__init__()
        if in_dim < 2 * SHARE:
            raise ValueError(f"in_dim must be at least {2 * SHARE}, not {in_dim}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {dropout}")
        self.in_dim = self.dim = in_dim
        width = in_dim // SHARE
        inner = width // 2
        self.branches = nn.ModuleList(nn.Conv1d(in_dim, width, 3, padding=d, dilation=d) for d in DILATIONS)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in DILATIONS)
        self.narrow = nn.Conv1d(in_dim, width, 1, bias=False)
        self.theta, self.phi, self.g = (nn.Conv1d(width, inner, 1) for _ in range(3))
        self.out, self.out_norm = nn.Conv1d(inner, width, 1), nn.BatchNorm1d(width)
        self.join, self.join_norm = nn.Conv1d(4 * width, in_dim, 3, padding=1, bias=False), nn.BatchNorm1d(in_dim)
        self.dropout = Dropout(dropout)
        initialise(self, init)
        if init == "xavier":
            for layer in self.modules():
                if isinstance(layer, nn.Conv1d) and layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.out_norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        x = rearrange(x, "b t c -> b c t")
        views = [batch_norm(norm, conv(x).relu()) for conv, norm in zip(self.branches, self.norms)]
        views.append(self.non_local(self.narrow(x).relu()))
        y = batch_norm(self.join_norm, self.join(torch.cat(views, 1)).relu())
        return self.dropout(rearrange(x + y, "b c t -> b t c"))

    def non_local(self, x: Tensor) -> Tensor:
        """Return x (b, c', t) plus what every snippet takes from all."""
        theta, phi, g = (layer(x) for layer in (self.theta, self.phi, self.g))  # (b, c'', t)
        read = (g @ phi.transpose(1, 2)) @ theta / x.shape[2]
        return x + batch_norm(self.out_norm, self.out(read))


@hookimpl
def vadkit_components() -> list[type]:
    return [MultiScaleTemporal]
