"""MCR: refined scores and losses of its graph against loops in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import vadkit

SMALL = ("inputs.rgb=b t 6", "nodes.first.args.hidden=[5,4]", "nodes.score.args.hidden=3")
LABELS, RADII = [0, 1, 1, 0], (1, 2, 4)


@pytest.fixture(scope="module")
def model() -> Any:
    return vadkit.build("mcr_ucf", set=SMALL, seed=1).eval()


@pytest.fixture(scope="module")
def videos() -> torch.Tensor:
    return torch.randn(len(LABELS), 9, 6, generator=torch.Generator().manual_seed(0))


def layers(state: dict[str, np.ndarray], names: list[str], relu: list[bool], row: np.ndarray) -> np.ndarray:
    for name, rectified in zip(names, relu):
        row = state[f"{name}.weight"] @ row + state[f"{name}.bias"]
        row = np.maximum(row, 0) if rectified else row
    return row


def scale_weights(state: dict[str, np.ndarray], video: np.ndarray) -> list[float]:
    logits = layers(state, ["score.weigh.0", "score.weigh.2"], [True, False], sum(video) / len(video))
    exps = [math.exp(logit) for logit in logits]
    return [value / sum(exps) for value in exps]


def refined(state: dict[str, np.ndarray], first: list[float], scale: int) -> list[float]:
    """Return the scores at one scale: each moved by the mean around it, and by its distance from that mean."""
    found = []
    for t, score in enumerate(first):
        near = [first[n] for n in range(len(first)) if n != t and abs(n - t) <= RADII[scale]]
        around = sum(near) / len(near)
        logit = math.log(score / (1 - score))
        logit += state["score.support"][scale] * around - state["score.contrast"][scale] * abs(score - around)
        found.append(1 / (1 + math.exp(-logit)))
    return found


def first_scores(state: dict[str, np.ndarray], video: np.ndarray) -> list[float]:
    names = [f"first.layers.{number}" for number in range(3)]
    return [1 / (1 + math.exp(-layers(state, names, [True, False, False], row)[0])) for row in video]


def scores_by_hand(model: Any, videos: torch.Tensor) -> list[list[float]]:
    state = {name: x.double().numpy() for name, x in model.state_dict().items()}
    scores = []
    for video in videos.double().numpy():
        curves = [refined(state, first_scores(state, video), scale) for scale in range(3)]
        weights = scale_weights(state, video)
        scores.append([sum(w * curve[t] for w, curve in zip(weights, curves)) for t in range(len(video))])
    return scores


@pytest.mark.formula("mcr", "first_scores", "refinement", "refinement_form", "scales")
def test_scores_are_refined_by_their_context(model: Any, videos: torch.Tensor) -> None:
    with torch.no_grad():
        np.testing.assert_allclose(model(rgb=videos).numpy(), scores_by_hand(model, videos), atol=1e-6)
        # The first scores alone are refined: a level row keeps its order with every other level row.
        levels = torch.tensor([[0.2] * 9, [0.5] * 9, [0.8] * 9])
        low, middle, high = model.get_submodule("score")(torch.zeros(3, 9, 6), levels)
        assert (low < middle).all() and (middle < high).all()
        peak = levels[:1].clone()
        peak[0, 4] = 0.8
        alone = model.get_submodule("score")(torch.zeros(1, 9, 6), peak)[0, 4]
        assert alone < high[4]


@pytest.mark.formula("mcr", "scale_weights", "scale_weights_form")
def test_each_video_weights_the_scales(model: Any, videos: torch.Tensor) -> None:
    """With weights of one scale alone the scores are those of that scale, whatever the video."""
    state = {name: x.double().numpy() for name, x in model.state_dict().items()}
    weights = np.array([scale_weights(state, video) for video in videos.double().numpy()])
    np.testing.assert_allclose(weights.sum(1), 1)
    assert np.ptp(weights, axis=0).min() > 1e-3
    for scale in range(3):
        sure = dict(model.state_dict())
        sure["score.weigh.2.bias"] = torch.full((3,), -1e4).index_fill(0, torch.tensor([scale]), 0.0)
        with torch.no_grad():
            found = torch.func.functional_call(model, sure, (videos,)).numpy()
        wanted = [refined(state, first_scores(state, video), scale) for video in videos.double().numpy()]
        np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.formula("mcr", "ranking", "smooth_sparse")
def test_losses_are_those_of_refined_scores(model: Any, videos: torch.Tensor) -> None:
    batch = {"rgb": videos, "labels": torch.tensor(LABELS).float(), "mask": torch.ones(4, 9).bool(), "crops": 1}
    found, scores = model.loss(batch), scores_by_hand(model, videos)
    abnormal, normal = ([s for s, label in zip(scores, LABELS) if label == kind] for kind in (1, 0))
    hinges = [max(0.0, 1 - max(a) + max(n)) for a in abnormal for n in normal]
    calm = [sum((b - a) ** 2 for a, b in zip(s, s[1:])) + sum(s) for s in abnormal]
    assert float(found["rank"].detach()) == pytest.approx(np.mean(hinges), abs=1e-6)
    assert float(found["calm"].detach()) == pytest.approx(8e-5 * np.mean(calm), abs=1e-9)
