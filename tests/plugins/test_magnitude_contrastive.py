"""magnitude_contrastive against loops over pairs, crops and ranks."""

from __future__ import annotations

import pytest
import torch
from vadkit_magnitude_contrastive import MagnitudeContrastive

from vadkit.testing import check_component

VIDEOS, CROPS, T, DIM = 6, 2, 12, 5
LABELS = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 1.0])  # normal and abnormal in no order


def features(seed=0, videos=VIDEOS, crops=CROPS):
    return torch.randn(videos * crops, T, DIM, generator=torch.manual_seed(seed)) * 4


def chosen_magnitudes(x, crops, k):
    """magnitudes[video][crop] is the list of L1 norms, strongest snippet (by L2) first."""
    result = []
    for rows in x.view(-1, crops, T, DIM):
        strength = [sum(float(c[t].norm()) for c in rows) for t in range(T)]
        order = sorted(range(T), key=lambda t: -strength[t])[:k]
        result.append([[float(c[t].abs().sum()) for t in order] for c in rows])
    return result


def distance(a, b):
    return sum((x - y + 1e-6) ** 2 for x, y in zip(a, b)) ** 0.5


def rows(magnitudes, label):
    return [m for m, one in zip(magnitudes, LABELS.tolist()) if one == label]


def between(magnitudes, margin):
    pairs = list(zip(rows(magnitudes, 1), rows(magnitudes, 0)))
    terms = [max(0.0, margin - distance(a, n)) ** 2 for abn, nor in pairs for a, n in zip(abn, nor)]
    return sum(terms) / len(terms)


def within(magnitudes, label):
    """All videos of crop 0, then all of crop 1: the second half of the list against the first."""
    videos = rows(magnitudes, label)
    row = [video[crop] for crop in range(len(videos[0])) for video in videos]
    half = len(row) // 2
    return sum(distance(row[half + i], row[i]) ** 2 for i in range(half)) / half


def test_contract():
    check_component(MagnitudeContrastive)


@pytest.mark.parametrize("crops", [1, 2])
def test_inter_equals_the_loop(crops):
    x = features(crops=crops)
    loss = MagnitudeContrastive(dim=DIM, k=4, margin=30.0).eval()
    wanted = between(chosen_magnitudes(x, crops, 4), 30.0)
    assert float(loss(x, LABELS, crops=crops)["total"]) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("crops", [1, 2, 3])
def test_mgfn_equals_the_loop(crops):
    x = features(crops=crops)
    parts = MagnitudeContrastive(dim=DIM, form="mgfn", k=3, margin=30.0).eval()(x, LABELS, crops=crops)
    m = chosen_magnitudes(x, crops, 3)
    wanted = {"between": between(m, 30.0), "within_abnormal": within(m, 1), "within_normal": within(m, 0)}
    for name, value in wanted.items():
        assert float(parts[name]) == pytest.approx(value, rel=1e-4), name
    total = 0.001 * wanted["between"] + wanted["within_abnormal"] + wanted["within_normal"]
    assert float(parts["total"]) == pytest.approx(total, rel=1e-4)


def test_margin_ends_the_pull():
    x = features()
    assert MagnitudeContrastive(dim=DIM, k=4, margin=0.0).eval()(x, LABELS, crops=CROPS)["total"] == 0


def test_dropout_keeps_snippets_from_being_chosen():
    loss = MagnitudeContrastive(dim=DIM, k=T // 2)
    keep = torch.zeros(2, T)
    keep[:, ::2] = 2.0
    loss.draw_noise = lambda shape, like: keep
    x = features(videos=2, crops=1)
    index = loss.choose(x[:, None], torch.ones(2, T, dtype=torch.bool))
    assert (index % 2 == 0).all()


def test_a_pair_of_one_may_be_compared_as_the_authors_do():
    x, labels = features(videos=2, crops=1), torch.tensor([0.0, 1.0])
    ours = MagnitudeContrastive(dim=DIM, k=4, margin=100.0).eval()(x, labels)["total"]
    theirs = MagnitudeContrastive(dim=DIM, k=4, margin=100.0, single_pair="authors").eval()(x, labels)["total"]
    assert float(theirs) == pytest.approx(100.0**2, rel=1e-6)
    assert float(ours) < 0.9 * float(theirs)


def test_unpaired_videos_are_left_out():
    x, labels = features(videos=4, crops=1), torch.tensor([0.0, 1.0, 0.0, 0.0])
    loss = MagnitudeContrastive(dim=DIM, k=4, margin=100.0).eval()
    assert torch.allclose(loss(x, labels)["total"], loss(x[:2], labels[:2])["total"])


def test_padding_neither_chosen_nor_compared():
    x, labels = features(videos=2, crops=1), torch.tensor([0.0, 1.0])
    mask = torch.arange(T) < torch.tensor([[3], [T]])
    loss = MagnitudeContrastive(dim=DIM, k=5, margin=100.0, use_mask=True).eval()
    normal, abnormal = chosen_magnitudes(x[:1, :3].repeat(1, 4, 1), 1, 12)[0][0], chosen_magnitudes(x[1:], 1, 5)[0][0]
    wanted = max(0.0, 100.0 - distance(abnormal[:3] + [0, 0], normal[::4][:3] + [0, 0])) ** 2
    assert float(loss(x, labels, mask)["total"]) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(("argument", "message"), [({"k": 0}, "k must be"), ({"dropout": 1.0}, "dropout must be")])
def test_refuses_bad_values(argument, message):
    with pytest.raises(ValueError, match=message):
        MagnitudeContrastive(dim=DIM, **argument)
