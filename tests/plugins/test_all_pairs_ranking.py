"""all_pairs_ranking against loops over pairs."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_all_pairs_ranking import AllPairsRanking

from vadkit.testing import check_component

BATCHES = [
    ([0, 1], [7, 7]),
    ([1, 0, 1, 1, 0], [7, 1, 3, 7, 5]),
    ([0, 1, 1], [7, 0, 4]),
    ([1, 1], [7, 2]),
    ([0, 0], [1, 2]),
]
FORMS = {
    "sultani": {},
    "mean": {"reduce": "mean"},
    "in_order": {"pairs": "in_order"},
    "top": {"k": 3, "reduce": "mean"},
    "runs": {"run": 3, "k": 2},
    "inner": {"inner": 0.5},
    "inner_top": {"inner": 2.0, "k": 2, "pairs": "in_order", "reduce": "mean"},
}


def mean(values):
    return sum(values) / len(values) if values else 0.0


def ends(row, k, run):
    """Return the means of the k highest and of the k lowest means over runs of a video's real scores."""
    clips = sorted(mean(row[start : start + run]) for start in range(0, len(row), run))
    return mean(clips[-k:]), mean(clips[:k])


def by_hand(rows, labels, margin=1.0, reduce="sum_abnormal", pairs="all", k=1, run=1, inner=0.0, high=None):
    found = [ends(row, k, run) if row else None for row in rows]
    high = high or [pair and pair[0] for pair in found]
    normal = [n for n, row in enumerate(rows) if row and labels[n] == 0]
    abnormal = [n for n, row in enumerate(rows) if row and labels[n] == 1]
    partners = {i: abnormal if pairs == "all" else abnormal[n : n + 1] for n, i in enumerate(normal)}
    sums = []
    for i, others in partners.items():
        hinges = [max(0.0, margin - high[j] + high[i]) for j in others]
        sums += [mean(hinges) if reduce == "mean" else sum(hinges)] if hinges else []
    gaps = [mean([max(0.0, margin - found[n][0] + found[n][1]) for n in abnormal])]
    gaps += [mean([found[n][0] - found[n][1] for n in normal])]
    return mean(sums) + inner * sum(gaps)


def drawn(labels, lengths):
    torch.manual_seed(len(labels))
    scores = torch.rand(len(labels), 7, dtype=torch.float64, requires_grad=True)
    mask = torch.arange(7) < torch.tensor(lengths)[:, None]
    scores.data[~mask] = 1.0  # padding is never the maximum
    return scores, mask, [row[:n].tolist() for row, n in zip(scores, lengths)]


def total(found):
    return found["total"] if isinstance(found, dict) else found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("labels", "lengths"), BATCHES)
def test_equals_a_loop_over_pairs(labels, lengths, form):
    scores, mask, rows = drawn(labels, lengths)
    loss = total(AllPairsRanking(margin=0.6, **FORMS[form])(scores, torch.tensor(labels).float(), mask))
    assert loss.item() == pytest.approx(by_hand(rows, labels, 0.6, **FORMS[form]), abs=1e-12)
    loss.backward()
    assert scores.grad.isfinite().all() and not scores.grad[~mask].any()


@pytest.mark.parametrize(("labels", "lengths"), BATCHES)
def test_attention_weights_the_scores(labels, lengths):
    scores, mask, rows = drawn(labels, lengths)
    attention = torch.randn(scores.shape, dtype=torch.float64)
    high = []
    for row, logits in zip(rows, attention.tolist()):
        weights = [math.exp(logit) for logit in logits[: len(row)]]
        high.append(sum(w * s for w, s in zip(weights, row)) / sum(weights) if row else None)
    loss = AllPairsRanking(margin=0.6)(scores, torch.tensor(labels).float(), mask, attention=attention)
    assert loss.item() == pytest.approx(by_hand(rows, labels, 0.6, high=high), abs=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_scores_of_crops_are_averaged(form):
    scores, labels = torch.rand(6, 5), torch.tensor([1.0, 0.0])
    loss = AllPairsRanking(**FORMS[form])
    assert total(loss(scores, labels, crops=3)) == total(loss(scores.reshape(2, 3, 5).mean(1), labels))


@pytest.mark.parametrize("wrong", [{"k": 0}, {"run": 0}, {"inner": -1.0}])
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="must be at least"):
        AllPairsRanking(**wrong)


@pytest.mark.parametrize("form", ["sultani", "mean", "inner_top"])
def test_contract(form):
    check_component(AllPairsRanking, **FORMS[form])
