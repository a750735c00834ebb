"""all_pairs_ranking against loops over pairs."""

from __future__ import annotations

import pytest
import torch
from vadkit_all_pairs_ranking import AllPairsRanking

from vadkit.testing import check_component


def by_hand(scores, labels, lengths, margin, mean):
    highest = [max(row[:n].tolist(), default=None) for row, n in zip(scores, lengths)]
    normal = [m for m, label in zip(highest, labels) if label == 0 and m is not None]
    abnormal = [m for m, label in zip(highest, labels) if label == 1 and m is not None]
    total = 0.0
    for low in normal:
        rows = [max(0.0, margin - high + low) for high in abnormal]
        total += sum(rows) / (len(rows) if mean and rows else 1)
    return total / max(len(normal), 1)


@pytest.mark.parametrize("reduce", ["sum_abnormal", "mean"])
@pytest.mark.parametrize(
    ("labels", "lengths"),
    [([0, 1], [7, 7]), ([1, 0, 1, 1, 0], [7, 1, 3, 7, 5]), ([0, 1, 1], [7, 0, 4]), ([1, 1], [7, 2]), ([0, 0], [1, 2])],
)
def test_equals_a_loop_over_pairs(labels, lengths, reduce):
    torch.manual_seed(len(labels))
    scores = torch.rand(len(labels), 7, dtype=torch.float64, requires_grad=True)
    mask = torch.arange(7) < torch.tensor(lengths)[:, None]
    scores.data[~mask] = 1.0  # padding is never the maximum
    loss = AllPairsRanking(margin=0.6, reduce=reduce)(scores, torch.tensor(labels).float(), mask)
    assert loss.item() == pytest.approx(by_hand(scores, labels, lengths, 0.6, reduce == "mean"), abs=1e-12)
    loss.backward()
    assert scores.grad.isfinite().all() and not scores.grad[~mask].any()


def test_scores_of_crops_are_averaged():
    scores, labels = torch.rand(6, 5), torch.tensor([1.0, 0.0])
    loss = AllPairsRanking()
    assert loss(scores, labels, crops=3) == loss(scores.reshape(2, 3, 5).mean(1), labels)


def test_contract():
    check_component(AllPairsRanking)
    check_component(AllPairsRanking, reduce="mean")
