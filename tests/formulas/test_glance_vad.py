"""The certain blocks of GlanceVAD against loops over snippets, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from vadkit_click_splatting import ClickSplatting
from vadkit_topk_mil import TopkMil

ALPHA, SIGMA = 0.9, 0.1


def mined(scores: np.ndarray, clicks: list[int]) -> set[int]:
    """Grow each event snippet by snippet, up to the next click."""
    found = set(clicks)
    for click in clicks:
        for way in (-1, 1):
            j = click + way
            while 0 <= j < len(scores) and j not in clicks and scores[j] >= ALPHA * scores[click]:
                found.add(j)
                j += way
    return found


def curve(events: set[int], n: int) -> np.ndarray:
    """Draw the bells one by one, each stretched, then their maximum, stretched."""
    highest = np.zeros(n)
    for p in events:
        bell = np.array([np.exp(-((2 * (j - p) / (n - 1)) ** 2) / (2 * SIGMA**2)) for j in range(n)])
        bell = bell / (SIGMA * np.sqrt(2 * np.pi))
        bell = (bell - bell.min()) / (bell.max() - bell.min())
        highest = np.maximum(highest, bell)
    if not events or highest.min() == highest.max():
        return highest
    return (highest - highest.min()) / (highest.max() - highest.min())


def entropy(scores: np.ndarray, targets: np.ndarray) -> float:
    return float(np.mean([-y * np.log(s) - (1 - y) * np.log(1 - s) for s, y in zip(scores, targets, strict=True)]))


def drawn(seed: int, t: int = 60) -> tuple[np.ndarray, list[list[int]]]:
    """Return scores (2, t) that are smooth enough to be mined, and clicks."""
    rng = np.random.default_rng(seed)
    rough = rng.random((2, t + 6))
    scores = np.stack([np.convolve(row, np.ones(7) / 7, "valid") for row in rough])
    return scores, [sorted(rng.choice(t, size, replace=False).tolist()) for size in (1, 5)]


def as_marks(events: list[list[int]], t: int) -> torch.Tensor:
    marks = torch.zeros(len(events), t)
    for row, own in enumerate(events):
        marks[row, own] = 1
    return marks


@pytest.mark.formula("glance_vad", "mining")
@pytest.mark.parametrize("seed", range(4))
def test_events_grow_from_clicks(seed: int) -> None:
    scores, clicks = drawn(seed)
    found = ClickSplatting(alpha=ALPHA).mined(torch.tensor(scores), as_marks(clicks, scores.shape[1]) > 0)
    expected = [mined(row, own) for row, own in zip(scores, clicks, strict=True)]
    assert [set(row.nonzero().flatten().tolist()) for row in found] == expected
    assert any(len(grown) > len(own) for grown, own in zip(expected, clicks, strict=True))


@pytest.mark.formula("glance_vad", "splatting")
@pytest.mark.parametrize("step", [98, 99])
def test_abnormal_scores_follow_the_bells(step: int) -> None:
    scores, clicks = drawn(7)
    t = scores.shape[1]
    grown = [mined(row, own) if step + 1 >= 100 else set(own) for row, own in zip(scores, clicks, strict=True)]
    expected = np.mean([entropy(row, curve(own, t)) for row, own in zip(scores, grown, strict=True)])
    loss = ClickSplatting(sigma=SIGMA, alpha=ALPHA, mine_from=100)
    given = torch.tensor(np.concatenate([np.full((1, t), 0.3), scores]))
    marks = as_marks([[], *clicks], t)
    found = loss(given, marks, torch.tensor([0.0, 1.0, 1.0]), torch.full((3,), step))
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.formula("glance_vad", "bag term")
def test_only_normal_videos_have_a_bag_term() -> None:
    scores, _ = drawn(3)
    best = [np.sort(row)[::-1][: len(row) // 16 + 1].mean() for row in scores]
    found = TopkMil(normal_k="ratio", of="normal")(torch.tensor(scores), torch.tensor([0.0, 1.0]))["total"]
    assert float(found) == pytest.approx(-np.log(1 - best[0]), rel=1e-6)
