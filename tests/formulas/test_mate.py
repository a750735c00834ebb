"""The certain blocks of MATE against loops, in float64."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from small_models import drawn
from vadkit_hardest_pair import HardestPair
from vadkit_motion_grid import MotionGrid, MotionLayer, MotionPool

T, SIDE, C, D = 5, 3, 4, 6
P = SIDE * SIDE
Rows = np.ndarray


def numbers(module: torch.nn.Module, name: str) -> Rows:
    found: Rows = module.get_parameter(name).detach().numpy()
    return found


def linear(layer: torch.nn.Module, x: Rows) -> Rows:
    return numbers(layer, "weight") @ x + numbers(layer, "bias")


def normed(layer: torch.nn.Module, x: Rows) -> Rows:
    unit = (x - x.mean()) / np.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
    return unit * numbers(layer, "weight") + numbers(layer, "bias")


def sigmoid(x: Rows | float) -> Rows:
    return np.asarray(1 / (1 + np.exp(-x)))


@pytest.mark.formula("mate", "motion")
def test_patches_know_their_motion() -> None:
    module, given = MotionGrid(patches=P, in_dim=C, dim=D).double(), drawn(1, T, P, C)
    found = {name: x.detach().numpy()[0] for name, x in module(given).items()}
    x = given[0].numpy()
    projected = np.zeros((T, P, D))
    for t, p in np.ndindex(T, P):
        change = np.abs(x[t, p] - x[t - 1, p]) if t else np.zeros(C)
        projected[t, p] = linear(module.project, normed(module.norm, np.concatenate([x[t, p], change])))
    np.testing.assert_allclose(found["x"], projected, rtol=1e-9)
    for t in range(T):
        motion = []
        for p in range(P):
            seen = [projected[s, p] if s >= 0 else np.zeros(D) for s in (t - 2, t - 1, t)]
            motion.append(np.sqrt(((projected[t, p] - sum(seen) / 3) ** 2).sum()))
        np.testing.assert_allclose(found["motion"][t], np.array(motion) / (max(motion) + 1e-6), rtol=1e-9)


def block() -> tuple[MotionLayer, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    module = MotionLayer(patches=P, dim=8, head_dim=4, bottleneck_dim=3).double().eval()
    return module, drawn(1, T, P, 8), drawn(1, T, P, seed=1).abs()


@pytest.mark.formula("mate", "convolution")
def test_a_bottleneck_under_a_condition() -> None:
    module, given, motion = block()
    found = module._convolved(given, motion).detach().numpy()[0]
    x, moved = given[0].numpy(), motion[0].numpy()
    steps = x.mean(1)
    condition = [steps.mean(0)]
    for width in (2, 4):
        windows = [steps[start : start + width].mean(0) for start in range(T - width + 1)]
        condition.append(sum(windows) / len(windows))
    weight = sigmoid(linear(module.condition, np.concatenate(condition)))
    squeeze, bias = numbers(module.squeeze, "weight"), numbers(module.squeeze, "bias")
    for t in range(T):
        gate = sigmoid(float(linear(module.gate, weight)[0]) + moved[t].mean())
        for row, column in np.ndindex(SIDE, SIDE):
            narrow = bias.copy()
            for i, j in itertools.product(range(3), range(3)):
                y, z = row + i - 1, column + j - 1
                if 0 <= y < SIDE and 0 <= z < SIDE:
                    narrow = narrow + squeeze[:, :, i, j] @ x[t, y * SIDE + z]
            wide = numbers(module.widen, "weight")[:, :, 0, 0] @ (narrow * weight) + numbers(module.widen, "bias")
            p = row * SIDE + column
            np.testing.assert_allclose(found[t, p], x[t, p] + 0.5 * gate * wide, rtol=1e-8)


def attended(module: MotionLayer, tokens: Rows, motion: Rows) -> Rows:
    """Return linear attention, head by head and token by token, as a weighted mean of values."""
    qkv = tokens @ numbers(module.qkv, "weight").T
    q, k, v = np.split(qkv, 3, axis=1)

    def mapped(x: Rows) -> Rows:
        return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))

    found = np.zeros_like(tokens)
    for head in range(0, 8, 4):
        own = slice(head, head + 4)
        for n in range(len(tokens)):
            query = mapped(q[n, own]) * (1 + math.tanh(motion[n]))
            weights = [float(query @ mapped(k[m, own])) for m in range(len(tokens))]
            found[n, own] = sum(w * v[m, own] for m, w in enumerate(weights)) / (sum(weights) + 1e-6)
    return found


@pytest.mark.formula("mate", "attention")
def test_steps_attend_and_then_patches() -> None:
    module, given, motion = block()
    found = module(given, motion).detach().numpy()[0]
    x = module._convolved(given, motion).detach().numpy()[0] + numbers(module, "place")
    moved = motion[0].numpy()
    x = x + attended(module, x.mean(1), moved.mean(1))[:, None]
    norm, widen, _, narrow = module.network
    for t in range(T):
        tokens = attended(module, x[t], moved[t])
        for p in range(P):
            wide = linear(widen, normed(norm, tokens[p]))
            wide = np.array([value / 2 * (1 + math.erf(value / math.sqrt(2))) for value in wide])
            np.testing.assert_allclose(found[t, p], tokens[p] + linear(narrow, wide), rtol=1e-8)


@pytest.mark.formula("mate", "pooling")
def test_queries_find_steps() -> None:
    module = MotionPool(patches=P, in_dim=C, queries=3).double()
    given, motion = drawn(1, T, P, C), drawn(1, T, P, seed=1).abs()
    found = module(given, motion).detach().numpy()[0]
    x, moved = given[0].numpy(), motion[0].numpy()
    steps = [sum(moved[t, p] / (moved[t].sum() + 1e-6) * x[t, p] for p in range(P)) for t in range(T)]
    parts = []
    for query in numbers(module, "query"):
        near = np.exp([query @ step for step in steps])
        parts.append(sum(share * step for share, step in zip(near / near.sum(), steps, strict=True)))
    for t in range(T):
        np.testing.assert_allclose(found[t], np.concatenate(parts), rtol=1e-9)


@pytest.mark.formula("mate", "pair loss")
def test_a_pair_against_the_nearest() -> None:
    x, labels = drawn(6, 1, C), torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    rows = [row / np.sqrt((row**2).sum()) for row in x[:, 0].numpy()]
    total = 0.0
    for i in range(3):
        gaps = [np.sqrt(((rows[i] - rows[3 + j]) ** 2).sum()) for j in range(3)]
        total += max(0.0, gaps[i] - min(gaps) + 1)
    assert float(HardestPair(dim=C)(x, labels)) == pytest.approx(total / 3, rel=1e-6)
