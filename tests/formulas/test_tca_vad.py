"""TCA-VAD: sampling, scores and loss of its graph against loops in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import vadkit
from vadkit.plugin_manager import load_plugins

SMALL = ("inputs.rgb=b t 7", "nodes.narrow.args.dim=12", "nodes.context.args.heads=2", "nodes.score.args.hidden=[5]")
LABELS = [0, 1, 1, 0]
SCALES, RUN, K = (1, 2, 4), 3, 3


@pytest.fixture(scope="module")
def model() -> Any:
    return vadkit.build("tca_vad_ucf", set=SMALL, seed=1).eval()


@pytest.fixture(scope="module")
def videos() -> torch.Tensor:
    return torch.randn(len(LABELS), 18, 7, generator=torch.Generator().manual_seed(0))


class Weights:
    """The weights of a model in float64, applied to one row at a time."""

    def __init__(self, model: Any) -> None:
        self.state = {name: x.double().numpy() for name, x in model.state_dict().items()}

    def apply(self, name: str, row: np.ndarray) -> np.ndarray:
        return np.array([w @ row for w in self.state[f"{name}.weight"]]) + self.state[f"{name}.bias"]


def attended(weights: Weights, x: np.ndarray, heads: int) -> np.ndarray:
    """Return x and, added to it, what the means of 1, 2 and 4 clips find in those of the same scale."""
    joined: list[list[float]] = [[] for _ in x]
    for number, scale in enumerate(SCALES):
        means = [x[start : start + scale].mean(0) for start in range(0, len(x), scale)]
        rows = [np.split(weights.apply(f"context.qkv.{number}", mean), 3) for mean in means]
        for t in range(len(x)):
            for head in range(heads):
                q, k, v = ([np.split(row[part], heads)[head] for row in rows] for part in range(3))
                exps = [math.exp(q[t // scale] @ key / math.sqrt(len(key))) for key in k]
                joined[t] += sum(e / sum(exps) * value for e, value in zip(exps, v)).tolist()
    return np.array([row + weights.apply("context.out", np.array(found)) for row, found in zip(x, joined)])


def scores_by_hand(model: Any, videos: torch.Tensor) -> list[list[float]]:
    weights, found = Weights(model), []
    for video in videos.double().numpy():
        x = np.array([np.maximum(weights.apply("narrow.linear", row), 0) for row in video])
        hidden = [np.maximum(weights.apply("score.layers.0", row), 0) for row in attended(weights, x, heads=2)]
        found.append([1 / (1 + math.exp(-weights.apply("score.layers.1", row)[0])) for row in hidden])
    return found


@pytest.mark.formula("tca_vad", "multi_scale_attention", "attention_form", "head")
def test_scores_are_those_of_attention_at_three_scales(model: Any, videos: torch.Tensor) -> None:
    with torch.no_grad():
        np.testing.assert_allclose(model(rgb=videos).numpy(), scores_by_hand(model, videos), atol=1e-6)


@pytest.mark.formula("tca_vad", "top_k", "top_k_form", "clip", "k", "sparsity")
def test_the_loss_compares_the_highest_clips(model: Any, videos: torch.Tensor) -> None:
    batch = {"rgb": videos, "labels": torch.tensor(LABELS).float(), "mask": torch.ones(4, 18).bool(), "crops": 1}
    high, found, scores = [], model.loss(batch), scores_by_hand(model, videos)
    for row in scores:
        clips = [sum(row[start : start + RUN]) / RUN for start in range(0, len(row), RUN)]
        high.append(sum(sorted(clips)[-K:]) / K)
    abnormal, normal = ([n for n, label in enumerate(LABELS) if label == kind] for kind in (1, 0))
    hinges = [max(0.0, 1 - high[a] + high[n]) for a in abnormal for n in normal]
    assert float(found["rank"].detach()) == pytest.approx(np.mean(hinges), abs=1e-6)
    assert float(found["calm"].detach()) == pytest.approx(8e-5 * np.mean([sum(scores[n]) for n in abnormal]), abs=1e-9)


@pytest.mark.formula("tca_vad", "sampling", "sampling_sizes")
@pytest.mark.parametrize("graph", ["tca_vad_ucf", "tca_vad_sht"])
@pytest.mark.parametrize("t", [1, 2, 40, 97, 500, 1200])
def test_runs_of_consecutive_clips_are_spread_over_the_video(graph: str, t: int) -> None:
    spec = vadkit.build(graph, set=SMALL).spec["data"]["sampler"]
    sampler = load_plugins().components.find(spec["use"])(**spec["args"])
    sampled, length = sampler.sample({"rgb": np.arange(t, dtype=np.float32)[:, None]}, np.random.default_rng(t))
    runs = sampled["rgb"].reshape(32, RUN)
    assert length == 32 * RUN
    if t >= RUN:
        assert (np.diff(runs, axis=1) == 1).all()
    starts = runs[:, 0]
    assert runs.min() >= 0 and runs.max() < t
    if t > 32 * RUN:  # evenly: two steps between neighbours differ by one at most
        assert np.ptp(np.diff(starts)) <= 1
        assert (np.diff(starts) >= RUN - 1).all() and starts[-1] > 0.9 * (t - t / 33 - RUN)
