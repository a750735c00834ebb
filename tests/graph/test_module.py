"""The model: scores, losses, values inside, copies."""

import copy

import pytest
import torch

import vadkit
from vadkit import VadkitError


@pytest.fixture
def model(graph):
    torch.manual_seed(0)
    return vadkit.build(graph).eval()


@pytest.fixture
def batch():
    torch.manual_seed(1)
    return {"rgb": torch.rand(2, 5, 8), "clip": torch.rand(2, 5, 4), "labels": torch.tensor([0.0, 1.0])}


def by_hand(model, batch, mask=None):
    gate = batch["clip"].mean(-1)
    gate = gate if mask is None else gate * mask
    fused = torch.cat([model.context.linear(batch["rgb"]), batch["clip"] * gate[..., None]], -1)
    return model.score.linear(fused).squeeze(-1)


def test_scores_are_what_the_blocks_give(model, batch):
    expected = torch.sigmoid(by_hand(model, batch))
    assert torch.allclose(model(rgb=batch["rgb"], clip=batch["clip"]), expected)
    assert torch.equal(model(batch["rgb"], batch["clip"]), model(clip=batch["clip"], rgb=batch["rgb"]))
    assert torch.equal(model.inference(batch["rgb"], batch["clip"]), model(batch["rgb"], batch["clip"]))


def test_the_mask_reaches_the_nodes_that_look_at_it(model, batch):
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    scores = model(batch["rgb"], batch["clip"], mask=mask)
    assert torch.allclose(scores, torch.sigmoid(by_hand(model, batch, mask)))


def test_loss_is_weighted_and_takes_probabilities(model, batch):
    losses = model.loss(batch)
    best = torch.sigmoid(by_hand(model, batch)).max(1).values
    expected = torch.nn.functional.binary_cross_entropy(best, batch["labels"])
    assert torch.allclose(losses["mil"], expected)
    assert torch.allclose(losses["total"], 2 * expected)
    assert torch.allclose(losses["mil.best"], best.mean())


def test_labels_reach_nodes_in_training_only(model, batch):
    at_test = model.values(batch, ["gate.gate"])["gate.gate"]
    assert torch.allclose(at_test, batch["clip"].mean(-1))
    in_training = model.train().values(batch, ["gate.gate"])["gate.gate"]
    assert torch.allclose(in_training, at_test + batch["labels"][:, None])


def test_a_loss_of_weight_zero_cannot_spoil_the_total(graph, batch):
    graph["losses"]["off"] = {"use": "toy_loss", "in": "score", "weight": 0}
    losses = vadkit.build(graph).loss(batch)
    assert torch.equal(losses["total"], 2 * losses["mil"])
    assert "off" in losses


def test_a_weight_that_changes_goes_by_the_epoch(graph, batch):
    graph["losses"]["off"] = {"use": "toy_loss", "in": "score", "weight": {"from": 0.0, "to": 1.5, "epochs": 15}}
    model = vadkit.build(graph)
    for epoch, weight in ((0, 0.0), (1, 0.1), (7, 0.7), (15, 1.5), (16, 1.5), (400, 1.5)):
        losses = model.loss({**batch, "epoch": epoch})
        assert torch.allclose(losses["total"], 2 * losses["mil"] + weight * losses["off"])
        assert model.changing_weights(epoch) == {"off": pytest.approx(weight)}
    assert torch.equal(model.loss(batch)["total"], losses["total"])  # a batch outside a run: the last


def test_a_weight_of_zero_for_now_cannot_spoil_the_total(graph, batch):
    graph["losses"]["off"] = {"use": "toy_loss", "in": "score", "weight": {"from": 0.0, "to": 1.5, "epochs": 2}}
    model = vadkit.build(graph)
    model.losses["off"].forward = lambda **ports: ports["scores"].sum() * float("nan")
    assert model.loss({**batch, "epoch": 0})["total"].isfinite()
    assert model.loss({**batch, "epoch": 1})["total"].isnan()


def test_a_weight_can_fall(graph, batch):
    graph["losses"]["mil"]["weight"] = {"from": 3.0, "to": 1.0, "epochs": 2}
    model = vadkit.build(graph)
    losses = [model.loss({**batch, "epoch": epoch}) for epoch in (0, 1, 2)]
    assert [(x["total"] / x["mil"]).item() for x in losses] == pytest.approx([3, 2, 1])


def test_a_missing_or_unknown_stream_is_named(model, batch):
    with pytest.raises(VadkitError, match="needs the stream 'clip'"):
        model(rgb=batch["rgb"])
    with pytest.raises(VadkitError, match="the graph has no input 'flow'"):
        model(rgb=batch["rgb"], clip=batch["clip"], flow=batch["clip"])
    with pytest.raises(VadkitError, match="unknown value 'contxt'"):
        model.values(batch, ["contxt"])


def test_a_copy_has_weights_of_its_own(model, batch):
    before = model(batch["rgb"], batch["clip"])
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.context.linear.weight.zero_()
    assert not torch.equal(other(batch["rgb"], batch["clip"]), before)
    assert torch.equal(model(batch["rgb"], batch["clip"]), before)


def test_state_dict_has_the_names_of_the_nodes(model):
    assert list(model.state_dict()) == [
        "context.linear.weight",
        "context.linear.bias",
        "score.linear.weight",
        "score.linear.bias",
    ]
