"""Grids of patches that know how much they move: a projection, a block of convolution and attention, and a pooling.

MATE: "A Motion-Aware Dynamic Attention and Temporal-Conditioned Convolution Encoder for Efficient Anomaly Detection",
code AIx699/MATE. Its input is one grid of X3D features for a whole video.

Legend: b bags x crops, t steps, p patches of a grid, y and x its sides, c channels, h heads, d head width,
q queries, r bottleneck.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Temporal, hookimpl
from vadkit.layers import Dropout

SMALL = 1e-6
LOOK_BACK = 2  # steps that the motion is measured against
WINDOWS = (2, 4)  # steps over which the convolution's condition is averaged, besides all
SCALE = 0.5  # of what the convolution adds


class MotionGrid(Temporal):
    """Join each patch with its absolute change from the step before, normalise and project; say how much each moves.

    Motion is the length of the difference from the mean of this and the two steps before (zeros before the first), of
    the projected patches, divided by the largest of the grid.

    Args:
        patches: patches of a grid.
        in_dim: width of a patch.
        dim: width of the projection; null keeps ``in_dim``.
    """

    name = "motion_grid"
    inputs = {"x": "b t patches in_dim"}
    outputs = {"x": "b t patches dim", "motion": "b t patches"}
    example = {"patches": 4, "in_dim": 3, "dim": 4}
    paper = "MATE, code AIx699/MATE"
    fidelity = "paper"
    lookback = LOOK_BACK + 1

    def __init__(self, *, patches: int, in_dim: int, dim: int | None = None) -> None:
        super().__init__()
        if dim is not None and dim < 1:
            raise ValueError(f"dim must be at least 1, or null for the input's width, not {dim}")
        self.patches, self.in_dim, self.dim = patches, in_dim, dim or in_dim
        self.norm = nn.LayerNorm(2 * in_dim)
        self.project = _linear(2 * in_dim, self.dim)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Take x (b, t, p, c); return x (b, t, p, dim) and motion (b, t, p)."""
        change = (x - F.pad(x, (0, 0, 0, 0, 1, 0))[:, :-1]).abs()
        change = torch.cat([torch.zeros_like(change[:, :1]), change[:, 1:]], 1)  # the first step has not changed
        x = self.project(self.norm(torch.cat([x, change], -1)))
        t = x.shape[1]
        before = F.pad(x, (0, 0, 0, 0, LOOK_BACK, 0))
        mean = torch.stack([before[:, n : n + t] for n in range(LOOK_BACK + 1)]).mean(0)
        motion = torch.linalg.vector_norm(x - mean, dim=-1)
        return {"x": x, "motion": motion / (motion.amax(-1, keepdim=True) + SMALL)}


