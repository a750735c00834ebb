"""cross_modal_contrast against loops over bags; the loops are those of the paper's equations."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_cross_modal_contrast import CrossModalContrast

from vadkit.testing import check_component

DIM, T = 6, 40
PARTS = ("first_background", "first_normal", "second_background", "second_normal")


def batch(lengths=(40, 33, 17, 5, 1), levels=(2.0, -2.0, 3.0, -4.0, -1.0), seed=0):
    """Return ports; the sign of a level is the prediction for a bag."""
    g = torch.Generator().manual_seed(seed)
    b, t = len(lengths), max(lengths)
    first, second = (torch.randn(b, t, DIM, dtype=torch.float64, generator=g) for _ in range(2))
    one, two = (torch.randn(b, t, dtype=torch.float64, generator=g) for _ in range(2))
    scores = torch.tensor(levels, dtype=torch.float64)[:, None] + 0.01 * (one + two)
    mask = torch.arange(t) < torch.tensor(lengths)[:, None]
    return {"first": first, "second": second, "first_scores": one, "second_scores": two, "scores": scores, "mask": mask}


def by_hand(ports, temperature=0.1, divisor=16, swapped=False):
    """Return the parts as floats."""
    streams = {
        "first": (ports["first"], ports["second_scores" if swapped else "first_scores"]),
        "second": (ports["second"], ports["first_scores" if swapped else "second_scores"]),
    }
    violent, rows = {}, {}
    for name, (x, scores) in streams.items():
        violent[name], rows[name, "normal"], rows[name, "background"] = {}, [], []
        for i, n in enumerate(ports["mask"].sum(1).tolist()):
            k = min(n, n // divisor + 1)
            order = sorted(range(n), key=lambda j: -float(scores[i, j]))
            rows[name, "background"] += [x[i, j] for j in order[-k:]]
            if sum(sorted(ports["scores"][i, :n].tolist())[-k:]) / k > 0:
                violent[name][i] = (torch.stack([x[i, j] for j in order[:k]]).mean(0), k)
            else:
                rows[name, "normal"] += [x[i, j] for j in order[:k]]
    found = {}
    for part in PARTS:
        own, kind = part.split("_")
        other = "second" if own == "first" else "first"
        terms, weights = [], []
        for i, (q, k) in violent[own].items():
            like = lambda y: math.exp(float(torch.cosine_similarity(q, y, dim=0)) / temperature)  # noqa: B023, E731
            right = like(violent[other][i][0])
            terms.append(-k * math.log(right / (right + sum(map(like, rows[other, kind])))))
            weights.append(k)
        found[part] = sum(terms) / sum(weights)
    return found


@pytest.mark.parametrize("args", [{}, {"swapped": True}, {"temperature": 0.5, "divisor": 4}, {"divisor": 1}])
def test_equals_the_loops(args):
    found, wanted = CrossModalContrast(dim=DIM, **args)(**batch()), by_hand(batch(), **args)
    assert {name: float(found[name]) for name in PARTS} == pytest.approx(wanted, rel=1e-9)
    assert float(found["total"]) == pytest.approx(sum(wanted.values()), rel=1e-9)


def test_the_total_weighs_background_and_normal():
    found = CrossModalContrast(dim=DIM, background=0.5, normal=2.0)(**batch())
    background = found["first_background"] + found["second_background"]
    normal = found["first_normal"] + found["second_normal"]
    torch.testing.assert_close(found["total"], 0.5 * background + 2 * normal)


@pytest.mark.parametrize("level", [5.0, -5.0])
def test_nothing_to_contrast_gives_zero_and_no_gradient(level):
    ports = batch(levels=[level] * 5)
    ports["first"].requires_grad_()
    found = CrossModalContrast(dim=DIM)(**ports)
    assert all(float(value.detach()) == 0 for value in found.values())
    found["total"].backward()
    assert ports["first"].grad.eq(0).all()


def test_a_bag_without_snippets_changes_nothing():
    ports = batch((40, 33, 17, 5, 0))
    fewer = {name: x[:4] for name, x in ports.items()}
    ports["first"].requires_grad_()
    found = CrossModalContrast(dim=DIM)(**ports)["total"]
    torch.testing.assert_close(found, CrossModalContrast(dim=DIM)(**fewer)["total"])
    found.backward()
    assert ports["first"].grad.isfinite().all() and ports["first"].grad[4].eq(0).all()


def test_no_gradient_reaches_the_scores():
    ports = {name: x.requires_grad_() if x.is_floating_point() else x for name, x in batch().items()}
    CrossModalContrast(dim=DIM)(**ports)["total"].backward()
    assert ports["first"].grad.abs().sum() > 0 and ports["second"].grad.abs().sum() > 0
    for name in ("first_scores", "second_scores", "scores"):
        assert ports[name].grad is None or ports[name].grad.eq(0).all()


@pytest.mark.parametrize(
    ("args", "said"),
    [({"divisor": 0}, "divisor must be at least 1"), ({"temperature": 0.0}, "temperature must be above")],
)
def test_refuses(args, said):
    with pytest.raises(ValueError, match=said):
        CrossModalContrast(dim=DIM, **args)


def test_contract():
    check_component(CrossModalContrast)
