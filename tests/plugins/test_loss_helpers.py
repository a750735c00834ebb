"""The helpers of vadkit.layers that losses share."""

from __future__ import annotations

import math

import pytest
import torch

from vadkit.layers import full_precision, gather_snippets, pair_bags, probability_loss, weighted_mean


def test_weighted_mean_leaves_out_what_does_not_count():
    values = torch.tensor([1.0, torch.nan, 4.0])
    assert weighted_mean(values, torch.tensor([1.0, 0.0, 1.0])) == 2.5
    assert weighted_mean(values, torch.zeros(3)) == 0


@pytest.mark.parametrize(
    ("labels", "pairs"),
    [
        ([0, 0, 1, 1], [(0, 2), (1, 3)]),
        ([1, 0, 0, 1], [(1, 0), (2, 3)]),
        ([1, 0, 1, 1], [(1, 0)]),
        ([0, 0, 0, 1, 0], [(0, 3)]),
        ([1, 1], []),
        ([0], []),
    ],
)
def test_pair_bags_pairs_the_nth_of_each_class(labels, pairs):
    normal, abnormal, exists = pair_bags(torch.tensor(labels, dtype=torch.float32))
    assert len(normal) == len(abnormal) == len(exists) == len(labels) // 2
    found = [(n, a) for n, a, e in zip(normal.tolist(), abnormal.tolist(), exists.tolist()) if e]
    assert found == pairs


def test_gather_snippets_takes_whole_rows():
    x = torch.arange(24.0).view(2, 4, 3)
    taken = gather_snippets(x, torch.tensor([[3, 0], [1, 1]]))
    assert torch.equal(taken, torch.stack([x[0, [3, 0]], x[1, [1, 1]]]))


@pytest.mark.parametrize(
    ("given", "kept"), [(torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64, torch.float64)]
)
def test_full_precision_only_ever_widens(given, kept):
    assert full_precision(torch.ones(2, dtype=given)).dtype == kept


def test_probability_loss_is_in_full_precision_under_autocast():
    p = torch.tensor([0.25, 0.0, 1.0], dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        loss = probability_loss(p, torch.tensor([1.0, 0.0, 1.0]))
    assert loss.dtype == torch.float32
    assert loss.tolist() == pytest.approx([-math.log(0.25), 0, 0])
