"""C3D against a slow formula: convolutions as 27 shifted products and pools as loops over windows, in float64.

Legend: f frames, c o channels, t h w time, height, width.
"""

from __future__ import annotations

import math
import zipfile

import numpy as np
import pytest
import torch
from vadkit_c3d import CONVERSIONS, LAYERS, POOLED, C3d, C3dNetwork, load_network, translated

from vadkit.backbones import FrameBatch
from vadkit.backbones.crops import resize_to
from vadkit.problems import VadkitError
from vadkit.testing import check_component

WIDTHS, DIM = (4, 5, 6, 6, 7, 7, 8, 8), 9
FRAMES = np.random.default_rng(0).integers(0, 256, (16, 36, 54, 3), dtype=np.uint8)
GENERATOR = torch.Generator().manual_seed(5)


def convolved(x, weight, bias):
    c, t, h, w = x.shape
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (1, 1)])
    result = np.zeros((len(weight), t, h, w)) + bias[:, None, None, None]
    for i, j, k in np.ndindex(3, 3, 3):
        result += np.tensordot(weight[:, :, i, j, k], padded[:, i : i + t, j : j + h, k : k + w], 1)
    return np.maximum(result, 0)


def pooled(x, sizes, first=(0, 0, 0)):
    """Take (c, t, h, w): windows of ``sizes`` side by side, the first of which begins at ``-first``."""
    counts = [math.ceil((n + f) / k) for n, k, f in zip(x.shape[1:], sizes, first)]
    result = np.zeros((len(x), *counts))
    for place in np.ndindex(*counts):
        window = [slice(max(0, p * k - f), (p + 1) * k - f) for p, k, f in zip(place, sizes, first)]
        result[:, *place] = x[:, *window].max((1, 2, 3))
    return result


def slow(x, state, padded):
    w = {name: tensor.double().numpy() for name, tensor in state.items()}
    x = x.double().numpy()
    for layer in LAYERS:
        x = convolved(x, w[f"{layer}.weight"], w[f"{layer}.bias"])
        if layer in POOLED:
            x = pooled(x, (1, 2, 2) if layer == "conv1a" else (2, 2, 2))
    x = pooled(x, (2, 2, 2), (0, 1, 1) if padded else (0, 0, 0))
    steps = [np.maximum(w["fc6.weight"] @ x[:, t].ravel() + w["fc6.bias"], 0) for t in range(x.shape[1])]
    return np.mean(steps, 0)


