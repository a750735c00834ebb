"""distillation against sums over snippets."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_distillation import Distillation

from vadkit.testing import check_component

MODES = {
    "bce": lambda s, t: -(t * math.log(s) + (1 - t) * math.log(1 - s)),
    "kl": lambda s, t: t * math.log(t / s) + (1 - t) * math.log((1 - t) / (1 - s)),
    "mse": lambda s, t: (s - t) ** 2,
}


def pair():
    generator = torch.manual_seed(0)
    return torch.rand(3, 7, generator=generator), torch.rand(3, 7, generator=generator)


def test_contract():
    check_component(Distillation)


@pytest.mark.parametrize("mode", MODES)
def test_equals_the_sum_over_real_snippets(mode):
    scores, teacher = pair()
    mask = torch.arange(7) < torch.tensor([[7], [4], [1]])
    terms = [MODES[mode](float(s), float(t)) for s, t in zip(scores[mask], teacher[mask])]
    found = Distillation(mode=mode)(scores, teacher, mask)["total"]
    assert float(found) == pytest.approx(sum(terms) / len(terms), rel=1e-4)


def test_equal_scores_lose_nothing_but_the_entropy():
    scores, _ = pair()
    assert float(Distillation(mode="kl")(scores, scores)["total"]) == pytest.approx(0, abs=1e-6)
    assert Distillation(mode="bce")(scores, scores)["total"] > 0.1


def test_the_teacher_learns_nothing():
    scores, teacher = (s.requires_grad_() for s in pair())
    Distillation()(scores, teacher)["total"].backward()
    assert teacher.grad is None and scores.grad.abs().sum() > 0


def test_abnormal_alone_is_one_side_of_the_cross_entropy_averaged_by_bag():
    scores, teacher = (torch.rand(3, 10, generator=torch.manual_seed(i)) for i in (7, 8))
    lengths = [10, 4, 1]
    mask = torch.arange(10) < torch.tensor(lengths)[:, None]
    terms = [-(q[:n] * p[:n].log()).mean() for p, q, n in zip(scores, teacher, lengths)]
    found = Distillation(mode="abnormal", average="bags")(scores, teacher, mask)["total"]
    torch.testing.assert_close(found, torch.stack(terms).mean())
    flat = Distillation(mode="abnormal")(scores, teacher, mask)["total"]
    torch.testing.assert_close(flat, -(teacher * scores.log())[mask].mean())
    empty = torch.cat([mask, torch.zeros(1, 10, dtype=torch.bool)])
    more = Distillation(mode="abnormal", average="bags")(*(torch.cat([x, x[:1]]) for x in (scores, teacher)), empty)
    torch.testing.assert_close(more["total"], found)
