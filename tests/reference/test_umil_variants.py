"""UMIL on frozen features has no recorded run: its objective against a second, slow formula in loops."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import vadkit

Rows = list[list[Tensor]]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def built(dropout: float = 0.0) -> vadkit.VadModel:
    torch.manual_seed(0)
    model = vadkit.build(
        {
            "extends": "umil_ucf",
            "inputs": {"rgb": "b t 12"},
            "nodes": {
                "text": {"args": {"dim": 6}},
                "score": {"args": {"scale": 5.0}},
                "cluster": {"args": {"scale": 5.0}},
                "strong": {"args": {"dropout": dropout}},
                "strong_score": {"args": {"scale": 5.0}},
                "strong_cluster": {"args": {"scale": 5.0}},
            },
        }
    )
    return model.double().train()


def classes(w: dict[str, Tensor], head: str, x: Tensor) -> Rows:
    """Return the probabilities of both classes of each snippet."""
    found = []
    for row in x:
        cosines = []
        for snippet in row:
            v = w[f"{head}.project.weight"] @ snippet + w[f"{head}.project.bias"]
            cosines.append([(v @ c) / (v.norm() * c.norm()) for c in w["text.weight"]])
        found.append([torch.softmax(torch.stack([5 * c for c in pair]), 0) for pair in cosines])
    return found


def bce(p: Tensor, label: float) -> Tensor:
    return -(p if label else 1 - p).log().clamp_min(-100)


def mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean()


def bag_terms(scores: Rows, labels: list[float]) -> Tensor:
    terms = []
    for row, label in zip(scores, labels):
        s = torch.stack([p[1] for p in row])
        i = int(s.argmax())
        sure = row[i].max()
        smooth = sum(((s[t + 1] - s[t]) ** 2 for t in range(len(s) - 1)), s.sum() * 0)
        bag = sure * bce(s[i], label) + sure * bce(s[i] - s.min(), label)
        terms.append(bag + 0.01 * smooth + 0.001 * s.sum())
    return mean(terms)


def consistency(weak: Rows, strong: Rows) -> Tensor:
    terms = []
    for a, b in zip(weak, strong):
        for p, q in zip(a, b):
            terms.append(-q[int(p.argmax())].log() * float(p.max() >= 0.8))
    return mean(terms)


def clustering(x: Tensor, weak: Rows, strong: Rows) -> Tensor:
    features, first, second = x.flatten(0, 1), sum(weak, []), sum(strong, [])
    terms = []
    for i, p in enumerate(first):
        for j, q in enumerate(second):
            alike = features[i] @ features[j] > 0.7 * features[i].norm() * features[j].norm()
            same = p @ q
            terms.append(-((same if alike else 1 - same) + 1e-7).log())
    return mean(terms)


def total(w: dict[str, Tensor], x: Tensor, labels: list[float]) -> Tensor:
    score, cluster = classes(w, "head_video", x), classes(w, "u_head_video", x)
    agree = consistency(score, score) + consistency(cluster, cluster)
    return bag_terms(score, labels) + agree + 0.01 * clustering(x, cluster, cluster)


@pytest.mark.parametrize(
    ("t", "labels"), [(16, [0.0, 1.0, 1.0]), (5, [1.0, 0.0]), (2, [1.0, 1.0]), (2, [0.0]), (1, [0.0, 0.0])]
)
def test_the_objective_of_a_batch(t: int, labels: list[float]) -> None:
    model = built()
    generator = torch.Generator().manual_seed(t)
    x = torch.randn(len(labels), t, 12, generator=generator, dtype=torch.float64)
    x = x + 2 * x[:, :1]  # so that some snippets are alike
    found = model.loss({"rgb": x, "labels": torch.tensor(labels)})["total"]
    w = {name: value.detach().requires_grad_() for name, value in model.state_dict().items()}
    wanted = total(w, x, labels)
    torch.testing.assert_close(found, wanted)
    found.backward()
    wanted.backward()
    for name, value in model.named_parameters():
        torch.testing.assert_close(value.grad, w[name].grad, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("t", [1, 2, 5, 1200])
def test_any_length_trains_and_scores(t: int) -> None:
    model = built(dropout=0.5).float()
    batch: dict[str, Any] = {"rgb": torch.randn(2, t, 12), "labels": torch.tensor([1.0, 0.0])}
    loss = model.loss(batch)["total"]
    loss.backward()
    assert math.isfinite(loss.item()) and all(p.grad.isfinite().all() for p in model.parameters())
    model.eval()
    with torch.no_grad():
        both, alone = model(batch["rgb"]), model(batch["rgb"][:1])
    torch.testing.assert_close(both[:1], alone)
    assert ((both > 0) & (both < 1)).all()


def test_the_text_vectors_are_frozen_and_the_views_differ() -> None:
    model = built(dropout=0.5)
    assert sorted(dict(model.named_parameters())) == [
        f"{head}.project.{what}" for head in ("head_video", "u_head_video") for what in ("bias", "weight")
    ]
    values = model.values({"rgb": torch.ones(1, 3, 12, dtype=torch.float64)})
    assert not torch.equal(values["score.logits"], values["strong_score.logits"])
