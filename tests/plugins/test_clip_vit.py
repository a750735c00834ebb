"""CLIP's image tower: its weight files, its preprocessing, its middle frame. Reference cases hold its numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from vadkit_clip_vit import DEVIATION, MEAN, ClipVit, load_state, openai_name

from vadkit.problems import VadkitError

LAYERS = 12


def openai_file(patch=32):
    """Return every tensor of OpenAI's tower at its size, each of a value of its own, in float16."""
    w = 768
    sizes = {
        "class_embedding": (w,),
        "positional_embedding": ((224 // patch) ** 2 + 1, w),
        "proj": (w, 512),
        "conv1.weight": (w, 3, patch, patch),
    }
    for norm in ("ln_pre", "ln_post"):
        sizes |= {f"{norm}.weight": (w,), f"{norm}.bias": (w,)}
    for n in range(LAYERS):
        block = f"transformer.resblocks.{n}"
        sizes |= {
            f"{block}.attn.in_proj_weight": (3 * w, w),
            f"{block}.attn.in_proj_bias": (3 * w,),
            f"{block}.attn.out_proj.weight": (w, w),
            f"{block}.attn.out_proj.bias": (w,),
            f"{block}.mlp.c_fc.weight": (4 * w, w),
            f"{block}.mlp.c_fc.bias": (4 * w,),
            f"{block}.mlp.c_proj.weight": (w, 4 * w),
            f"{block}.mlp.c_proj.bias": (w,),
        }
        sizes |= {f"{block}.ln_{i}.{part}": (w,) for i in (1, 2) for part in ("weight", "bias")}
    state = {
        f"visual.{name}": torch.full(size, i / 256, dtype=torch.float16) for i, (name, size) in enumerate(sizes.items())
    }
    state["visual.proj"][0, 1] = 7  # so that its two axes differ
    return {**state, "logit_scale": torch.tensor(4.6), "ln_final.weight": torch.zeros(512)}


def test_a_file_in_openais_names():
    state = openai_file()
    network = load_state(state, "FILE", "b32", "quickgelu")
    own = network.state_dict()
    assert len(own) == 153
    for name, tensor in own.items():
        if name != "head.bias":
            wanted = state[openai_name(name)].float()
            wanted = wanted.T if name == "head.weight" else wanted
            assert torch.equal(tensor.flatten(), wanted.flatten()), name
    assert not own["head.bias"].any() and own["head.weight"][1, 0] == 7
    assert {t.dtype for t in own.values()} == {torch.float32}


@pytest.mark.parametrize("form", ["timm", "trunk"])
def test_the_other_names_give_the_same_network(form):
    wanted = load_state(openai_file(), "FILE", "b32", "quickgelu").state_dict()
    if form == "timm":
        state = dict(wanted)
    else:
        state = {f"visual.trunk.{n}": t for n, t in wanted.items() if not n.startswith("head")}
        state |= {"visual.head.proj.weight": wanted["head.weight"], "text.token_embedding.weight": torch.zeros(3)}
    found = load_state(state, "FILE", "b32", "quickgelu").state_dict()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_a_file_of_the_other_patch_size_is_told_and_not_stretched():
    with pytest.raises(VadkitError, match=r"(?s)not those of CLIP ViT-B16 .*: 2 of another size.*model: b32"):
        load_state(openai_file(32), "FILE", "b16", "quickgelu")


def test_a_file_of_another_network_is_told():
    with pytest.raises(VadkitError, match="names of OpenAI's CLIP, open_clip or timm"):
        load_state({"features.0.weight": torch.zeros(1)}, "FILE", "b16", "quickgelu")


@pytest.mark.parametrize("activation", ["quickgelu", "gelu"])
def test_the_activation(activation):
    network = load_state(openai_file(), "FILE", "b32", activation)
    x = torch.tensor([-1.0, 0.5, 2.0])
    wanted = x * torch.sigmoid(1.702 * x) if activation == "quickgelu" else nn.functional.gelu(x)
    torch.testing.assert_close(network.blocks[0].mlp.act(x), wanted)


# -- preprocessing ---------------------------------------------------------------------------------
def picture(height, width):
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 19), np.cos(y / 17), np.sin((x + y) / 23)], -1) * 100 + 128
    return waves.astype(np.uint8)


@pytest.mark.parametrize("size", [(240, 320), (300, 228)])
def test_a_picture_is_prepared_as_clip_does_it(size):
    frames = picture(*size)[None]
    image = Image.fromarray(frames[0])
    scale = 224 / min(size)
    small = np.asarray(image.resize((int(size[1] * scale), int(size[0] * scale)), Image.BICUBIC)).astype(float)
    top, left = (round((n - 224) / 2) for n in small.shape[:2])
    wanted = (small[top : top + 224, left : left + 224] / 255 - MEAN) / DEVIATION
    (found,) = ClipVit(random_weights=True)._images([frames])
    assert found.shape == (3, 224, 224)
    one_level = 1 / 255 / min(DEVIATION)
    assert np.abs(found.permute(1, 2, 0).numpy() - wanted).max() <= 1.01 * one_level


@pytest.mark.parametrize(("count", "middle"), [(16, 7), (1, 0), (2, 0), (3, 1), (15, 7)])
def test_the_middle_frame(count, middle):
    frames = np.stack([np.full((224, 224, 3), 3 * i, np.uint8) for i in range(count)])
    (found,) = ClipVit(random_weights=True)._images([frames])
    assert found[0, 0, 0].item() == pytest.approx((3 * middle / 255 - MEAN[0]) / DEVIATION[0], abs=1e-6)


def test_crops_and_recipe():
    backbone = ClipVit(random_weights=True, crops="five", short_side=256)
    assert len(list(backbone._images([picture(300, 400)[None]]))) == 5 == backbone.num_crops
    plain = ClipVit(random_weights=True).recipe()
    for change in ({"crops": "five"}, {"model": "b32"}, {"activation": "gelu"}, {"short_side": 256}):
        assert ClipVit(random_weights=True, **change).recipe() != plain
    assert plain["pretrained"] is False and plain["crop"] == 224


@pytest.mark.parametrize("args", [{"model": "l14"}, {"activation": "relu"}, {"short_side": 112}, {"crops": "whole"}])
def test_wrong_arguments(args):
    with pytest.raises(ValueError):
        ClipVit(random_weights=True, **args)


def test_it_refuses_without_weights():
    with pytest.raises(VadkitError, match="'clip_vit' has no weights"):
        ClipVit().recipe()
