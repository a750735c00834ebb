"""topk_mil against a loop over videos."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_topk_mil import TopkMil

from vadkit.testing import check_component


def by_hand(scores, labels, lengths, normal_k):
    total = 0.0
    for row, label, length in zip(scores.tolist(), labels.tolist(), lengths):
        k = length // 16 + 1 if label == 1 or normal_k == "ratio" else 1
        p = sum(sorted(row[:length], reverse=True)[:k]) / k
        total -= math.log(p) if label == 1 else math.log(1 - p)
    return total / len(lengths)


def mask_of(lengths, t):
    return torch.arange(t) < torch.tensor(lengths)[:, None]


def test_contract():
    check_component(TopkMil)


@pytest.mark.parametrize("normal_k", ["one", "ratio"])
def test_equals_the_loop(normal_k):
    scores, lengths = torch.rand(4, 40, generator=torch.manual_seed(0)), [40, 33, 1, 16]
    labels = torch.tensor([1.0, 0.0, 1.0, 0.0])
    found = TopkMil(normal_k=normal_k)(scores, labels, mask_of(lengths, 40))["total"]
    assert float(found) == pytest.approx(by_hand(scores, labels, lengths, normal_k), rel=1e-6)


def test_logits_are_averaged_before_the_sigmoid():
    logits, lengths = torch.randn(4, 40, generator=torch.manual_seed(0)), [40, 33, 1, 16]
    labels = torch.tensor([1.0, 0.0, 1.0, 0.0])
    loss = TopkMil(normal_k="ratio", average="logits")
    bags = [sorted(row[:n])[-(n // 16 + 1) :] for row, n in zip(logits.tolist(), lengths)]
    means = torch.tensor([sum(bag) / len(bag) for bag in bags])
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(means, labels)
    torch.testing.assert_close(loss(logits, labels, mask_of(lengths, 40))["total"], wanted)
    assert loss.needs == {"scores": "logit"} and TopkMil().needs == {"scores": "probability"}


def test_crops_are_averaged_before_the_choice():
    scores, labels = torch.rand(6, 20, generator=torch.manual_seed(1)), torch.tensor([0.0, 1.0])
    folded = TopkMil()(scores, labels, crops=3)["total"]
    assert torch.equal(folded, TopkMil()(scores.view(2, 3, 20).mean(1), labels)["total"])


def test_a_video_without_snippets_counts_for_nothing():
    scores, labels = torch.rand(3, 8, generator=torch.manual_seed(2)), torch.tensor([0.0, 1.0, 1.0])
    scores.requires_grad_()
    found = TopkMil()(scores, labels, mask_of([8, 5, 0], 8))["total"]
    assert torch.allclose(found, TopkMil()(scores[:2], labels[:2], mask_of([8, 5], 8))["total"])
    (slope,) = torch.autograd.grad(found, scores)
    assert slope.isfinite().all() and slope[2].eq(0).all()


def test_a_video_is_never_judged_by_padding():
    scores, labels = torch.full((2, 32), 0.1), torch.tensor([1.0, 0.0])
    scores[:, 4:] = 0.9
    found = TopkMil()(scores, labels, mask_of([4, 4], 32))["total"]
    assert float(found) == pytest.approx(-(math.log(0.1) + math.log(0.9)) / 2, rel=1e-5)


def test_refuses_a_bad_divisor():
    with pytest.raises(ValueError, match="divisor must be at least 1, not 0"):
        TopkMil(divisor=0)


def test_a_second_sigmoid_bounds_the_loss():
    scores, labels = torch.rand(4, 40, generator=torch.manual_seed(3)), torch.tensor([1.0, 0.0, 1.0, 0.0])
    bag = torch.sigmoid(scores.topk(3).values.mean(1))
    wanted = -torch.where(labels > 0.5, bag, 1 - bag).log().mean()
    found = TopkMil(normal_k="ratio", double_sigmoid=True)(scores, labels)["total"]
    torch.testing.assert_close(found, wanted)
    floor = TopkMil(double_sigmoid=True)(labels[:, None].expand(4, 8), labels)["total"]
    assert float(floor) == pytest.approx((math.log(2) + math.log(1 + math.exp(-1))) / 2)
