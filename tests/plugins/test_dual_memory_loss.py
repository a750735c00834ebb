"""dual_memory_loss against loops that follow the equations, video by video."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F
from vadkit_dual_memory_loss import DualMemoryLoss

from vadkit.testing import check_component

T, DIM = 40, 6
LABELS = torch.tensor([1.0, 0.0, 0.0, 1.0])


def batch(crops=1, seed=0, t=T, labels=LABELS):
    generator = torch.manual_seed(seed)
    b = len(labels) * crops
    vectors = {n: torch.randn(b, t, DIM, generator=generator) for n in ("x", "abnormal_read", "latent", "mu", "logvar")}
    scores = {n: torch.rand(b, t, generator=generator) for n in ("abnormal_score", "normal_score")}
    return {**vectors, **scores, "labels": labels}


def top(values, k):
    return sorted(values.tolist(), reverse=True)[:k]


def pooled(rows, score, crops, k):
    """Mean of the rows where the score is highest, crop by crop, then over crops."""
    per_crop = [r[s.topk(k).indices].mean(0) for r, s in zip(rows, score)]
    return torch.stack(per_crop).mean(0)


def by_hand(given, crops, k, pool_k, lengths):
    video = {n: v.view(len(LABELS), crops, *v.shape[1:]) for n, v in given.items() if n != "labels"}
    a, n = video["abnormal_score"].mean(1), video["normal_score"].mean(1)
    abnormal = [i for i, y in enumerate(LABELS.tolist()) if y == 1]
    normal = [i for i, y in enumerate(LABELS.tolist()) if y == 0]

    def mean(values):
        return sum(values) / len(values)

    def pool(name, by, i):
        return pooled(video[name][i], video[by][i], crops, pool_k)

    anchor = [pool("x", "normal_score", i) for i in normal]
    positive = [pool("x", "normal_score", i) for i in abnormal]
    negative = [pool("x", "abnormal_score", i) for i in abnormal]
    unit = [[v / v.norm() for v in vs] for vs in (anchor, positive, negative)]
    gap = [(math.dist(p, q), math.dist(p, r)) for p, q, r in zip(*unit)]
    long = [pool("abnormal_read", "abnormal_score", i).norm() for i in abnormal]
    short = [pool("latent", "normal_score", i).norm() for i in normal]
    kl = [
        -0.5 * (1 + lv - m**2 - lv.exp()).sum(0).mean()
        for i in normal
        for m, lv in zip(video["mu"][i], video["logvar"][i])
    ]
    return {
        "abnormal_high": mean([-math.log(mean(top(a[i], k))) for i in abnormal]),
        "normal_low": mean([-math.log(mean(top(1 - n[i], k))) for i in abnormal]),
        "normal_high": mean([mean([-math.log(s) for s in n[i, : lengths[i]].tolist()]) for i in normal]),
        "abnormal_low": mean([mean([-math.log(1 - s) for s in a[i, : lengths[i]].tolist()]) for i in normal]),
        "kl": float(mean(kl)),
        "triplet": mean([max(0.0, near - far + 1) for near, far in gap]),
        "distance": float(mean([max(0.0, float(100 - p + q)) for p, q in zip(long, short)])),
        "cosine": float(mean([1 - F.cosine_similarity(p, q, dim=0) for p, q in zip(anchor, negative)])),
    }


def test_contract():
    check_component(DualMemoryLoss)


@pytest.mark.parametrize("crops", [1, 2])
@pytest.mark.parametrize(("form", "k"), [("ur_dmu", 3), ("wsv_gst", 20)])
def test_equals_the_loops(form, k, crops):
    given, lengths = batch(crops), [T, 33, 7, T]
    mask = (torch.arange(T) < torch.tensor(lengths)[:, None]).repeat_interleave(crops, 0)
    parts = DualMemoryLoss(dim=DIM, form=form, cos_weight=0.5)(**given, mask=mask, crops=crops)
    wanted = by_hand(given, crops, k, 3, lengths)
    for name, value in wanted.items():
        assert float(parts[name]) == pytest.approx(value, rel=1e-4), name
    answers = sum(wanted[n] for n in ("abnormal_high", "normal_low", "normal_high", "abnormal_low"))
    total = 0.1 * answers + 0.1 * wanted["triplet"] + 0.001 * wanted["kl"] + 1e-4 * wanted["distance"]
    assert float(parts["total"]) == pytest.approx(total + 0.5 * wanted["cosine"], rel=1e-4)


def test_pooling_may_take_another_number_of_snippets():
    given = batch()
    parts = DualMemoryLoss(dim=DIM, pool_k=20)(**given)
    wanted = by_hand(given, 1, 3, 20, [T] * 4)
    assert float(parts["triplet"]) == pytest.approx(wanted["triplet"], rel=1e-4)
    assert float(parts["distance"]) == pytest.approx(wanted["distance"], rel=1e-4)


def test_short_bags_are_taken_whole():
    given = batch(t=5)
    parts = DualMemoryLoss(dim=DIM, form="wsv_gst")(**given)
    wanted = by_hand(given, 1, 5, 1, [5] * 4)
    assert float(parts["abnormal_high"]) == pytest.approx(wanted["abnormal_high"], rel=1e-5)


def test_only_half_of_the_terms_leave_padding_out_unless_told_otherwise():
    given, mask = batch(), torch.ones(4, T, dtype=torch.bool)
    mask[:, 9:] = False
    cut = {n: v if n == "labels" else v[:, :9] for n, v in given.items()}
    masked = DualMemoryLoss(dim=DIM, form="wsv_gst", use_mask=True, pool_k=2)(**given, mask=mask)
    short = DualMemoryLoss(dim=DIM, form="wsv_gst", pool_k=2)(**cut)
    for name, value in short.items():
        assert torch.allclose(masked[name], value, rtol=1e-4), name
    as_run = DualMemoryLoss(dim=DIM, form="wsv_gst", pool_k=2)(**given, mask=mask)
    assert torch.allclose(as_run["normal_high"], short["normal_high"])
    assert not torch.allclose(as_run["kl"], short["kl"])


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_alone_keeps_its_own_terms(label):
    labels = torch.full((3,), label)
    parts = DualMemoryLoss(dim=DIM)(**batch(labels=labels))
    own = {0.0: {"normal_high", "abnormal_low", "kl"}, 1.0: {"abnormal_high", "normal_low"}}[label]
    assert {n for n, v in parts.items() if v != 0} == own | {"total"}


def test_refuses_to_pool_nothing():
    with pytest.raises(ValueError, match="pool_k must be at least 1"):
        DualMemoryLoss(dim=DIM, pool_k=0)
