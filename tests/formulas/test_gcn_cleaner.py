"""The label-noise cleaner of Zhong et al.: network, losses and ensemble of its code, against loops in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from two_stage_by_hand import cross_entropy, drawn, linear, scored, sigmoid, weights_of

import vadkit
from vadkit.plugin_manager import load_plugins
from vadkit.rounds import Labels, read_recipe

NARROW = ("inputs.rgb=b t 5", "nodes.wide.args.dim=7", "nodes.reduced.args.dim=6")


def labels_of(name: str) -> Labels:
    found = next(each.labels for each in read_recipe("gcn_cleaner_ucf", (), load_plugins()).rounds if each.name == name)
    assert found is not None
    return found


def branch(graph: np.ndarray, x: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return two convolutions over a graph (t, t), with weights as they are stored, (out, in)."""
    t = len(graph)
    degree = [sum(graph[i]) for i in range(t)]
    edges = np.array([[graph[i, j] / math.sqrt(degree[i] * degree[j]) for j in range(t)] for i in range(t)])
    return np.asarray((edges @ (np.maximum(edges @ (x @ first.T), 0) @ second.T))[:, 0])


@pytest.mark.formula("gcn_cleaner", "embedding", "graphs", "branches")
def test_the_network_is_that_of_the_code() -> None:
    model, streams = vadkit.build("gcn_cleaner_graph_ucf", set=NARROW, seed=0), drawn(6, 0, rgb=5)
    weights, t = weights_of(model), 6
    x = np.maximum(linear(weights, "wide.linear", streams["rgb"]), 0)
    x = np.maximum(linear(weights, "reduced.linear", x), 0)
    near = np.array([[math.exp(-abs(i - j)) for j in range(t)] for i in range(t)])
    products = [[float(x[i] @ x[j]) for j in range(t)] for i in range(t)]
    alike = np.array([[math.exp(product - max(row)) for product in row] for row in products])
    logits = [
        branch(graph, x, weights[f"{name}.first.weight"], weights[f"{name}.second.weight"])
        for name, graph in (("near", near), ("alike", alike))
    ]
    assert weights["near.first.weight"].shape == (32, 6) and weights["near.second.weight"].shape == (1, 32)
    np.testing.assert_allclose(scored(model, streams), sigmoid(sum(logits) / 2), rtol=1e-9)
    whole = vadkit.build("gcn_cleaner_graph_ucf", seed=0)
    assert [tuple(x.shape) for name, x in whole.state_dict().items() if "linear.weight" in name] == [
        (512, 4096),
        (128, 512),
    ]
    assert whole.spec["nodes"]["wide"]["args"]["dropout"] == whole.spec["nodes"]["reduced"]["args"]["dropout"] == 0.6


@pytest.mark.formula("gcn_cleaner", "direct supervision", "indirect supervision")
def test_both_losses_of_a_video() -> None:
    rng, t = np.random.default_rng(1), 20
    s, y, confident = rng.uniform(0.1, 0.9, t), rng.random(t), [2, 3, 17]
    weight = np.isin(np.arange(t), confident).astype(float)
    near = [i for i in range(t) if any(abs(i - j) <= 4 for j in confident)]
    losses = vadkit.build("gcn_cleaner_graph_ucf", set=NARROW, seed=0).losses
    given = [torch.from_numpy(x)[None] for x in (s, y, weight)]
    abnormal, normal = torch.tensor([1.0]), torch.tensor([0.0])
    scores, targets, weights = given
    direct = float(losses["direct"](scores, targets, abnormal, weights))
    np.testing.assert_allclose(direct, cross_entropy(s[confident], y[confident]), rtol=1e-6)
    indirect = float(losses["indirect"](scores, targets, weights, abnormal))
    np.testing.assert_allclose(indirect, sum(abs(s[i] - y[i]) for i in near) / len(near), rtol=1e-12)
    np.testing.assert_allclose(
        float(losses["direct"](scores, targets * 0, normal, weights * 0 + 1)), cross_entropy(s, s * 0), rtol=1e-6
    )
    assert float(losses["indirect"](scores, targets, weights, normal)) == 0


@pytest.mark.formula("gcn_cleaner", "temporal ensemble")
def test_the_ensemble_is_half_of_what_was_and_half_of_what_is() -> None:
    rng, t = np.random.default_rng(2), 12
    begin, later = labels_of("cleaner1"), labels_of("ensemble1_1")
    assert begin.source == "noisy" and later.source == "cleaner1" and labels_of("ensemble1_4").source == "ensemble1_3"
    classified = rng.random((begin.passes, t)).astype(np.float32)
    targets = begin.component(**begin.args).label({"a": classified}, {"a": 1}, {})
    order = sorted(range(t), key=lambda i: float(classified[:, i].var()))
    certain = set(order[: math.ceil(0.3 * t)])
    assert {i for i in range(t) if targets["a"][i, 1] == 1} == certain
    ensemble = [sum(map(float, column)) / begin.passes for column in classified.T]
    for _ in range(4):
        new = rng.random((1, t)).astype(np.float32)
        targets = later.component(**later.args).label({"a": new}, {"a": 1}, targets)
        ensemble = [old if i in certain else 0.5 * old + 0.5 * float(new[0, i]) for i, old in enumerate(ensemble)]
        np.testing.assert_allclose(targets["a"][:, 0], ensemble, atol=1e-6)
        assert {i for i in range(t) if targets["a"][i, 1] == 1} == certain
