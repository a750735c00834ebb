"""CUPL's memory, heads and losses in other settings and sizes, against loops over snippets and pairs.

Legend: t snippets, c channels.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from vadkit_causal_memory import CausalMemory
from vadkit_head_diversity import HeadDiversity
from vadkit_several_heads import SeveralHeads

import vadkit
from vadkit.evaluate.score_video import score_video


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("window", [1, 3, 5, 20])
@pytest.mark.parametrize("t", [1, 2, 5, 12])
def test_the_memory_is_the_mean_of_the_rows_before(window, unit, t):
    torch.manual_seed(0)
    x = 5 * torch.randn(2, t, 4)
    found = CausalMemory(in_dim=4, window=window, unit=unit)(x)
    for bag in range(2):
        rows = [row / np.linalg.norm(row) if unit else row for row in x[bag].numpy()]
        np.testing.assert_allclose(found["rows"][bag], rows, atol=1e-6)
        for i in range(t):
            memory = np.mean(rows[max(0, i - window) : i], axis=0) if i else rows[0]
            np.testing.assert_allclose(found["x"][bag, i], memory, atol=1e-5)


def test_a_long_video_keeps_its_precision():
    x = 1e4 + torch.rand(1, 1200, 2)
    found = CausalMemory(in_dim=2)(x)["x"][0, -1].double()
    torch.testing.assert_close(found, x[0, -6:-1].double().mean(0), rtol=1e-7, atol=0)


def test_the_score_is_the_second_of_a_softmax():
    """The whole classifier on a video of two crops: the mean over crops is taken after the softmax."""
    torch.manual_seed(1)
    model = vadkit.build("cupl_classifier_ucf", set=["inputs.rgb=b t 6", "nodes.score.args.hidden=[5, 3]"]).eval()
    x = torch.randn(2, 9, 6)
    found = score_video(model, {"rgb": x})
    layers = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in model.score.layers]
    for i in range(9):
        values = []
        for crop in x.numpy():
            memory = crop[max(0, i - 5) : i].mean(0) if i else crop[0]
            pair = np.concatenate([crop[i], memory])
            hidden = layers[1][0] @ np.maximum(layers[0][0] @ pair + layers[0][1], 0) + layers[1][1]
            both = np.exp(layers[2][0] @ hidden + layers[2][1])
            values.append(both[1] / both.sum())
        assert found[i] == pytest.approx(np.mean(values), abs=1e-6)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_several_heads_average_probabilities(count):
    torch.manual_seed(2)
    module = SeveralHeads(in_dim=6, count=count, hidden=[4, 3]).eval()
    x = torch.randn(2, 5, 6)
    found = module(x)
    each = torch.stack([part(x)[..., 0].sigmoid() for part in module.parts], -1)
    torch.testing.assert_close(found["heads"], each)
    torch.testing.assert_close(found["scores"], each.mean(-1))


@pytest.mark.parametrize("labels", [[0, 1, 1], [1, 1, 1], [0, 0, 0]])
@pytest.mark.parametrize("count", [1, 3])
def test_head_diversity_by_loops(labels, count):
    torch.manual_seed(3)
    heads, mask = torch.rand(3, 7, count), torch.arange(7) < torch.tensor([7, 4, 1])[:, None]
    found = HeadDiversity(count=count, norm=0.1)(heads, torch.tensor(labels).float(), mask)
    alike, apart = [], []
    for row in range(3):
        if not labels[row]:
            continue
        curves = [heads[row, mask[row], head].numpy() for head in range(count)]
        lengths = [np.linalg.norm(curve) for curve in curves]
        pairs = itertools.combinations(range(count), 2)
        cosines = [curves[i] @ curves[j] / lengths[i] / lengths[j] for i, j in pairs]
        alike.append(np.mean(cosines) if cosines else 0.0)
        apart.append(np.mean(np.abs(lengths - np.mean(lengths))))
    wanted = (np.mean(alike) if alike else 0.0, np.mean(apart) if apart else 0.0)
    assert (float(found["alike"]), float(found["length"])) == pytest.approx(wanted, abs=1e-5)
    assert float(found["total"]) == pytest.approx(wanted[0] + 0.1 * wanted[1], abs=1e-5)
