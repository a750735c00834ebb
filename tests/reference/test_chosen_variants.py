"""RTFM, CLIP-TSA and MGFN at other lengths, crops and batches than the records have, against slow formulas.

Legend: v videos, t snippets, c channels, k chosen snippets.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import vadkit
from vadkit.graph.module import VadModel

SMALL: dict[str, dict[str, Any]] = {
    "rtfm_ucf": {"inputs": {"rgb": "b t 16"}, "nodes": {"score": {"args": {"hidden": [8, 4]}}}},
    "clip_tsa_ucf": {
        "inputs": {"clip": "b t 16"},
        "nodes": {"score": {"args": {"hidden": [8, 4]}}, "attended": {"args": {"samples": 5}}},
    },
    "mgfn_ucf": {
        "inputs": {"rgb": "b t 16"},
        "nodes": {
            "tokens": {"args": {"dim": 8}},
            "glance": {"args": {"head_dim": 4, "dim": 12}},
            "focus": {"args": {"head_dim": 4, "dim": 16}},
            "deep": {"args": {"head_dim": 4}},
        },
    },
}
FEATURES = {"rtfm_ucf": "context", "clip_tsa_ucf": "context", "mgfn_ucf": "normed"}
BATCHES = {
    "mixed": [0.0, 1.0, 1.0, 0.0],
    "one pair": [1.0, 0.0],
    "one bag": [1.0],
    "normal": [0.0, 0.0],
    "abnormal": [1.0, 1.0, 1.0],
}


@pytest.fixture(scope="module", params=SMALL)
def built(request: pytest.FixtureRequest) -> tuple[str, VadModel]:
    name: str = request.param
    torch.manual_seed(0)
    return name, vadkit.build({"extends": name, **SMALL[name]})


def fed(model: VadModel, labels: list[float], t: int, crops: int) -> dict[str, Any]:
    (stream,) = model.input_sizes
    torch.manual_seed(t)
    x = torch.randn(len(labels) * crops, t, model.input_sizes[stream])
    return {stream: x, "labels": torch.tensor(labels), "crops": crops}


# -- the objective, written down again ----------------------------------------------------------
def bce(bag: list[Tensor], labels: list[float]) -> Tensor:
    terms = [-torch.log(s if y > 0.5 else 1 - s).clamp(min=-100) for s, y in zip(bag, labels)]
    return sum(terms) / len(terms)  # type: ignore[return-value]


def distance(one: Tensor, other: Tensor) -> Tensor:
    return (one - other + 1e-6).square().sum().sqrt()


def contrast(chosen: list[Tensor], labels: list[float]) -> Tensor:
    """MGFN's loss of L1 norms, from the features (crops, k, c) of each video."""
    size = [x.abs().sum(-1) for x in chosen]  # (crops, k)
    kinds = {kind: [s for s, y in zip(size, labels) if (y > 0.5) == kind] for kind in (False, True)}
    pairs = [(n[c], a[c]) for n, a in zip(kinds[False], kinds[True]) for c in range(len(n))]
    between = [(200 - distance(a, n)).clamp(min=0) ** 2 for n, a in pairs]
    total = 0.001 * sum(between) / max(1, len(between))
    for own in kinds.values():
        rows = [s[c] for c in range(len(size[0])) for s in own]  # all videos of the first crop first
        half = len(rows) // 2
        near = [distance(rows[half + i], rows[i]) ** 2 for i in range(half)]
        total = total + sum(near) / max(1, len(near))
    return torch.as_tensor(total)


def magnitude(chosen: list[Tensor], labels: list[float]) -> Tensor:
    size = [x.mean(1).norm(dim=-1) for x in chosen]  # (crops)
    normal, abnormal = ([s for s, y in zip(size, labels) if (y > 0.5) == kind] for kind in (False, True))
    pairs = [((100 - a).abs() + n).square().mean() for n, a in zip(normal, abnormal)]
    return torch.as_tensor(sum(pairs) / max(1, len(pairs)))


