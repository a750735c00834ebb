"""I3D ResNet-50: the 2048-d features of RTFM, MGFN and their successors.

Legend: ``s`` snippets, ``f`` frames, ``b`` clips (crops of snippets), ``c`` channels, ``t h w`` time, height, width.

Papers: Wang et al., Non-local Neural Networks, CVPR 2018, for the network; Carreira and Zisserman, CVPR
2017, for inflating it. A ResNet-50 in which the first 1x1 convolutions of some blocks cover 3 frames. The
feature is the mean over the last map, before dropout and classifier. Weight files are those of
Tushar-N/pytorch-resnet3d, which were converted from Facebook's.

The network takes grey levels minus 114.75, divided by 57.375. A popular tool feeds it [-1, 1]
instead, and its features do not match the published ones; so these numbers are constants here, not arguments.

Deviation: batch norms are folded into the convolutions, which changes the last digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vadkit import Backbone, PublicWeights, hookimpl
from vadkit.backbones import (
    Frozen,
    Order,
    Pair,
    Precision,
    Snippets,
    State,
    View,
    at_least,
    fill,
    folded,
    randomise,
    read_weights,
)

SOURCE = "converted from Facebook's .pkl by the script of Tushar-N/pytorch-resnet3d on GitHub"
MEAN, DEVIATION = 114.75, 57.375  # grey levels
EPS = 1e-5
# For each layer: inner channels, spatial stride, and how many frames the first convolution of each block covers.
LAYERS = {
    "layer1": (64, 1, (3, 3, 3)),
    "layer2": (128, 2, (3, 1, 3, 1)),
    "layer3": (256, 2, (3, 1, 3, 1, 3, 1)),
    "layer4": (512, 2, (1, 3, 1)),
}
NON_LOCAL = ("layer2", "layer3")  # layers in which every second block ends in a non-local one


class I3dResnet50(Backbone):
    """Describe the action in a snippet by an inflated ResNet-50: 2048 features learned on Kinetics.

    Args:
        weights: weight file of Tushar-N/pytorch-resnet3d.
        random_weights: run without a file, with random weights. The features then mean nothing.
        non_local: use the network with non-local blocks, which has separate weights.
        short_side: pixels of the short side after resizing (bilinear, antialiased); crops are 7/8 of it,
            224 of 256.
        crops: which crops; see ``vadkit.backbones.crops``. RTFM's features have "ten".
        precision: fp32, tf32, bf16 or auto; see ``vadkit.backbones.frozen``.
        device: where the network runs.

    In: uint8 (f, h, w, 3) per snippet. Out: (s, 2048), or (s, crops, 2048) if there are several crops.
    """

    name = "i3d_resnet50"
    modality = "rgb"
    dim = 2048
    paper = "Wang et al., Non-local Neural Networks, CVPR 2018; Carreira and Zisserman, CVPR 2017"
    fidelity = "code"
    licence = "Apache-2.0, as published by Facebook"
    public_weights = (
        PublicWeights("i3d_r50_kinetics.pth", SOURCE, licence),
        PublicWeights("i3d_r50_nl_kinetics.pth", SOURCE, licence, args={"non_local": True}),
    )
    example = {"random_weights": True, "short_side": 64}

    def __init__(
        self,
        *,
        weights: str | None = None,
        random_weights: bool = False,
        non_local: bool = False,
        short_side: int = 256,
        crops: Order = "centre",
        precision: Precision = "fp32",
        device: str = "cpu",
    ) -> None:
        if short_side < 32:
            raise ValueError(f"short_side must be at least 32 pixels, not {short_side}")
        self.view, self.non_local = View(short_side, short_side * 7 // 8, crops), non_local
        self.num_crops = self.view.num_crops
        load = partial(load_network, non_local=non_local)
        self.frozen = Frozen(self.name, load, weights, random_weights, precision, device)

    def recipe(self) -> dict[str, Any]:
        return {
            **self.frozen.recipe(),
            "network": "I3D ResNet-50",
            "non_local": self.non_local,
            **self.view.recipe(),
            "normalise": f"(x - {MEAN}) / {DEVIATION}",
        }

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return self.rows(snippets).cpu().numpy()

    def rows(self, snippets: Snippets) -> Tensor:
        """Return the features on the device of the network."""
        return self.view.rows(self.frozen, self._clips(snippets))

    def _clips(self, snippets: Snippets) -> Iterator[Tensor]:
        """Yield each crop of each snippet as the network takes it, (3, f, h, w)."""
        for pictures in self.view.pictures(snippets):
            for _, part in self.view.cut(at_least(3, pictures)):  # the first pool needs three
                yield normalised(rearrange(part, "f c h w -> c f h w"))


def normalised(x: Tensor) -> Tensor:
    """Map grey levels 0 to 255 to what the network was trained on, about -2 to 2.44."""
    return (x.float() - MEAN) / DEVIATION


def _conv(in_dim: int, dim: int, kernel: tuple[int, int, int], stride: tuple[int, int, int] = (1, 1, 1)) -> nn.Conv3d:
    """Return a convolution, padded by half its kernel, whose batch norm is folded in."""
    return nn.Conv3d(in_dim, dim, kernel, stride, tuple(k // 2 for k in kernel))


class NonLocal(nn.Module):
    """Attend to all positions (section 3.2, embedded Gaussian): x + out(softmax(theta phi / sqrt(c)) g)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        inner = dim // 2
        self.theta, self.phi, self.g = (nn.Conv3d(dim, inner, 1) for _ in range(3))
        self.out = nn.Conv3d(inner, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        smaller = F.max_pool3d(x, (1, 2, 2))
        parts = (self.theta(x), self.phi(smaller), self.g(smaller))
        query, key, value = (rearrange(part, "b c t h w -> b (t h w) c") for part in parts)
        attended = F.scaled_dot_product_attention(query, key, value)
        _, _, t, h, w = x.shape
        return x + self.out(rearrange(attended, "b (t h w) c -> b c t h w", t=t, h=h, w=w))


class Bottleneck(nn.Module):
    """A residual block: 1x1 over ``frames`` frames, 3x3 in space, 1x1."""

    def __init__(self, in_dim: int, inner: int, stride: int, frames: int, shortcut: bool, non_local: bool) -> None:
        super().__init__()
        self.conv1 = _conv(in_dim, inner, (frames, 1, 1))
        self.conv2 = _conv(inner, inner, (1, 3, 3), (1, stride, stride))
        self.conv3 = _conv(inner, 4 * inner, (1, 1, 1))
        if shortcut:
            self.downsample = _conv(in_dim, 4 * inner, (1, 1, 1), (1, stride, stride))
        if non_local:
            self.nl = NonLocal(4 * inner)
        self.has_shortcut, self.is_non_local = shortcut, non_local

    def forward(self, x: Tensor) -> Tensor:
        residual = self.downsample(x) if self.has_shortcut else x
        x = F.relu_(self.conv2(F.relu_(self.conv1(x))))
        x = F.relu_(self.conv3(x) + residual)
        return self.nl(x) if self.is_non_local else x


class InflatedResnet50(nn.Module):
    """From normalised clips (b, 3, t, h, w) to features (b, 2048)."""

    def __init__(self, non_local: bool) -> None:
        super().__init__()
        self.conv1 = _conv(3, 64, (5, 7, 7), (2, 2, 2))
        width = 64
        for layer, (inner, stride, frames) in LAYERS.items():
            blocks = nn.Sequential()
            for i, reach in enumerate(frames):
                ends_non_local = non_local and layer in NON_LOCAL and i % 2 == 1
                blocks.append(Bottleneck(width, inner, stride if i == 0 else 1, reach, i == 0, ends_non_local))
                width = 4 * inner
            self.add_module(layer, blocks)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool3d(F.relu_(self.conv1(x)), (2, 3, 3), 2)
        x = self.layer1(x)
        if x.shape[2] > 1:  # very short clips would become empty
            x = F.max_pool3d(x, (2, 1, 1), (2, 1, 1))
        x = self.layer4(self.layer3(self.layer2(x)))
        return x.float().mean((2, 3, 4))


# -- weights ---------------------------------------------------------------------------------------
def load_network(weights: str | None, non_local: bool) -> nn.Module:
    """Return the network with the weights of a file, or random ones."""
    with torch.device("meta"):
        network = InflatedResnet50(non_local)
    if weights is None:
        return randomise(network)
    return fill(network, folded_state(read_weights(weights), network, weights))


def folded_state(state: State, network: nn.Module, path: str) -> State:
    """Return the network's weights from those of a file. Raises VadkitError if it does not fit."""
    names = [name.removesuffix(".bias") for name in network.state_dict() if name.endswith(".bias")]
    pairs = [_names(name) for name in names]
    expected, found = any(".nl." in name for name in names), any(".nl." in name for name in state)
    hint = f"it is the network {'with' if found else 'without'} non-local blocks: set non_local: {str(found).lower()}"
    return folded(
        state,
        pairs,
        network,
        EPS,
        path,
        f"I3D ResNet-50 {'with' if expected else 'without'} non-local blocks",
        unused=("fc.",),
        hint=hint if expected != found else "expected the tensor names of Tushar-N/pytorch-resnet3d",
    )


def _names(ours: str) -> Pair:
    """Return our name of a convolution, its name in the file, and the name of its norm there."""
    outer, _, last = ours.rpartition(".")
    dot = "." if outer else ""
    if last == "downsample":
        return ours, f"{ours}.0", f"{ours}.1"
    if outer.endswith(".nl"):
        return ours, ours, f"{outer}.bn" if last == "out" else None
    return ours, ours, f"{outer}{dot}{last.replace('conv', 'bn')}"


@hookimpl
def vadkit_components() -> list[type]:
    return [I3dResnet50]
