"""CLIP's image tower, ViT-B/16 or B/32, on the middle frame of a snippet: 512-d features; works offline.

Legend: ``s`` snippets, ``f`` frames, ``h w`` height, width.

Paper: Radford et al., Learning Transferable Visual Models from Natural Language Supervision, ICML 2021.
The network is timm's; the feature is the projected embedding, not normalised.

Weight files: OpenAI's .pt (a TorchScript archive in float16, of which only the tensors are read), open_clip's
(names ``visual.*`` or ``visual.trunk.*``), and timm's own names. OpenAI's weights were trained with x *
sigmoid(1.702 x) instead of GELU; the wrong one changes features by 1.5 percent. A file does not record which
one it needs, so set ``activation: gelu`` for open_clip's LAION weights.

Preprocessing is CLIP's: short side 224 bicubic, centre crop 224, CLIP's mean and deviation. (timm's own
transform for these weights resizes to 248.) The middle frame is number ceil(f / 2), counted from 1: of
16 frames the 8th, 0-based 7.

Deviation: the seed paper states that its CLIP was trained on Kinetics; CLIP was trained on images with text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from vadkit import Backbone, PublicWeights, hookimpl
from vadkit.backbones import (
    FrameBatch,
    Frozen,
    Order,
    Precision,
    Snippets,
    State,
    View,
    check_names,
    fill,
    randomise,
    read_weights,
)

SIDE, DIM = 224, 512
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
PATCHES = {"b16": 16, "b32": 32}
ACTIVATIONS = {"quickgelu": "quickgelu_", "gelu": ""}
# Parts of timm's names, and OpenAI's names for them.
PARTS = (
    ("blocks.", "transformer.resblocks."),
    ("patch_embed.proj", "conv1"),
    ("pos_embed", "positional_embedding"),
    ("cls_token", "class_embedding"),
    ("norm_pre", "ln_pre"),
    ("norm1", "ln_1"),
    ("norm2", "ln_2"),
    ("attn.qkv.", "attn.in_proj_"),
    ("attn.proj", "attn.out_proj"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
)


class ClipVit(Backbone):
    """Describe the middle frame of a snippet by CLIP's image tower: 512 features aligned with text.

    Args:
        weights: weight file; see the top of the file for its forms.
        random_weights: run without a file, with random weights. The features then mean nothing.
        model: ``b16`` or ``b32``, by the side of a patch.
        activation: ``quickgelu`` for OpenAI's weights and those fine-tuned from them, ``gelu`` for
            open_clip's LAION weights.
        crops: which crops of 224 pixels; see ``vadkit.backbones.crops``.
        short_side: pixels of the short side after resizing (bicubic, antialiased). With more than 224,
            crops also differ along the short side.
        precision: fp32, tf32, bf16 or auto; see ``vadkit.backbones.frozen``.
        device: where the network runs.

    In: uint8 (f, h, w, 3) per snippet. Out: (s, 512), or (s, crops, 512) if there are several crops.
    """

    name = "clip_vit"
    modality = "rgb"
    dim = DIM
    paper = "Radford et al., Learning Transferable Visual Models from Natural Language Supervision, ICML 2021"
    fidelity = "code"
    licence = "MIT, as published by OpenAI"
    public_weights = (
        PublicWeights(
            "ViT-B-16.pt",
            "openai/CLIP on GitHub, clip/clip.py",
            licence,
            "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
            {"model": "b16"},
        ),
        PublicWeights(
            "ViT-B-32.pt",
            "openai/CLIP on GitHub, clip/clip.py",
            licence,
            "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
            {"model": "b32"},
        ),
    )
    example = {"random_weights": True, "model": "b32"}

    def __init__(
        self,
        *,
        weights: str | None = None,
        random_weights: bool = False,
        model: Literal["b16", "b32"] = "b16",
        activation: Literal["quickgelu", "gelu"] = "quickgelu",
        crops: Order = "centre",
        short_side: int = SIDE,
        precision: Precision = "fp32",
        device: str = "cpu",
    ) -> None:
        if model not in PATCHES or activation not in ACTIVATIONS:
            raise ValueError(f"model must be b16 or b32, activation quickgelu or gelu, not {model} and {activation}")
        if short_side < SIDE:
            raise ValueError(f"short_side must be at least {SIDE} pixels, not {short_side}")
        if crops == "whole":
            raise ValueError(f"crops must be of {SIDE} pixels: the network cannot take a whole picture")
        self.view = View(short_side, SIDE, crops, "bicubic")
        self.num_crops = self.view.num_crops
        self.model, self.activation = model, activation
        load, layout = partial(load_network, model=model, activation=activation), torch.contiguous_format
        self.frozen = Frozen(self.name, load, weights, random_weights, precision, device, layout=layout)

    def recipe(self) -> dict[str, Any]:
        return {
            **self.frozen.recipe(),
            "network": f"CLIP ViT-{self.model.upper()}",
            "activation": self.activation,
            **self.view.recipe(),
            "normalise": "CLIP",
            "frames": "middle",
        }

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return self.rows(snippets).cpu().numpy()

    def rows(self, snippets: Snippets) -> Tensor:
        """Return the features on the device of the network."""
        return self.view.rows(self.frozen, self._images(snippets))

    def _images(self, snippets: Snippets) -> Iterator[Tensor]:
        """Yield each crop of each snippet's middle frame as the network takes it, (3, 224, 224)."""
        for picture in self.view.pictures(middle_frames(snippets)):
            for _, part in self.view.cut(picture):
                yield normalised(part[0])