class MotionLayer(Temporal):
    """A convolution of each grid under a condition, then linear attention over steps and over patches, then a network.

    Convolution: a bottleneck of 3 x 3, each channel times a weight from the mean patch of the video (over all steps,
    and over windows of 2 and of 4), and back; half of it is added, times a gate that these weights and the mean motion
    open.
    Attention: each step's mean patch attends to those of all steps, and the result is added to its patches, which then
    attend to each other; both with the feature map elu + 1, one set of queries, keys and values, and no residual after.

    Quirks of the authors that are kept: motion scales the queries, which the normalisation of linear attention undoes;
    and the projection after the attention is never used, so it does not exist here.

    Args:
        patches: patches of a grid, row by row; the grid is as near to a square as their number allows.
        dim: width of a patch, kept.
        head_dim: width of a head; it divides ``dim``.
        bottleneck_dim: width inside the convolution.
        dropout: after the convolution and at the end.
    """

    name = "motion_layer"
    inputs = {"x": "b t patches dim", "motion": "b t patches"}
    outputs = {"x": "b t patches dim"}
    example = {"patches": 4, "dim": 8, "bottleneck_dim": 3}
    paper = "MATE, code AIx699/MATE"
    fidelity = "paper"
    lookahead = "all"

    def __init__(
        self, *, patches: int, dim: int, head_dim: int = 4, bottleneck_dim: int = 32, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.side = next(side for side in range(math.isqrt(patches), 0, -1) if patches % side == 0)
        if min(head_dim, bottleneck_dim) < 1 or dim % head_dim:
            raise ValueError(f"heads of width {head_dim} do not divide a width of {dim}, or a width is below 1")
        self.patches, self.dim, self.head_dim = patches, dim, head_dim
        self.squeeze = nn.Conv2d(dim, bottleneck_dim, 3, padding=1)
        self.condition = _linear((1 + len(WINDOWS)) * dim, bottleneck_dim)
        self.widen = nn.Conv2d(bottleneck_dim, dim, 1)
        self.gate = _linear(bottleneck_dim, 1)
        for conv in (self.squeeze, self.widen):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        self.place = nn.Parameter(torch.randn(dim))
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        nn.init.xavier_uniform_(self.qkv.weight)
        self.network = nn.Sequential(nn.LayerNorm(dim), _linear(dim, 4 * dim), nn.GELU(), _linear(4 * dim, dim))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, motion: Tensor) -> Tensor:
        """Take x (b, t, p, c) and motion (b, t, p); return (b, t, p, c)."""
        x = self._convolved(x, motion) + self.place
        steps = x.mean(2)
        x = x + self._attend(steps, motion.mean(2))[:, :, None]
        grids = self._attend(rearrange(x, "b t p c -> (b t) p c"), rearrange(motion, "b t p -> (b t) p"))
        x = rearrange(grids, "(b t) p c -> b t p c", t=x.shape[1])
        return x + self.dropout(self.network(x))

    def _convolved(self, x: Tensor, motion: Tensor) -> Tensor:
        grid = rearrange(x, "b t (y x) c -> (b t) c y x", y=self.side)
        weight = torch.sigmoid(self.condition(torch.cat([mean_over_windows(x.mean(2), w) for w in (1, *WINDOWS)], -1)))
        found = self.squeeze(grid) * weight.repeat_interleave(x.shape[1], 0)[..., None, None]
        found = rearrange(self.widen(found), "(b t) c y x -> b t (y x) c", t=x.shape[1])
        gate = torch.sigmoid(self.gate(weight)[:, None] + motion.mean(2, keepdim=True))  # (b, t, 1)
        return x + SCALE * gate[..., None] * self.dropout(found)

    def _attend(self, x: Tensor, motion: Tensor) -> Tensor:
        """Take tokens (b, n, c) and their motion (b, n); return (b, n, c)."""
        q, k, v = rearrange(self.qkv(x), "b n (three h d) -> three b h n d", three=3, d=self.head_dim)
        q, k = F.elu(q) + 1, F.elu(k) + 1
        q = q * (1 + torch.tanh(motion))[:, None, :, None]
        total = q @ k.sum(2)[..., None]
        return rearrange(q @ (k.transpose(-2, -1) @ v) / (total + SMALL), "b h n d -> b n (h d)")


class MotionPool(Temporal):
    """Describe a video by what a few learned queries find in it; every step gets the same vector.

    The patches of a step are averaged, weighted by their motion; each query then averages the steps, weighted by the
    softmax of their products with it.

    Args:
        patches: patches of a grid.
        in_dim: width of a patch.
        queries: learned vectors (8 in the authors' code); the output is as many times as wide.
    """

    name = "motion_pool"
    inputs = {"x": "b t patches in_dim", "motion": "b t patches"}
    outputs = {"x": "b t dim"}
    example = {"patches": 4, "in_dim": 3, "queries": 2}
    paper = "MATE, code AIx699/MATE"
    fidelity = "paper"
    lookahead = "all"

    def __init__(self, *, patches: int, in_dim: int, queries: int = 1) -> None:
        super().__init__()
        if queries < 1:
            raise ValueError(f"queries must be at least 1, not {queries}")
        self.patches, self.in_dim, self.dim = patches, in_dim, queries * in_dim
        self.query = nn.Parameter(torch.randn(queries, in_dim))

    def forward(self, x: Tensor, motion: Tensor) -> Tensor:
        """Take x (b, t, p, c) and motion (b, t, p); return (b, t, q * c)."""
        weight = motion / (motion.sum(-1, keepdim=True) + SMALL)
        steps = (x * weight[..., None]).sum(2)
        found = (self.query @ steps.transpose(1, 2)).softmax(-1) @ steps  # (b, q, c)
        return found.flatten(1)[:, None].expand(-1, x.shape[1], -1)


def mean_over_windows(steps: Tensor, width: int) -> Tensor:
    """Return the mean (b, c) of the means of all windows of ``width`` steps (b, t, c), or of all if there are fewer."""
    at = torch.arange(steps.shape[1], device=steps.device)
    t = torch.ones_like(at).sum()
    windows = torch.minimum(at + 1, t - at).clamp_max(width)  # those that a step is in
    share = torch.minimum(windows, (t - width + 1).clamp_min(1)).to(steps.dtype)
    return (steps * (share / share.sum())[:, None]).sum(1)


def _linear(in_dim: int, dim: int) -> nn.Linear:
    layer = nn.Linear(in_dim, dim)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


@hookimpl
def vadkit_components() -> list[type]:
    return [MotionGrid, MotionLayer, MotionPool]