def objective(name: str, scores: Tensor, features: Tensor, index: Tensor, labels: list[float]) -> Tensor:
    """Return the authors' cost from scores (v, t), features (v, crops, t, c) and the chosen snippets (v, k)."""
    bag = [scores[v, index[v]].mean() for v in range(len(labels))]
    chosen = [features[v][:, index[v]] for v in range(len(labels))]
    own = {y: [s for s, label in zip(scores, labels) if label == y] for y in (0.0, 1.0)}
    empty = scores.new_zeros(0)
    if name == "mgfn_ucf":
        smooth = sum((s[1:] - s[:-1]).square().sum() for s in scores)
        sparse = torch.cat([*own[0.0], empty]).norm()
        return bce(bag, labels) + 0.001 * contrast(chosen, labels) + 8e-4 * smooth + 8e-3 * sparse
    row = torch.cat([*own[1.0], empty])
    smooth = (row[1:] - row[:-1]).square().sum()
    return bce(bag, labels) + 1e-4 * magnitude(chosen, labels) + 8e-4 * smooth + 8e-3 * row.norm()


@pytest.mark.parametrize("t", (1, 2, 5, 33))
@pytest.mark.parametrize("crops", (1, 3))
@pytest.mark.parametrize("kind", BATCHES)
def test_the_objective_is_the_formula(built: tuple[str, VadModel], t: int, crops: int, kind: str) -> None:
    name, model = built
    labels, batch = BATCHES[kind], fed(model, BATCHES[kind], t, crops)
    model.eval()
    with torch.no_grad():
        values = model.values(batch)
        found = model.loss(batch)["total"]
        scores = torch.sigmoid(values["score.scores"]).unflatten(0, (-1, crops)).mean(1)
        features = values[f"{FEATURES[name]}.x"].unflatten(0, (-1, crops))
        wanted = objective(name, scores, features, values["chosen.index"], labels)
    assert values["chosen.index"].shape == (len(labels), min(3, t))
    assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("t", (1, 2, 5, 32))
@pytest.mark.parametrize("kind", BATCHES)
def test_it_trains_on_every_batch(built: tuple[str, VadModel], t: int, kind: str) -> None:
    _, model = built
    model.train().zero_grad()
    for crops in (1, 2):
        parts = model.loss(fed(model, BATCHES[kind], t, crops))
        assert all(part.isfinite() for part in parts.values())
        parts["total"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("t", (1, 2, 5, 1200))
def test_a_score_does_not_depend_on_its_neighbours(built: tuple[str, VadModel], t: int) -> None:
    _, model = built
    (x,) = [value for value in fed(model, [0.0, 1.0], t, 1).values() if isinstance(value, Tensor) and value.ndim == 3]
    with torch.no_grad():
        together = model.eval()(x)
        alone = torch.cat([model(row[None]) for row in x])
    assert together.shape == (2, t) and together.isfinite().all()
    assert torch.allclose(together, alone, atol=1e-5)


SWITCHES = {
    "rtfm_ucf": ["losses.calm.args.across=false", "losses.calm.args.sparse_form=sum"],
    "clip_tsa_ucf": ["nodes.attended.args.gradient=textbook", "losses.calm.args.across=false"],
    "mgfn_ucf": ["losses.calm.args.sparse_of=abnormal"],
}


@pytest.mark.parametrize(("name", "switch"), [(name, s) for name, sets in SWITCHES.items() for s in sets])
def test_a_switched_quirk_changes_what_is_learnt(name: str, switch: str) -> None:
    def gradient(sets: list[str]) -> Tensor:
        torch.manual_seed(0)
        model = vadkit.build({"extends": name, **SMALL[name]}, set=sets).train().double()
        batch = fed(model, BATCHES["mixed"], 9, 1)
        torch.manual_seed(1)
        model.loss({name: x.double() if isinstance(x, Tensor) else x for name, x in batch.items()})["total"].backward()
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    assert torch.equal(gradient([]), gradient([]))
    assert not torch.equal(gradient([]), gradient([switch]))
