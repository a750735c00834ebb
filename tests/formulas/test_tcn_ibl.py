"""TCN-IBL: scores and losses of its graph, and what its abstract states, against loops in float64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

import vadkit

SMALL = ("inputs.rgb=b t 6", "nodes.near.args.dim=5", "nodes.far.args.dim=4")
LABELS = [0, 1, 1, 0, 1]


@pytest.fixture(scope="module")
def model() -> Any:
    return vadkit.build("tcn_ibl_ucf", set=SMALL, seed=1)


@pytest.fixture(scope="module")
def videos() -> torch.Tensor:
    return torch.randn(len(LABELS), 7, 6, generator=torch.Generator().manual_seed(0))


def preceding(x: np.ndarray, weights: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Return relu(sum over 0 <= d <= 2 of W_d x_t-d + bias): tap 2 of a kernel is the segment itself."""
    w, bias = weights[f"{name}.conv.weight"], weights[f"{name}.conv.bias"]
    rows = []
    for t in range(len(x)):
        total = bias.copy()
        for back in range(3):
            if t - back >= 0:
                total += w[:, :, 2 - back] @ x[t - back]
        rows.append(np.maximum(total, 0))
    return np.array(rows)


def scores_by_hand(model: Any, videos: torch.Tensor) -> list[np.ndarray]:
    weights = {name: x.double().numpy() for name, x in model.state_dict().items()}
    found = []
    for x in videos.double().numpy():
        x = np.array([row / np.linalg.norm(row) for row in x])
        hidden = preceding(preceding(x, weights, "near"), weights, "far")
        last, bias = weights["score.layers.0.weight"][0], weights["score.layers.0.bias"][0]
        found.append(np.array([1 / (1 + np.exp(-(last @ row + bias))) for row in hidden]))
    return found


def loss_of(model: Any, videos: torch.Tensor) -> dict[str, float]:
    batch = {"rgb": videos, "labels": torch.tensor(LABELS).float(), "mask": torch.ones(videos.shape[:2]).bool()}
    return {name: float(value.detach()) for name, value in model.loss({**batch, "crops": 1}).items()}


@pytest.mark.formula("tcn_ibl", "causal_context", "layers")
def test_scores_are_those_of_two_causal_convolutions(model: Any, videos: torch.Tensor) -> None:
    with torch.no_grad():
        found = model.eval()(rgb=videos)
        later = videos.clone()
        later[:, 4:] += 1
        assert torch.equal(model(rgb=later)[:, :4], found[:, :4])
        before = videos.clone()
        before[:, 2] *= -1
        assert ((model(rgb=before) != found).any(0)).tolist() == [False] * 2 + [True] * 5
    np.testing.assert_allclose(found.numpy(), scores_by_hand(model, videos), atol=1e-6)


@pytest.mark.formula("tcn_ibl", "outer_ranking", "inner_bag_form", "smooth_sparse")
def test_losses_are_those_of_loops(model: Any, videos: torch.Tensor) -> None:
    scores, found = scores_by_hand(model, videos), loss_of(model, videos)
    normal, abnormal = ([s for s, label in zip(scores, LABELS) if label == kind] for kind in (0, 1))
    outer = [max(0.0, 1 - max(a) + max(n)) for a in abnormal for n in normal]
    inner = np.mean([max(0.0, 1 - max(a) + min(a)) for a in abnormal]) + np.mean([abs(max(n) - min(n)) for n in normal])
    smooth = [sum((b - a) ** 2 for a, b in zip(s, s[1:])) for s in abnormal]
    assert found["rank.outer"] == pytest.approx(np.mean(outer), abs=1e-6)
    assert found["rank.inner"] == pytest.approx(inner, abs=1e-6)
    assert found["rank"] == pytest.approx(np.mean(outer) + inner, abs=1e-6)
    assert found["calm"] == pytest.approx(8e-5 * (np.mean(smooth) + np.mean([sum(s) for s in abnormal])), abs=1e-9)


@pytest.mark.formula("tcn_ibl", "inner_bag")
@pytest.mark.parametrize(("label", "sign"), [(1, -1), (0, 1)])
def test_a_wider_gap_is_wanted_in_abnormal_bags_alone(model: Any, label: int, sign: int) -> None:
    """Lower the lowest score of one bag: no maximum changes, so the inner term alone does."""
    rank = model.losses["rank"]
    scores = torch.full((2, 4), 0.5)
    scores[:, 2] = 0.7
    labels = torch.tensor([float(label), 1.0 - label])
    wider = scores.clone()
    wider[0, 0] = 0.3
    change = {name: float(rank(wider, labels)[name] - rank(scores, labels)[name]) for name in ("outer", "inner")}
    assert change == {"outer": 0, "inner": pytest.approx(0.2 * sign)}
