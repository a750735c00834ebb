"""HL-Net+ (Wu, Liu, Liu, TMM 2023) as far as it is HL-Net, and its fine task, in loops over snippets."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_models import sigmoid, values

import vadkit

SMALL = [
    *("inputs.rgb=b t 5", "inputs.audio=b t 3", "inputs.flow=b t 4", "nodes.wide.args.dim=8"),
    *("nodes.reduced.args.dim=6", "nodes.online_1.args.dim=4", "nodes.online_2.args.dim=4"),
    *("nodes.similar.args.dim=4", "nodes.near.args.dim=4", "nodes.alike.args.dim=4"),
]
T = 5
LENGTHS = (5, 3)  # real snippets of the two bags


@pytest.fixture(scope="module")
def model():
    return vadkit.build("hl_net_plus_xd_rgb_audio_flow", set=SMALL, seed=0).double().eval()


@pytest.fixture(scope="module")
def batch():
    draw = torch.Generator().manual_seed(1)
    widths = {"rgb": 5, "audio": 3, "flow": 4}
    streams = {name: torch.rand(2, T, c, dtype=torch.float64, generator=draw) for name, c in widths.items()}
    mask = torch.arange(T) < torch.tensor(LENGTHS)[:, None]
    classes = torch.tensor([[0, 0, 1, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0, 0]], dtype=torch.float64)
    return {**streams, "mask": mask, "labels": torch.tensor([1.0, 0.0]), "class_set": classes, "crops": 1}


def softmax(row):
    total = sum(map(math.exp, row))
    return [math.exp(x) / total for x in row]


def similarity(features):
    size = [math.hypot(*row) for row in features]
    cosine = [[float(f @ g) / (size[i] * size[j]) for j, g in enumerate(features)] for i, f in enumerate(features)]
    return [softmax([c if c > 0.7 else 0.0 for c in row]) for row in cosine]


def proximity(t):
    return [[math.exp(-abs(i - j) / math.e) for j in range(t)] for i in range(t)]


def closeness(scores):
    return [softmax([sigmoid((1 - abs(p - q) - 0.5) / 0.1) for q in scores]) for p in scores]


def convolved(model, node, x, graph):
    """Return x (t, c) after two graph convolutions with a residual, the first through a convolution over 5 snippets."""
    w = {name: p.numpy() for name, p in dict(model.named_children())[node].state_dict().items()}
    t = len(x)
    for layer in range(2):
        value = [w[f"layers.{layer}.linear.weight"] @ row for row in x]
        out = []
        for i in range(t):
            residual = x[i]
            if layer == 0:
                kernel = w["layers.0.residual.weight"]  # (out, in, 5)
                near = [(k, i + k - 2) for k in range(5) if 0 <= i + k - 2 < t]
                residual = w["layers.0.residual.bias"] + sum(kernel[:, :, k] @ x[j] for k, j in near)
            out.append(np.maximum(0.0, sum(graph[i][j] * value[j] for j in range(t)) + residual))
        x = np.array(out)
    return x


@pytest.mark.formula("hl_net_plus", "features", "similarity branch", "proximity branch", "score branch")
def test_the_three_branches(model, batch):
    reduced, online, *found = values(model, batch, "reduced", "online", "similar", "near", "alike")
    joined = np.concatenate([batch[name].numpy() for name in ("rgb", "audio", "flow")], -1)
    scores = [sigmoid(x) for x in online[0]]
    graphs = {"similar": similarity(joined[0]), "near": proximity(T), "alike": closeness(scores)}
    for (node, graph), branch in zip(graphs.items(), found):
        np.testing.assert_allclose(branch[0], convolved(model, node, reduced[0], graph), atol=1e-12, err_msg=node)


@pytest.mark.formula("hl_net_plus", "coarse task", "fine task", "head of the fine task", "online branch")
def test_the_losses(model, batch):
    joined, score, online, logits = values(model, batch, "joined", "score", "online", "fine_logits")
    w = {name: p.numpy() for name, p in dict(model.named_children())["fine_logits"].state_dict().items()}
    wanted = dict.fromkeys(("mil", "online_mil", "distillation", "fine"), 0.0)
    for bag, t in enumerate(LENGTHS):  # t // 16 + 1 is 1: the highest counts
        for name, x in (("mil", score), ("online_mil", online)):
            p = sigmoid(max(x[bag, :t]))
            wanted[name] -= math.log(p if batch["labels"][bag] else 1 - p) / 2
        for i in range(t):
            wanted["distillation"] -= sigmoid(score[bag, i]) * math.log(sigmoid(online[bag, i])) / t / 2
            by_hand = w["layers.0.weight"] @ joined[bag, i] + w["layers.0.bias"]
            np.testing.assert_allclose(logits[bag, i], by_hand, atol=1e-12)
        shares = softmax([max(logits[bag, :t, k]) for k in range(7)])
        own = [k for k in range(7) if batch["class_set"][bag, k]]
        wanted["fine"] -= sum(math.log(shares[k]) for k in own) / len(own) / 2
    with torch.no_grad():
        found = model.loss(batch)
    for name, value in wanted.items():
        assert float(found[name]) == pytest.approx(value, abs=1e-12), name
    total = wanted["mil"] + wanted["online_mil"] + 5 * wanted["distillation"] + wanted["fine"]
    assert float(found["total"]) == pytest.approx(total, abs=1e-12)