def middle_frames(snippets: Snippets) -> Snippets:
    """Return the middle frame alone of each snippet."""
    if isinstance(snippets, FrameBatch):
        return snippets.picked(middle)
    return [frames[middle(len(frames)) : middle(len(frames)) + 1] for frames in snippets]


def middle(count: int) -> int:
    """Return the position of the middle one of that many frames."""
    return (count + 1) // 2 - 1


def normalised(x: Tensor) -> Tensor:
    """Map grey levels (3, h, w) to what CLIP was trained on."""
    mean, deviation = _statistics(x.device)
    return (x.float() / 255 - mean) / deviation


@cache
def _statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return mean and deviation (3, 1, 1); kept, because sending them to a device waits for it."""
    mean, deviation = (torch.tensor(values).view(3, 1, 1).to(device) for values in (MEAN, DEVIATION))
    return mean, deviation


# -- weights ---------------------------------------------------------------------------------------
def load_network(weights: str | None, model: str, activation: str) -> nn.Module:
    """Return the network with the weights of a file, or random ones."""
    if weights is not None:
        return load_state(read_weights(weights), weights, model, activation)
    return randomise(_empty(model, activation))


def _empty(model: str, activation: str) -> nn.Module:
    import timm

    name = f"vit_base_patch{PATCHES[model]}_clip_{ACTIVATIONS[activation]}224"
    with torch.device("meta"):
        return timm.create_model(name, pretrained=False, num_classes=DIM)


def load_state(state: State, path: str, model: str, activation: str) -> nn.Module:
    """Return the network with the weights of a file. Raises VadkitError if they do not fit."""
    network = _empty(model, activation)
    sizes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if name != "head.bias"}
    if "visual.class_embedding" in state:
        wanted = {openai_name(name): _openai_size(name, size) for name, size in sizes.items()}
    elif any(name.startswith("visual.trunk.") for name in state):
        wanted = {_trunk_name(name): size for name, size in sizes.items()}
    else:
        wanted = sizes
    unused = () if wanted is sizes else (*_text_parts(state), "visual.head.proj.bias")
    check_names(state, wanted, path, f"CLIP ViT-{model.upper()}", (*unused, "head.bias"), _hint(state))
    weights = {ours: _ours(ours, state[theirs], size) for (ours, size), theirs in zip(sizes.items(), wanted)}
    return fill(network, {**weights, "head.bias": state.get("head.bias", torch.zeros(DIM))})


def openai_name(ours: str) -> str:
    """Return OpenAI's name of a tensor of timm's."""
    if ours == "head.weight":
        return "visual.proj"
    theirs = ours
    for part, other in PARTS:
        theirs = theirs.replace(part, other)
    return "visual." + re.sub(r"^norm\.", "ln_post.", theirs)


def _trunk_name(ours: str) -> str:
    return "visual.head.proj.weight" if ours == "head.weight" else f"visual.trunk.{ours}"


def _openai_size(ours: str, size: tuple[int, ...]) -> tuple[int, ...]:
    if ours == "head.weight":
        return size[::-1]
    return {"cls_token": size[2:], "pos_embed": size[1:]}.get(ours, size)


def _ours(name: str, tensor: Tensor, size: tuple[int, ...]) -> Tensor:
    projection = name == "head.weight" and tuple(tensor.shape) != size
    return (tensor.T if projection else tensor).reshape(size).contiguous()


def _text_parts(state: State) -> tuple[str, ...]:
    """Return the names of all tensors outside the image tower."""
    return tuple(name for name in state if not name.startswith("visual."))


def _hint(state: State) -> str:
    for name in ("visual.conv1.weight", "visual.trunk.patch_embed.proj.weight", "patch_embed.proj.weight"):
        found = [model for model, side in PATCHES.items() if name in state and state[name].shape[-1] == side]
        if found:
            return f"its patches have {PATCHES[found[0]]} pixels: set model: {found[0]}"
    return "expected the tensor names of OpenAI's CLIP, open_clip or timm"


@hookimpl
def vadkit_components() -> list[type]:
    return [ClipVit]
