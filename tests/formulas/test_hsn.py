"""HSN: what its abstract states, against loops in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from two_stage_by_hand import Weights, attended, cross_entropy, drawn, linear, normed, scored, sigmoid, weights_of

import vadkit

STREAMS = {"scene": "rgb", "human": "human"}
DILATION = 2


def convolved(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    weight, bias = weights[f"{name}.conv.weight"], weights[f"{name}.conv.bias"]
    rows = np.tile(bias, (len(x), 1))
    for i in range(len(x)):
        for tap in range(3):
            j = i + (tap - 1) * DILATION
            if 0 <= j < len(x):
                rows[i] += weight[:, :, tap] @ x[j]
    return np.maximum(rows, 0)


def attention(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """Return one pre-norm layer of four heads, after sine and cosine positions."""
    width = x.shape[1]
    for i in range(len(x)):
        for c in range(width):
            angle = i / 10000 ** (c // 2 / (width / 2))
            x[i, c] += math.cos(angle) if c % 2 else math.sin(angle)
    layer = f"{name}.layers.0"
    q, k, v = np.split(linear(weights, f"{layer}.qkv", normed(weights, f"{layer}.attn_norm", x)), 3, axis=1)
    x = x + linear(weights, f"{layer}.out", attended(q, k, v, 4))
    hidden = linear(weights, f"{layer}.ff_in", normed(weights, f"{layer}.ff_norm", x))
    hidden = np.vectorize(lambda value: value * (1 + math.erf(value / math.sqrt(2))) / 2)(hidden)
    return x + linear(weights, f"{layer}.ff_out", hidden)


@pytest.mark.formula("hsn", "dissociation")
def test_each_stream_is_scored_by_itself() -> None:
    sets = ["inputs.rgb=b t 5", "inputs.human=b t 3"]
    sets += [f"nodes.{name}_conv.args.dim=8" for name in STREAMS]
    model, streams = vadkit.build("hsn_ucf", set=sets, seed=0), drawn(6, 1, rgb=5, human=3)
    weights, logits = weights_of(model), []
    for (name, stream), head in zip(STREAMS.items(), ("scene", "person")):
        x = attention(weights, f"{name}_attention", convolved(weights, f"{name}_conv", streams[stream]))
        for layer in (0, 1):
            x = np.maximum(linear(weights, f"{head}.layers.{layer}", x), 0)
        logits.append(linear(weights, f"{head}.layers.2", x)[:, 0])
    np.testing.assert_allclose(scored(model, streams), sigmoid(sum(logits) / 2), rtol=1e-6)


@pytest.mark.formula("hsn", "labels on the fly", "threshold", "cross entropy")
@pytest.mark.parametrize("spread", [1.0, 0.0])
def test_labels_come_from_the_current_scores(spread: float) -> None:
    sets = ["inputs.rgb=b t 5", "inputs.human=b t 3", f"losses.rectified.args.spread={spread}"]
    loss = vadkit.build("hsn_ucf", set=sets, seed=0).losses["rectified"]
    rng, lengths = np.random.default_rng(4), (9, 9, 5, 9)
    labels = [1, 0, 1, 1]
    s = rng.uniform(0.1, 0.9, (4, 9))
    s[3] = 0.4  # no score is above the others: all are the highest
    mask = np.arange(9) < np.array(lengths)[:, None]
    own = np.zeros_like(s)
    for bag, t in enumerate(lengths):
        mean = sum(s[bag, :t]) / t
        deviation = math.sqrt(sum((value - mean) ** 2 for value in s[bag, :t]) / t)
        for i in range(t):
            high = s[bag, i] > mean + spread * deviation or s[bag, i] == max(s[bag, :t])
            own[bag, i] = float(high and labels[bag] == 1)
    scores = torch.from_numpy(s).requires_grad_()
    found = loss(scores, torch.tensor(labels, dtype=torch.float32), torch.from_numpy(mask))
    np.testing.assert_allclose(found.item(), cross_entropy(s[mask], own[mask]), rtol=1e-9)
    found.backward()
    falling = scores.grad.numpy() < 0  # only what is labelled abnormal is pulled up
    np.testing.assert_array_equal(falling, own == 1)
