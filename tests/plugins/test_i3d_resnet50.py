"""I3D ResNet-50 against a slow formula with its batch norms and softmax in place, with and without non-local blocks.

Legend: b clips, c channels, t h w time, height, width.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from vadkit_i3d_resnet50 import I3dResnet50, InflatedResnet50, folded_state, load_network

from vadkit.backbones.crops import resize_short_side
from vadkit.problems import VadkitError
from vadkit.testing import check_component

GENERATOR = torch.Generator().manual_seed(4)
PLAN = [(64, "333", 1), (128, "3131", 2), (256, "313131", 2), (512, "131", 2)]


def file_of(non_local):
    """Return random weights as the file has them."""
    state = {}

    def conv(name, o, i, k, norm, bias=False):
        size = k if isinstance(k, tuple) else (k, k, k)
        state[f"{name}.weight"] = torch.randn(o, i, *size, generator=GENERATOR) * (2 / (i * np.prod(size))) ** 0.5
        if bias:
            state[f"{name}.bias"] = torch.randn(o, generator=GENERATOR) * 0.1
        if norm:
            for part, low in (("weight", 0.5), ("bias", -0.2), ("running_mean", -0.2), ("running_var", 0.5)):
                state[f"{norm}.{part}"] = torch.rand(o, generator=GENERATOR) * 0.4 + low
            state[f"{norm}.num_batches_tracked"] = torch.tensor(0)

    conv("conv1", 64, 3, (5, 7, 7), "bn1")
    width = 64
    for n, (inner, reach, _) in enumerate(PLAN, 1):
        for i, k in enumerate(reach):
            block = f"layer{n}.{i}"
            conv(f"{block}.conv1", inner, width, (int(k), 1, 1), f"{block}.bn1")
            conv(f"{block}.conv2", inner, inner, (1, 3, 3), f"{block}.bn2")
            conv(f"{block}.conv3", 4 * inner, inner, 1, f"{block}.bn3")
            if i == 0:
                conv(f"{block}.downsample.0", 4 * inner, width, 1, f"{block}.downsample.1")
            width = 4 * inner
            if non_local and n in (2, 3) and i % 2:
                for part in ("theta", "phi", "g"):
                    conv(f"{block}.nl.{part}", width // 2, width, 1, None, True)
                conv(f"{block}.nl.out", width, width // 2, 1, f"{block}.nl.bn", True)
    return {**state, "fc.weight": torch.zeros(400, 2048), "fc.bias": torch.zeros(400)}


def slow(x, state):
    w = {name: tensor.double() for name, tensor in state.items()}

    def conv(x, name, stride=1):
        weight = w[f"{name}.weight"]
        return F.conv3d(x, weight, w.get(f"{name}.bias"), stride, [k // 2 for k in weight.shape[2:]])

    def norm(x, name):
        return F.batch_norm(
            x, w[f"{name}.running_mean"], w[f"{name}.running_var"], w[f"{name}.weight"], w[f"{name}.bias"], eps=1e-5
        )

    def non_local(x, name):
        less = F.max_pool3d(x, (1, 2, 2))
        query, key, value = (conv(a, f"{name}.{p}").flatten(2) for a, p in ((x, "theta"), (less, "phi"), (less, "g")))
        share = torch.softmax(torch.einsum("bct,bcs->bts", query, key) * query.shape[1] ** -0.5, -1)
        seen = torch.einsum("bts,bcs->bct", share, value).unflatten(2, x.shape[2:])
        return x + norm(conv(seen, f"{name}.out"), f"{name}.bn")

    x = F.max_pool3d(norm(conv(x.double(), "conv1", 2), "bn1").relu(), (2, 3, 3), 2)
    for n, (_, reach, stride) in enumerate(PLAN, 1):
        for i in range(len(reach)):
            block, step = f"layer{n}.{i}", (1, stride, stride) if i == 0 else 1
            y = norm(conv(x, f"{block}.conv1"), f"{block}.bn1").relu()
            y = norm(conv(y, f"{block}.conv2", step), f"{block}.bn2").relu()
            y = norm(conv(y, f"{block}.conv3"), f"{block}.bn3")
            if i == 0:
                x = norm(conv(x, f"{block}.downsample.0", step), f"{block}.downsample.1")
            x = (x + y).relu()
            if f"{block}.nl.out.weight" in w:
                x = non_local(x, f"{block}.nl")
        x = F.max_pool3d(x, (2, 1, 1), (2, 1, 1)) if n == 1 else x
    return x.mean((2, 3, 4))


def empty(non_local):
    with torch.device("meta"):
        return InflatedResnet50(non_local)


@pytest.mark.parametrize("non_local", [False, True])
@pytest.mark.parametrize("size", [(9, 41, 50), (24, 32, 33)])
def test_the_network(non_local, size):
    state, x = file_of(non_local), torch.randn(1, 3, *size, generator=GENERATOR)
    network = empty(non_local)
    network.load_state_dict(folded_state(state, network, "FILE"), assign=True)
    with torch.no_grad():
        found = network.eval()(x)
    wanted = slow(x, state)
    assert wanted.std() > 0.1
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-4 * wanted.abs().max().item())


def test_a_file_with_or_without_non_local_blocks_is_told():
    with pytest.raises(VadkitError, match=r"(?s)without non-local blocks .*: 60 unknown .*set non_local: true"):
        folded_state({n: t for n, t in file_of(True).items() if not n.endswith("tracked")}, empty(False), "FILE")
    with pytest.raises(VadkitError, match=r"(?s)with non-local blocks .*missing.*set non_local: false"):
        folded_state(file_of(False), empty(True), "FILE")
    with pytest.raises(VadkitError, match="expected the tensor names of Tushar-N"):
        folded_state({"Conv3d_1a_7x7.conv3d.weight": torch.zeros(1)}, empty(False), "FILE")


FRAMES = np.random.default_rng(0).integers(0, 256, (16, 36, 54, 3), dtype=np.uint8)


def test_its_own_scale_and_crops():
    backbone = I3dResnet50(random_weights=True, short_side=32, crops="five")
    clips = list(backbone._clips([FRAMES]))
    x = resize_short_side(FRAMES, 32)[..., 4:32, 20:48]
    torch.testing.assert_close(clips[3], ((x.float() - 114.75) / 57.375).transpose(0, 1))
    x = backbone.extract([FRAMES])
    assert x.shape == (1, 5, 2048)
    with torch.no_grad():
        wanted = load_network(None, False)(torch.stack(clips))
    np.testing.assert_allclose(x[0], wanted.numpy(), rtol=1e-4, atol=1e-5 * x.max())


@pytest.mark.parametrize("frames", [1, 2, 3, 17])
def test_any_number_of_frames(frames):
    video = np.concatenate([FRAMES, FRAMES])[:frames]
    x = I3dResnet50(random_weights=True, non_local=True, short_side=32).extract([video])
    assert x.shape == (1, 2048) and np.isfinite(x).all()


def test_it_refuses_without_weights():
    with pytest.raises(VadkitError, match="'i3d_resnet50' has no weights"):
        I3dResnet50().recipe()
    with pytest.raises(ValueError, match="at least 32"):
        I3dResnet50(short_side=20)
    assert I3dResnet50(random_weights=True).recipe()["pretrained"] is False


def test_contract():
    check_component(I3dResnet50, non_local=True)
