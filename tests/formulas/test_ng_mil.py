"""NG-MIL against slow formulas in numpy, written from its abstract and the guesses that its card names."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from small_models import drawn
from vadkit_prototype_clustering import PrototypeClustering
from vadkit_prototype_head import PrototypeHead
from vadkit_prototype_triplet import PrototypeTriplet
from vadkit_score_mean import ScoreMean
from vadkit_top_score import TopScore

Array = NDArray[np.float64]
LABELS = [0.0, 1.0, 0.0, 1.0]
T, C, M = 20, 6, 4


def padding(bags: int = len(LABELS)) -> torch.Tensor:
    """The last bag has half of its snippets."""
    mask = torch.ones(bags, T, dtype=torch.bool)
    mask[-1, T // 2 :] = False
    return mask


def cosine(a: Array, b: Array) -> float:
    dot = sum(float(x) * float(y) for x, y in zip(a, b))
    return dot / math.sqrt(sum(float(x) ** 2 for x in a) * sum(float(y) ** 2 for y in b))


def largest(x: Array, prototypes: Array) -> float:
    return max(cosine(x, p) for p in prototypes)


@pytest.mark.formula("ng_mil", "similarity", "cosine")
@pytest.mark.parametrize("form", ["clipped", "halved"])
def test_a_snippet_scores_by_its_nearest_prototype(form: str) -> None:
    x, prototypes = drawn(2, T, C), drawn(M, C, seed=1)
    found = PrototypeHead(in_dim=C, rows=M, form=form)(x, prototypes)["scores"].numpy()  # type: ignore[arg-type]
    for b in range(2):
        for t in range(T):
            near = largest(x[b, t].numpy(), prototypes.numpy())
            wanted = 1 - max(0.0, near) if form == "clipped" else (1 - near) / 2
            assert found[b, t] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.formula("ng_mil", "similarity")
@pytest.mark.parametrize("form", ["clipped", "halved"])
def test_a_prototype_itself_is_normal(form: str) -> None:
    prototypes = drawn(M, C)
    scores = PrototypeHead(in_dim=C, rows=M, form=form)(3 * prototypes[None], prototypes)["scores"]  # type: ignore[arg-type]
    assert scores.abs().max() < 1e-12


@pytest.mark.formula("ng_mil", "ensemble", "shares")
def test_the_score_is_of_both_classifiers() -> None:
    mil, similar = drawn(2, T).sigmoid(), drawn(2, T, seed=1).sigmoid()
    found = {form: ScoreMean(form=form)([mil, similar]) for form in ("mean", "product")}  # type: ignore[arg-type]
    uneven = ScoreMean(weights=[3.0, 1.0])([mil, similar])
    for b in range(2):
        for t in range(T):
            p, q = float(mil[b, t]), float(similar[b, t])
            assert float(found["mean"][b, t]) == pytest.approx((p + q) / 2, abs=1e-12)
            assert float(found["product"][b, t]) == pytest.approx(p * q, abs=1e-12)
            assert float(uneven[b, t]) == pytest.approx(0.75 * p + 0.25 * q, abs=1e-12)


@pytest.mark.formula("ng_mil", "choice", "number chosen")
@pytest.mark.parametrize("crops", [1, 2])
def test_the_highest_scores_are_chosen(crops: int) -> None:
    scores, mask = drawn(2 * crops, T).sigmoid(), padding(2 * crops)
    mask[-crops:] = mask[-1]
    found = TopScore(k=3)(scores, mask, crops)
    for v in range(2):
        means = [sum(float(scores[v * crops + i, t]) for i in range(crops)) / crops for t in range(T)]
        real = [t for t in range(T) if mask[v * crops, t]]
        assert found[v].tolist() == sorted(real, key=lambda t: -means[t])[:3]


@pytest.mark.formula("ng_mil", "clustering", "spread")
def test_normal_snippets_are_drawn_to_prototypes() -> None:
    x, prototypes, mask = drawn(len(LABELS), T, C), drawn(M, C, seed=1), padding()
    cosines = PrototypeHead(in_dim=C, rows=M)(x, prototypes)["cosines"]
    found = PrototypeClustering(rows=M, dim=C, spread=0.7)(cosines, prototypes, torch.tensor(LABELS), mask)
    pulls = [
        1 - largest(x[b, t].numpy(), prototypes.numpy())
        for b, label in enumerate(LABELS)
        for t in range(T)
        if label == 0 and mask[b, t]
    ]
    pairs = [
        max(0.0, cosine(prototypes[m].numpy(), prototypes[n].numpy())) for m in range(M) for n in range(M) if m != n
    ]
    assert float(found["pull"]) == pytest.approx(sum(pulls) / len(pulls), abs=1e-12)
    assert float(found["spread"]) == pytest.approx(0.7 * sum(pairs) / len(pairs), abs=1e-12)
    assert float(found["total"]) == pytest.approx(float(found["pull"] + found["spread"]), abs=1e-12)


@pytest.mark.formula("ng_mil", "clustering")
def test_without_a_normal_video_nothing_is_drawn() -> None:
    x, prototypes = drawn(2, T, C), drawn(1, C, seed=1)
    cosines = PrototypeHead(in_dim=C, rows=1)(x, prototypes)["cosines"]
    assert PrototypeClustering(rows=1, dim=C)(cosines, prototypes, torch.ones(2))["total"] == 0


@pytest.mark.formula("ng_mil", "triplet", "triplet's members")
def test_the_triplet_is_of_one_bag() -> None:
    x, prototypes, mask = drawn(len(LABELS), T, C), drawn(M, C, seed=1), padding()
    scores = drawn(len(LABELS), T, seed=2).sigmoid()
    loss = PrototypeTriplet(dim=C, rows=M, margin=0.4, divisor=5)
    found = loss(x, prototypes, scores, torch.tensor(LABELS), mask)
    gaps = []
    for b, label in enumerate(LABELS):
        if label == 0:
            continue
        real = [t for t in range(T) if mask[b, t]]
        order = sorted(real, key=lambda t: float(scores[b, t]))
        k = len(real) // 5 + 1
        calm, abnormal = (np.mean([x[b, t].numpy() for t in part], axis=0) for part in (order[:k], order[-k:]))
        anchor = max(prototypes.numpy(), key=lambda p: cosine(calm, p))
        gaps.append(max(0.0, cosine(abnormal, anchor) - cosine(calm, anchor) + 0.4))
    assert 0 < float(found) == pytest.approx(sum(gaps) / len(gaps), abs=1e-12)


@pytest.mark.formula("ng_mil", "triplet", "prototypes")
def test_abnormal_bags_do_not_move_the_prototypes() -> None:
    x, prototypes = drawn(2, T, C).requires_grad_(), drawn(M, C, seed=1).requires_grad_()
    loss = PrototypeTriplet(dim=C, rows=M, margin=2.0)
    loss(x, prototypes, drawn(2, T, seed=2).sigmoid(), torch.tensor([0.0, 1.0])).backward()
    assert prototypes.grad is None
    assert x.grad is not None and x.grad[0].abs().sum() == 0 and x.grad[1].abs().sum() > 0
