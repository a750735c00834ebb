"""MSAF: what its abstract states, and the fusion that is guessed, against loops in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from two_stage_by_hand import cross_entropy, drawn, linear, scored, sigmoid, weights_of

import vadkit
from vadkit.plugin_manager import load_plugins
from vadkit.rounds import read_recipe

NARROW = ("nodes.first.args.dim=4", "nodes.second.args.dim=4", "nodes.score.args.hidden=[3]")


@pytest.mark.formula("msaf", "refined labels")
@pytest.mark.parametrize("name", ["xd", "ucf", "sht"])
def test_a_network_learns_one_label_for_each_clip(name: str) -> None:
    refiner, fusion = read_recipe(f"msaf_{name}", (), load_plugins()).rounds
    assert refiner.labels is None and fusion.labels is not None and fusion.labels.source == refiner.name
    rng = np.random.default_rng(0)
    scores = {"a": rng.random((1, 6)).astype(np.float32), "n": rng.random((1, 6)).astype(np.float32)}
    targets = fusion.labels.component(**fusion.labels.args).label(scores, {"a": 1, "n": 0}, {})
    assert all(targets[video].shape == (6, 2) and (targets[video][:, 1] == 1).all() for video in scores)

    y, s = np.stack([targets[video][:, 0] for video in scores]), rng.uniform(0.1, 0.9, (2, 6))
    loss = vadkit.build(f"msaf_fusion_{name}", set=NARROW, seed=0).losses["taught"]
    found = float(loss(torch.from_numpy(s), torch.from_numpy(y), torch.tensor([1.0, 0.0])))
    np.testing.assert_allclose(found, cross_entropy(s, y), rtol=1e-6)


@pytest.mark.formula("msaf", "supervise-attention")
def test_one_map_is_used_both_ways() -> None:
    sets = (*NARROW, "inputs.rgb=b t 5", "inputs.audio=b t 3")
    model, streams = vadkit.build("msaf_fusion_xd", set=sets, seed=0), drawn(6, 1, rgb=5, audio=3)
    weights = weights_of(model)
    a, o = linear(weights, "first.linear", streams["rgb"]), linear(weights, "second.linear", streams["audio"])
    q, k = linear(weights, "fused.q", a), linear(weights, "fused.k", o)
    of_a, of_o = linear(weights, "fused.v", a), linear(weights, "fused.v", o)
    power = np.array([[math.exp(float(row @ column) / math.sqrt(4)) for column in k] for row in q])
    total = a + o
    for i in range(6):
        for j in range(6):
            total[i] += power[i, j] / power[i].sum() * of_o[j]
            total[j] += power[i, j] / power[:, j].sum() * of_a[i]
    hidden = np.maximum(linear(weights, "score.layers.0", total), 0)
    wanted = sigmoid(linear(weights, "score.layers.1", hidden)[:, 0])
    np.testing.assert_allclose(scored(model, streams), wanted, rtol=1e-10)
