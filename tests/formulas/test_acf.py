"""ACF: what the authors' figure states, against loops in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from two_stage_by_hand import cross_entropy, drawn, linear, scored, sigmoid, unit, weights_of

import vadkit
from vadkit.plugin_manager import load_plugins
from vadkit.rounds import read_recipe

NARROW = ("inputs.rgb=b t 6", "inputs.audio=b t 3")
LAYERS = 6


@pytest.mark.formula("acf", "generator")
def test_the_generator_is_an_mlp_of_512_32_and_1() -> None:
    model, streams = vadkit.build("acf_generator_xd", set=NARROW, seed=0), drawn(4, 0, rgb=6, audio=3)
    weights = weights_of(model)
    x = np.concatenate([streams["rgb"], streams["audio"]], axis=1)
    x = linear(weights, "score.layers.1", np.maximum(linear(weights, "score.layers.0", x), 0))
    assert weights["score.layers.0.weight"].shape[0] == 512 and x.shape[1] == 32
    wanted = sigmoid(linear(weights, "score.layers.2", x)[:, 0])
    np.testing.assert_allclose(scored(model, streams), wanted, rtol=1e-10)


@pytest.mark.formula("acf", "self-attention stacks", "fused attention chain", "additive fusion")
def test_stacks_share_their_weights_with_the_chain() -> None:
    sets = (*NARROW, "nodes.picture.args.dim=8", "nodes.sound.args.dim=8")
    model, streams = vadkit.build("acf_fusion_xd", set=sets, seed=0), drawn(5, 1, rgb=6, audio=3)
    weights = weights_of(model)
    picture = linear(weights, "picture.linear", streams["rgb"])
    sound = linear(weights, "sound.linear", streams["audio"])
    for number in range(1, LAYERS + 1):
        picture, sound = (unit(weights, f"sa_{number}", x, x) for x in (picture, sound))
    for number in range(1, LAYERS + 1):
        picture = unit(weights, f"sa_{number}", picture, picture)
        picture = unit(weights, f"fused_{number}", picture, sound)
    wanted = sigmoid(linear(weights, "score.layers.0", sound + picture)[:, 0])
    np.testing.assert_allclose(scored(model, streams), wanted, rtol=1e-9)
    modules = {name.split(".")[0] for name in weights}
    assert modules == {"picture", "sound", "score"} | {
        f"{n}_{i}" for n in ("sa", "fused") for i in range(1, LAYERS + 1)
    }


@pytest.mark.formula("acf", "soft labels", "cross entropy")
def test_soft_labels_are_scores_of_violent_videos_and_0_elsewhere() -> None:
    rng = np.random.default_rng(2)
    labels = next(each.labels for each in read_recipe("acf_xd", (), load_plugins()).rounds if each.labels)
    assert labels.source == "generator" and labels.passes == 1
    scores = {"violent": rng.random((1, 7)).astype(np.float32), "normal": rng.random((1, 7)).astype(np.float32)}
    targets = labels.component(**labels.args).label(scores, {"violent": 1, "normal": 0}, {})
    y = np.stack([targets[name][:, 0] for name in ("violent", "normal")])
    np.testing.assert_array_equal(y, [scores["violent"][0], np.zeros(7)])

    s = rng.uniform(0.1, 0.9, (2, 7))
    loss = vadkit.build("acf_fusion_xd", set=NARROW, seed=0).losses["taught"]
    found = loss(torch.from_numpy(s), torch.from_numpy(y), torch.tensor([1.0, 0.0]))
    np.testing.assert_allclose(float(found), cross_entropy(s, y), rtol=1e-6)
