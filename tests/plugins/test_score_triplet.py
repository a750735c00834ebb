"""score_triplet against a loop over bags."""

from __future__ import annotations

import pytest
import torch
from vadkit_score_triplet import ScoreTriplet

from vadkit.testing import check_component


def test_contract():
    check_component(ScoreTriplet)


def by_hand(x, scores, labels, lengths, margin):
    normal, calm, strange = [], [], []
    for bag, row, label, n in zip(x, scores, labels, lengths):
        order, k = row[:n].argsort(), n // 16 + 1
        if label:
            calm.append(bag[order[:k]].mean(0))
            strange.append(bag[order[-k:]].mean(0))
        else:
            normal.append(bag[:n].mean(0))
    anchor, positive, negative = (torch.stack(v).mean(0) for v in (normal, calm, strange))
    anchor, positive, negative = (v / v.norm() for v in (anchor, positive, negative))
    return max(0.0, (anchor - positive + 1e-6).norm() - (anchor - negative + 1e-6).norm() + margin)


def batch(b=5, t=40):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(b, t, 4, dtype=torch.float64, generator=generator) + 0.3
    return x, torch.rand(b, t, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("margin", [5.0, 0.1])
def test_equals_the_loop(margin):
    x, scores = batch()
    labels, lengths = [0.0, 1.0, 1.0, 0.0, 1.0], [40, 33, 1, 16, 7]
    mask = torch.arange(40) < torch.tensor(lengths)[:, None]
    found = ScoreTriplet(dim=4, margin=margin)(x, scores, torch.tensor(labels), mask)
    assert float(found) == pytest.approx(float(by_hand(x, scores, labels, lengths, margin)), rel=1e-9)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_batch_of_one_class_gives_nothing(label):
    x, scores = batch()
    x.requires_grad_()
    found = ScoreTriplet(dim=4)(x, scores, torch.full((5,), label))
    found.backward()
    assert float(found.detach()) == 0 and x.grad.eq(0).all()


def test_the_choice_has_no_gradient():
    x, scores = batch()
    scores.requires_grad_()
    x.requires_grad_()
    ScoreTriplet(dim=4)(x, scores, torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0])).backward()
    assert scores.grad is None and x.grad.abs().sum() > 0


def test_a_bag_without_snippets_counts_for_nothing():
    x, scores = batch()
    labels, mask = torch.tensor([0.0, 1.0, 1.0, 0.0, 0.0]), torch.ones(5, 40, dtype=torch.bool)
    mask[4] = False
    loss = ScoreTriplet(dim=4)
    torch.testing.assert_close(loss(x, scores, labels, mask), loss(x[:4], scores[:4], labels[:4], mask[:4]))
