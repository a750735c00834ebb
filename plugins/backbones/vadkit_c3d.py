"""C3D: the 4096-d features (fc6) of Sultani et al. and of the systems that followed them.

Legend: ``s`` snippets, ``f`` frames, ``b`` clips (crops of snippets), ``c`` channels, ``t h w`` time, height, width.

Paper: Tran et al., Learning Spatiotemporal Features with 3D Convolutional Networks, ICCV 2015, and the authors' Caffe
network for Sports-1M. Eight 3x3x3 convolutions, five max pools, and the first linear layer. The feature is taken after
its ReLU: most of its numbers are 0, as in the published files. It is not scaled here, because Sultani et al. scale
the mean of a segment, not the clips in it: see ``unit_rows``.

Input: frames are resized to 128 x 171 whatever their aspect, crops of 112 are cut, and the channels are blue,
green, red. Caffe subtracts a mean clip, which is public as ``train01_16_128_171_mean.npy``: ``mean`` takes it.
Without that file, the mean of each channel is subtracted.

Weight files, distinguished by their names, are conversions of the Caffe network:
- DavideA/c3d-pytorch (``conv1.weight``, ``fc6.weight``);
- jfzhang95/pytorch-video-recognition (``features.0.weight``, ``classifier.0.weight``);
- mmaction2 (``conv1a.conv.weight``, ``fc6.weight``).

Deviations:
- Frames are resized with antialiasing, Caffe's are not: see ``vadkit.backbones.crops``.
- A clip of fewer than 16 frames is filled up with its last frame. Of a longer one, the feature is the mean over the
  steps in time of the last pool; Caffe's takes 16 frames only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vadkit import Backbone, PublicWeights, fail, hookimpl
from vadkit.backbones import (
    Frozen,
    Precision,
    Snippets,
    State,
    View,
    at_least,
    check_names,
    fill,
    randomise,
    read_weights,
    sha256,
)

DIM = 4096
FRAMES, HEIGHT, WIDTH, CROP = 16, 128, 171, 112
SIDE = 4  # of the last pool's map
WIDTHS = (64, 128, 256, 256, 512, 512, 512, 512)
LAYERS = ("conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b")
POOLED = ("conv1a", "conv2a", "conv3b", "conv4b")  # layers with a pool after them; the last has its own
# What is subtracted, and whether the channels are exchanged before.
SUBTRACT = {
    "caffe": (True, (90.0, 98.0, 102.0)),
    "mmaction2": (False, (104.0, 117.0, 128.0)),
    "raw": (False, (0.0, 0.0, 0.0)),
}
Normalise = Literal["caffe", "mmaction2", "raw"]
LastPool = Literal["caffe", "padded"]
Crops = Literal["centre", "five", "five_ur_dmu", "ten", "ten_ur_dmu"]


class C3d(Backbone):
    """Describe the action in a snippet by C3D: 4096 features learned on Sports-1M.

    Args:
        weights: weight file; see the top of the file for the three forms.
        random_weights: run without a file, with random weights. The features then mean nothing.
        mean: .npy file with the mean clip (3, 16, 128, 171), channels as in Caffe: blue, green, red.
        normalise: ``caffe``: blue, green, red, minus the mean; ``mmaction2``: red, green, blue minus 104, 117, 128;
            ``raw``: red, green, blue as they are, as the example of c3d-pytorch does.
        last_pool: ``caffe``: windows begin at the edge, as in the network that was trained; ``padded``: one
            row and one column outside of each edge, as in PyTorch conversions. Their features differ.
        crops: which crops; see ``vadkit.backbones.crops``.
        precision: fp32, tf32, bf16 or auto; see ``vadkit.backbones.frozen``.
        device: where the network runs.

    In: uint8 (f, h, w, 3) per snippet. Out: (s, 4096), or (s, crops, 4096) if there are several crops.
    """

    name = "c3d"
    modality = "rgb"
    dim = DIM
    paper = "Tran et al., Learning Spatiotemporal Features with 3D Convolutional Networks, ICCV 2015"
    fidelity = "code"
    licence = "none stated for the trained network; that of each conversion is stated with its file"
    public_weights = (
        PublicWeights("c3d.pickle", "DavideA/c3d-pytorch on GitHub, link in its README", "MIT, as its code"),
        PublicWeights("ucf101-caffe.pth", "jfzhang95/pytorch-video-recognition on GitHub", "none stated"),
        PublicWeights(
            "c3d_sports1m_pretrain_20201016-dcc47ddc.pth",
            "open-mmlab/mmaction2 on GitHub, configs of C3D",
            "Apache-2.0, as its code",
            "dcc47ddc",
            {"normalise": "mmaction2", "last_pool": "padded"},
        ),
    )
    example = {"random_weights": True}

    def __init__(
        self,
        *,
        weights: str | None = None,
        random_weights: bool = False,
        mean: str | None = None,
        normalise: Normalise = "caffe",
        last_pool: LastPool = "caffe",
        crops: Crops = "centre",
        precision: Precision = "fp32",
        device: str = "cpu",
    ) -> None:
        for given, value, known in (
            ("normalise", normalise, Normalise),
            ("last_pool", last_pool, LastPool),
            ("crops", crops, Crops),
        ):
            if value not in get_args(known):
                raise ValueError(f"{given} must be one of {', '.join(get_args(known))}, not '{value}'")
        if mean is not None and normalise != "caffe":
            raise ValueError(f"normalise: {normalise} has a mean of its own; leave out the file {mean}")
        self.view = View(HEIGHT, CROP, crops, size=(HEIGHT, WIDTH))
        self.num_crops = self.view.num_crops
        self.mean, self.normalise, self.last_pool = mean, normalise, last_pool
        self._mean: Tensor | None = None  # read when it is first needed
        load = partial(load_network, padded=last_pool == "padded")
        self.frozen = Frozen(self.name, load, weights, random_weights, precision, device)

    def recipe(self) -> dict[str, Any]:
        return {
            **self.frozen.recipe(),
            "network": "C3D, fc6 after ReLU",
            "last_pool": self.last_pool,
            **self.view.recipe(),
            "normalise": self.normalise,
            **({} if self.mean is None else {"mean": sha256(self.mean)}),
        }

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return self.rows(snippets).cpu().numpy()

    def rows(self, snippets: Snippets) -> Tensor:
        """Return the features on the device of the network."""
        return self.view.rows(self.frozen, self._clips(snippets))

    def _clips(self, snippets: Snippets) -> Iterator[Tensor]:
        """Yield each crop of each snippet as the network takes it, (3, f, 112, 112), f at least 16."""
        for pictures in self.view.pictures(snippets):
            clip = rearrange(at_least(FRAMES, pictures), "f c h w -> c f h w")
            for _, part in self.view.cut(self._centred(clip.float())):
                yield part

    def _centred(self, clip: Tensor) -> Tensor:
        """Subtract the mean from whole pictures (3, f, h, w), so that crops and mirrored ones lose the same.

        Caffe subtracts the part of the mean clip that is under the crop, which is the same.
        """
        exchanged, levels = SUBTRACT[self.normalise]
        clip = clip.flip(0) if exchanged else clip
        if self.mean is None:  # numbers, not a tensor: to send one, the host would wait
            return torch.stack([channel - level for channel, level in zip(clip, levels)])
        if self._mean is None:
            self._mean = read_mean(self.mean)
        self._mean = self._mean.to(clip.device)  # sent once
        return clip - self._mean[:, torch.arange(clip.shape[1], device=clip.device) % FRAMES]


def read_mean(path: str) -> Tensor:
    """Return the mean clip of a .npy file, (3, 16, 128, 171). Raises VadkitError if it holds none."""
    shape, hint = (3, FRAMES, HEIGHT, WIDTH), "it is public as train01_16_128_171_mean.npy"
    try:
        mean = np.load(Path(path), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        fail(f"the mean clip {path} cannot be read as .npy", hint)
    if not isinstance(mean, np.ndarray) or mean.dtype.kind not in "fiu" or mean.shape != shape:
        found = "x".join(map(str, getattr(mean, "shape", ()))) or "no array"
        fail(f"the mean clip {path} is {found}, not {'x'.join(map(str, shape))} numbers", hint)
    if not np.isfinite(mean).all():
        fail(f"the mean clip {path} holds numbers that are not finite", hint)
    return torch.from_numpy(mean.astype(np.float32))


# -- the network -----------------------------------------------------------------------------------
class C3dNetwork(nn.Module):
    """From clips (b, 3, f, 112, 112) to features (b, dim), none below 0."""

    def __init__(self, padded: bool = False, widths: Sequence[int] = WIDTHS, dim: int = DIM) -> None:
        super().__init__()
        width = 3
        for layer, out in zip(LAYERS, widths):
            self.add_module(layer, nn.Conv3d(width, out, 3, padding=1))
            width = out
        self.fc6 = nn.Linear(width * SIDE**2, dim)
        self.edge = (0, 1, 1) if padded else 0

    def forward(self, x: Tensor) -> Tensor:
        for layer in LAYERS:
            x = F.relu_(self.get_submodule(layer)(x))
            if layer in POOLED:
                x = F.max_pool3d(x, (1, 2, 2) if layer == "conv1a" else 2, ceil_mode=True)
        # Of 7 rows, Caffe's last window has one.
        x = F.max_pool3d(x, 2, padding=self.edge, ceil_mode=True)
        return F.relu(self.fc6(rearrange(x, "b c t h w -> b t (c h w)"))).mean(1)


# -- weights ---------------------------------------------------------------------------------------
CONVERSIONS = {
    "DavideA/c3d-pytorch": ("conv1", "conv2", *LAYERS[2:], "fc6"),
    "jfzhang95/pytorch-video-recognition": (*[f"features.{n}" for n in (0, 3, 6, 8, 11, 13, 16, 18)], "classifier.0"),
    "mmaction2": (*[f"{layer}.conv" for layer in LAYERS], "fc6"),
}
UNUSED = ("fc7.", "fc8.", "classifier.3.", "classifier.6.")


def load_network(weights: str | None, padded: bool = False) -> nn.Module:
    """Return the network with the weights of a file, or random ones."""
    with torch.device("meta"):
        network = C3dNetwork(padded)
    if weights is None:
        return randomise(network)
    return fill(network, translated(read_weights(weights), network, weights))


def translated(state: State, network: nn.Module, path: str) -> State:
    """Return the network's weights from those of a file of any form. Raises VadkitError if it does not fit."""
    forms = ({(ours, part): f"{name}.{part}" for ours, name, part in _parts(names)} for names in CONVERSIONS.values())
    form = max(forms, key=lambda form: sum(name in state for name in form.values()))
    own = network.state_dict()
    wanted = {name: own[".".join(ours)].shape for ours, name in form.items()}
    hint = f"expected the tensor names of {', '.join(CONVERSIONS)}"
    check_names(state, wanted, path, "C3D", UNUSED, hint)
    return {".".join(ours): state[name] for ours, name in form.items()}


def _parts(names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for ours, name in zip((*LAYERS, "fc6"), names):
        yield from ((ours, name, part) for part in ("weight", "bias"))


@hookimpl
def vadkit_components() -> list[type]:
    return [C3d]