def small(padded):
    network = C3dNetwork(padded, WIDTHS, DIM).requires_grad_(False)
    for tensor in network.state_dict().values():
        scale = (2 / tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.1
        tensor.copy_(torch.randn(tensor.shape, generator=GENERATOR) * scale)
    return network


@pytest.mark.parametrize("frames", [16, 35])
@pytest.mark.parametrize("padded", [False, True])
def test_the_network(padded, frames):
    network, x = small(padded), torch.randn(3, frames, 112, 112, generator=GENERATOR)
    wanted = slow(x, network.state_dict(), padded)
    assert (wanted > 0).any() and wanted.std() > 0.1
    np.testing.assert_allclose(network(x[None])[0].numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_the_two_forms_of_the_last_pool_differ():
    caffe = small(False)
    padded = C3dNetwork(True, WIDTHS, DIM)
    padded.load_state_dict(caffe.state_dict())
    x = torch.randn(1, 3, 16, 112, 112, generator=GENERATOR)
    with torch.no_grad():
        assert (caffe(x) - padded(x)).norm() > 0.1 * caffe(x).norm()


# -- weights ---------------------------------------------------------------------------------------
def file_of(form, network):
    """Return the weights of a network as a file of this form has them, with its classifier."""
    own = network.state_dict()
    names = dict(zip((*LAYERS, "fc6"), CONVERSIONS[form]))
    state = {f"{theirs}.{part}": own[f"{ours}.{part}"] for ours, theirs in names.items() for part in ("weight", "bias")}
    unused = "classifier.3" if form.startswith("jfzhang95") else "fc7"
    return {**state, f"{unused}.weight": torch.zeros(2, 2), f"{unused}.bias": torch.zeros(2)}


@pytest.mark.parametrize("form", CONVERSIONS)
def test_the_names_of_each_public_file(form):
    network = small(False)
    found = translated(file_of(form, network), network, "FILE")
    assert found.keys() == network.state_dict().keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in network.state_dict().items())


def test_a_file_that_does_not_fit():
    network = small(False)
    state = file_of("mmaction2", network)
    del state["conv4b.conv.bias"]
    with pytest.raises(VadkitError, match=r"(?s)FILE are not those of C3D .*1 missing \(conv4b.conv.bias\)"):
        translated(state, network, "FILE")
    with pytest.raises(VadkitError, match=r"(?s)18 missing.*expected the tensor names of DavideA/c3d-pytorch"):
        translated({"Conv3d_1a_7x7.conv3d.weight": torch.zeros(1)}, network, "FILE")


def test_a_file_of_python_objects_is_not_loaded(tmp_path):
    torch.save({"state_dict": {"conv1.weight": torch.zeros(2)}, "args": GENERATOR.__class__}, tmp_path / "own.pt")
    assert zipfile.is_zipfile(tmp_path / "own.pt")
    with pytest.raises(VadkitError, match="hold Python objects"):
        load_network(str(tmp_path / "own.pt"))


# -- input -----------------------------------------------------------------------------------------
def clips(snippet=FRAMES, **args):
    return torch.stack(list(C3d(random_weights=True, **args)._clips([snippet])))


def resized():
    return resize_to(FRAMES, (128, 171)).float().transpose(0, 1)  # (3, 16, 128, 171)


def test_channels_and_mean():
    x = resized()[..., 8:120, 30:142]
    levels = torch.tensor([90.0, 98.0, 102.0])[:, None, None, None]
    torch.testing.assert_close(clips()[0], x[[2, 1, 0]] - levels)
    torch.testing.assert_close(clips(normalise="raw")[0], x)
    torch.testing.assert_close(
        clips(normalise="mmaction2")[0], x - torch.tensor([104.0, 117.0, 128.0])[:, None, None, None]
    )


def test_a_mean_clip_is_under_the_crop_also_of_the_mirrored_picture(tmp_path):
    mean = np.random.default_rng(1).random((3, 16, 128, 171)) * 200
    np.save(tmp_path / "mean.npy", mean)
    found = clips(mean=str(tmp_path / "mean.npy"), crops="ten")
    centred = resized()[[2, 1, 0]] - torch.from_numpy(mean).float()
    torch.testing.assert_close(found[0], centred[..., :112, :112])
    torch.testing.assert_close(found[5], centred.flip(-1)[..., :112, :112])


def test_the_mean_clip_repeats_in_longer_clips(tmp_path):
    mean = np.random.default_rng(1).random((3, 16, 128, 171)) * 200
    np.save(tmp_path / "mean.npy", mean)
    found = clips(np.concatenate([FRAMES, FRAMES[:5]]), mean=str(tmp_path / "mean.npy"))
    torch.testing.assert_close(found[0][:, 16:], found[0][:, :5])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((3, 16, 112, 112)), "is 3x16x112x112, not 3x16x128x171"),
        (np.full((3, 16, 128, 171), np.nan), "not finite"),
        (np.array([{"a": 1}], dtype=object), "cannot be read as .npy"),
        (b"", "cannot be read as .npy"),
    ],
)
def test_a_wrong_mean_clip(tmp_path, content, message):
    path = tmp_path / "mean.npy"
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
    with pytest.raises(VadkitError, match=message):
        clips(mean=str(path))
    with pytest.raises(VadkitError, match="none.npy cannot be read"):
        clips(mean="none.npy")


def test_short_clips_are_filled_up_with_their_last_frame():
    x = clips(FRAMES[:5])[0]
    assert x.shape == (3, 16, 112, 112)
    assert torch.equal(x[:, 5:], x[:, 4:5].expand(-1, 11, -1, -1))


def test_features_of_crops_and_of_a_batch():
    backbone = C3d(random_weights=True, crops="five")
    backbone.frozen.load = lambda _: small(False)
    x = backbone.extract([FRAMES, FRAMES[:9]])
    assert x.shape == (2, 5, DIM) and x.dtype == np.float32 and x.min() == 0 < x.max()
    batch = FrameBatch(torch.from_numpy(FRAMES), [(0, 16), (0, 9)])
    np.testing.assert_allclose(backbone.rows(batch).numpy(), x, rtol=1e-4, atol=1e-4 * x.max())


def test_what_it_refuses_and_records(tmp_path):
    with pytest.raises(VadkitError, match="'c3d' has no weights"):
        C3d().recipe()
    for args, message in (
        ({"normalise": "unit"}, "normalise must be one of caffe, mmaction2, raw, not 'unit'"),
        ({"crops": "whole"}, "crops must be one of centre"),
        ({"last_pool": "none"}, "last_pool must be one of"),
        ({"mean": "mean.npy", "normalise": "raw"}, "normalise: raw has a mean of its own"),
    ):
        with pytest.raises(ValueError, match=message):
            C3d(**args)
    np.save(tmp_path / "mean.npy", np.zeros((3, 16, 128, 171)))
    choices = [{}, {"normalise": "raw"}, {"last_pool": "padded"}, {"mean": str(tmp_path / "mean.npy")}]
    recipes = [C3d(random_weights=True, **args).recipe() for args in choices]
    assert len({str(recipe) for recipe in recipes}) == 4
    assert recipes[0]["pretrained"] is False and recipes[0]["resize"].startswith("128 x 171, aspect not kept")


def test_contract():
    check_component(C3d)
