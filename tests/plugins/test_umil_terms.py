"""confident_peak, view_agreement and pair_clustering against loops over videos, snippets and pairs; cosine_head."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_confident_peak import ConfidentPeak
from vadkit_cosine_head import CosineHead
from vadkit_pair_clustering import PairClustering
from vadkit_view_agreement import ViewAgreement

from vadkit.testing import check_component

BATCHES = [([1, 0, 1], [6, 6, 6]), ([0, 1, 1, 0], [1, 2, 6, 3]), ([0], [4]), ([1, 1], [1, 1]), ([1, 0], [5, 0])]


def drawn(labels, lengths, *shape):
    generator = torch.Generator().manual_seed(len(labels) + sum(lengths))
    x = torch.randn(len(labels), 6, *shape, generator=generator, dtype=torch.float64)
    return x, torch.tensor(labels).float(), torch.arange(6) < torch.tensor(lengths)[:, None]


def entropy(p, label):
    return -math.log(p if label else 1 - p)


@pytest.mark.parametrize(("labels", "lengths"), BATCHES)
def test_confident_peak(labels, lengths):
    x, y, mask = drawn(labels, lengths)
    scores = torch.sigmoid(x).requires_grad_()
    found = ConfidentPeak(range_weight=0.5)(scores, y, mask)
    peaks, gaps = [], []
    for row, label, n in zip(scores.tolist(), labels, lengths):
        if n:
            high, low = max(row[:n]), min(row[:n])
            sure = max(high, 1 - high)
            peaks.append(sure * entropy(high, label))
            # torch bounds the logarithm of a probability of 0 at -100
            gaps.append(sure * (entropy(high - low, label) if high > low or not label else 100))
    assert found["peak"].item() == pytest.approx(sum(peaks) / len(peaks))
    assert found["range"].item() == pytest.approx(sum(gaps) / len(gaps))
    assert found["total"].item() == pytest.approx(found["peak"].item() + 0.5 * found["range"].item())
    found["total"].backward()
    assert scores.grad.isfinite().all() and not scores.grad[~mask].any()


def test_the_weight_of_confident_peak_has_a_gradient():
    scores = torch.tensor([[0.2, 0.9, 0.4]], dtype=torch.float64, requires_grad=True)
    ConfidentPeak(range_weight=0)(scores, torch.zeros(1))["total"].backward()
    assert scores.grad[0, 1].item() == pytest.approx(-math.log(0.1) + 0.9 / 0.1)


@pytest.mark.parametrize(("labels", "lengths"), BATCHES)
def test_view_agreement(labels, lengths):
    weak, _, mask = drawn(labels, lengths, 3)
    strong = weak.flip(0).roll(1, 1).requires_grad_()
    weak = (2 * weak).requires_grad_()
    loss = ViewAgreement(num_classes=3, above=0.7)(strong, weak, mask)
    terms = []
    for b, n in enumerate(lengths):
        for t in range(n):
            p = weak[b, t].softmax(-1).tolist()
            chosen = p.index(max(p))
            terms.append(-strong[b, t].log_softmax(-1)[chosen].item() if max(p) >= 0.7 else 0.0)
    assert sum(t > 0 for t in terms) > 0 and loss.item() == pytest.approx(sum(terms) / len(terms))
    loss.backward()
    assert weak.grad is None and not strong.grad[~mask].any()
    whole = ViewAgreement(num_classes=3, above=0.7)
    assert torch.allclose(whole(strong, weak), whole(strong, weak, torch.ones_like(mask)))


@pytest.mark.parametrize("only", ["all", "ambiguous"])
@pytest.mark.parametrize(("labels", "lengths"), BATCHES)
def test_pair_clustering(labels, lengths, only):
    x, y, mask = drawn(labels, lengths, 4)
    weak, strong = x[..., :2].clone().requires_grad_(), (3 * x[..., 2:]).clone().requires_grad_()
    weight = (torch.arange(6) % 3 == 0).float().expand(len(labels), 6)
    loss = PairClustering(dim=4, num_classes=2, alike=0.3, only=only)(x, weak, strong, y, mask, weight)
    kept = [
        (b, t)
        for b, n in enumerate(lengths)
        for t in range(n)
        if only == "all" or (labels[b] == 1 and weight[b, t] == 0)
    ]
    terms = []
    for i in kept:
        for j in kept:
            p = sum(a * c for a, c in zip(weak[i].softmax(-1).tolist(), strong[j].softmax(-1).tolist()))
            alike = torch.dot(x[i], x[j]).item() > 0.3 * x[i].norm().item() * x[j].norm().item()
            terms.append(-math.log((p if alike else 1 - p) + 1e-7))
    assert loss.item() == pytest.approx(sum(terms) / max(len(terms), 1))
    loss.backward()
    assert weak.grad.isfinite().all() and not weak.grad[~mask].any()


def test_nothing_is_ambiguous_without_weights():
    x, y, _ = drawn([1, 0], [6, 6], 4)
    loss = PairClustering(dim=4, num_classes=2, only="ambiguous")
    assert loss(x, x[..., :2], x[..., 2:], y) == 0


def test_cosine_head():
    head = CosineHead(in_dim=5, dim=3, rows=2, scale=7.0).double()
    x, text = torch.randn(2, 4, 5, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    found = head(x, text)
    for b in range(2):
        for t in range(4):
            row = head.project.weight @ x[b, t] + head.project.bias
            cosines = [float(row.detach() @ c / (row.detach().norm() * c.norm())) for c in text]
            p = math.exp(7 * cosines[1]) / sum(math.exp(7 * c) for c in cosines)
            assert found["scores"][b, t].item() == pytest.approx(p)
            assert found["logits"][b, t].tolist() == pytest.approx([7 * c for c in cosines])
    assert "logit_scale" not in head.state_dict()
    learned = CosineHead(in_dim=5, dim=3, rows=2, scale=7.0, learn_scale=True).double()
    learned.load_state_dict({**learned.state_dict(), **head.state_dict()})
    torch.testing.assert_close(learned(x, text)["scores"], found["scores"], rtol=1e-6, atol=0)
    learned(x, text)["scores"].sum().backward()
    assert learned.logit_scale.grad.abs() > 0


@pytest.mark.parametrize("component", [ConfidentPeak, ViewAgreement, PairClustering, CosineHead])
def test_contract(component):
    check_component(component)


def test_refusals():
    with pytest.raises(ValueError, match="two classes"):
        CosineHead(in_dim=5, dim=3, rows=1)
    with pytest.raises(ValueError, match="above must be at least 0"):
        ViewAgreement(num_classes=2, above=1.0)
    with pytest.raises(ValueError, match="alike is a cosine"):
        PairClustering(dim=4, num_classes=2, alike=2)
