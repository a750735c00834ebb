"""Motion-aware MIL: scores and losses of its graphs against loops in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import vadkit

SMALL = ("inputs.flow=b t 6", "nodes.score.args.hidden=[5,4]", "nodes.attention.args.hidden=[3]")
GRAPHS = {"motion_aware_ucf": SMALL, "motion_aware_ucf_rgb_flow": ("inputs.rgb=b t 7", *SMALL)}
LABELS = [0, 1, 1, 0, 1]


@pytest.fixture(scope="module", params=GRAPHS)
def model(request: pytest.FixtureRequest) -> Any:
    return vadkit.build(request.param, set=GRAPHS[request.param], seed=1).eval()


def drawn(model: Any) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return {name: torch.randn(len(LABELS), 8, size, generator=draw) for name, size in model.input_sizes.items()}


def joined(model: Any, streams: dict[str, torch.Tensor]) -> np.ndarray:
    """Return each stream scaled to length 1, pictures first."""
    order = [name for name in ("rgb", "flow") if name in streams]
    arrays = [streams[name].double().numpy() for name in order]
    return np.concatenate([x / np.sqrt((x**2).sum(-1, keepdims=True)) for x in arrays], axis=-1)


def logits(model: Any, name: str, x: np.ndarray, relu: tuple[bool, ...]) -> np.ndarray:
    """Return what the fully connected layers of a node give for rows (v, t, c)."""
    weights = {key: value.double().numpy() for key, value in model.state_dict().items()}
    for number in range(len(relu) + 1):
        x = x @ weights[f"{name}.layers.{number}.weight"].T + weights[f"{name}.layers.{number}.bias"]
        x = np.maximum(x, 0) if number < len(relu) and relu[number] else x
    return x[..., 0]


def scores_by_hand(model: Any, streams: dict[str, torch.Tensor]) -> np.ndarray:
    return 1 / (1 + np.exp(-logits(model, "score", joined(model, streams), (True, False))))


@pytest.mark.formula("motion_aware", "streams")
def test_scores_are_those_of_the_motion_features_or_of_both(model: Any) -> None:
    streams = drawn(model)
    assert set(streams) in ({"flow"}, {"flow", "rgb"})
    with torch.no_grad():
        found = model(**streams)
        np.testing.assert_allclose(found.numpy(), scores_by_hand(model, streams), atol=1e-6)
        for name in streams:
            assert not torch.allclose(model(**{**streams, name: streams[name].flip(-1)}), found)


@pytest.mark.formula("motion_aware", "attention", "ranking", "smooth_sparse")
def test_losses_weight_scores_by_attention(model: Any) -> None:
    streams = drawn(model)
    batch = {"labels": torch.tensor(LABELS).float(), "mask": torch.ones(len(LABELS), 8).bool(), "crops": 1}
    found = {name: float(value.detach()) for name, value in model.loss({**streams, **batch}).items()}
    attention = logits(model, "attention", joined(model, streams), (True,)).tolist()
    scores = scores_by_hand(model, streams).tolist()
    bags = []
    for row, weights in zip(scores, attention):
        shares = [math.exp(weight) / sum(map(math.exp, weights)) for weight in weights]
        bags.append(sum(share * score for share, score in zip(shares, row)))
    abnormal, normal = ([n for n, label in enumerate(LABELS) if label == kind] for kind in (1, 0))
    hinges = [max(0.0, 1 - bags[a] + bags[n]) for a in abnormal for n in normal]
    assert found["rank"] == pytest.approx(np.mean(hinges), abs=1e-6)
    calm = [sum((b - a) ** 2 for a, b in zip(s, s[1:])) + sum(s) for s in (scores[n] for n in abnormal)]
    assert found["calm"] == pytest.approx(8e-5 * np.mean(calm), abs=1e-9)
