"""Values of the batch: the table, wired by name or by themselves, and ports that take what listed nodes give."""

import copy

import pytest
import torch

import vadkit
from vadkit import VadkitError
from vadkit.batch_ports import BATCH_PORTS, Drawing, as_shape
from vadkit.bench.timing import Load, random_batch
from vadkit.cli import main

CLASSES = {
    "inputs": {"rgb": "b t 8"},
    "nodes": {"logits": {"use": "toy_logits", "in": "rgb"}, "score": {"use": "mlp_head", "in": "rgb"}},
    "losses": {"types": {"use": "toy_classes", "in": "logits"}},
    "output": "score",
    "data": {"classes": ["normal", "riot", "fire"]},
}


def changed(graph, **sections):
    return {**copy.deepcopy(graph), **sections}


# -- the table -----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", BATCH_PORTS)
@pytest.mark.parametrize("labels", [[0, 1, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0], [1]])
def test_what_is_drawn_has_the_declared_shape(name, labels):
    port, labels = BATCH_PORTS[name], torch.tensor(labels)
    counts = {"b": 2 * len(labels), "v": len(labels), "t": 7, "num_classes": 5, "prompt_dim": 3, "streams": 3}
    shape = as_shape(port.shape, counts)
    value = port.draw(Drawing(shape, labels, crops=2))
    assert type(value) is int if not shape else value.shape == shape


def test_a_drawn_class_set_agrees_with_the_labels():
    labels = torch.arange(40) % 2
    for classes in (1, 2, 14):
        rows = BATCH_PORTS["class_set"].draw(Drawing((40, classes), labels))
        assert (rows[::2, 0] == 1).all() and (rows[::2, 1:] == 0).all()
        assert (rows[1::2, 0] == 0).all() and (classes == 1 or (rows[1::2].sum(1) >= 1).all())
    assert (rows.sum(1) > 1).any()


# -- wired by name -------------------------------------------------------------------------------
def test_a_value_of_the_batch_feeds_a_port_of_another_name(graph):
    graph["losses"]["known"] = {"use": "distillation", "in": {"scores": "score", "teacher": "targets"}}
    model = vadkit.build(graph).train()
    batch = random_batch(model, Load(bags=4, snippets=9), torch.device("cpu"))
    assert batch["targets"].shape == (4, 9)
    given = model.loss(batch)["known"]
    probability = torch.sigmoid(model.values(batch, ["score"])["score"])
    assert torch.equal(given, model.losses["known"](scores=probability, teacher=batch["targets"])["total"])
    assert not torch.equal(given, model.loss({**batch, "targets": 1 - batch["targets"]})["known"])
    del batch["targets"]
    with pytest.raises(VadkitError, match=r"loss 'known' \(distillation\) needs targets, and the batch has none"):
        model.loss(batch)


def test_a_node_takes_a_value_by_name_too(graph):
    graph["nodes"]["gate"]["in"] = {"x": "clip", "mask": "targets"}
    model = vadkit.build(graph).train()
    assert [ref.name for ref in model.plan.step("gate").refs] == ["clip", "targets", "labels"]
    batch = random_batch(model, Load(bags=2, snippets=5), torch.device("cpu"))
    gate = model.values(batch, ["gate.gate"])["gate.gate"]
    assert torch.allclose(gate, batch["clip"].mean(-1) * batch["targets"] + batch["labels"][:, None])
    assert [node.name for node in model.inference.graph.find_nodes(op="placeholder")] == ["rgb", "clip"]


def test_epoch_and_weight_reach_a_loss(graph):
    graph["losses"] = {"known": {"use": "toy_targets", "in": "score"}}
    model = vadkit.build(graph)
    batch = random_batch(model, Load(bags=2, snippets=5), torch.device("cpu"))
    first, third = model.loss(batch)["known"], model.loss({**batch, "epoch": 2})["known"]
    assert torch.allclose(third, 3 * first)
    assert model.loss({**batch, "target_weight": torch.zeros(2, 5)})["known"] == 0


# -- what the data section leaves empty ------------------------------------------------------------
def test_targets_may_come_later(graph, tmp_path, capsys):
    """A recipe fills them, so build says what is needed and train refuses to begin."""
    graph["losses"] = {"known": {"use": "toy_targets", "in": "score"}}
    need = "loss 'known' (toy_targets) needs targets: set data.targets to a file of targets, or train in a recipe"
    vadkit.build(graph)
    (tmp_path / "g.yaml").write_text(str(graph))
    assert main(["build", str(tmp_path / "g.yaml")]) == 0
    assert f"before training: {need}" in capsys.readouterr().out


def test_a_loss_that_only_logs_needs_nothing(toys):
    graph = changed(CLASSES, data={})
    with pytest.raises(VadkitError, match=r"loss 'types' \(toy_classes\) needs class_set: set data.classes"):
        vadkit.build(graph)
    graph["losses"]["types"]["weight"] = 0
    vadkit.build(graph)


def test_the_number_of_classes_sizes_what_is_left_open(toys):
    model = vadkit.build(CLASSES)
    assert model.losses["types"].num_classes == 3
    batch = random_batch(model, Load(bags=4, snippets=5), torch.device("cpu"))
    assert batch["class_set"].shape == (4, 3)
    assert model.loss(batch)["types"].isfinite()
    with pytest.raises(VadkitError, match="needs num_classes=3, as logits gives it, but class_set gives 2"):
        vadkit.build(changed(CLASSES, data={"classes": ["normal", "riot"]}))


# -- from ------------------------------------------------------------------------------------------
LONG = {
    port: f"memory.{port}" for port in ("abnormal_score", "normal_score", "abnormal_read", "latent", "mu", "logvar")
}


@pytest.mark.parametrize("written", [{"x": "attention", "from": "memory"}, {"from": ["memory"], "x": "attention"}])
def test_open_ports_take_what_a_listed_node_gives(written):
    short = vadkit.build("ur_dmu_xd", set=[f"losses.memory.in={written}"], seed=1)
    wires = {"x": "attention", **LONG}
    long = vadkit.build("ur_dmu_xd", set=["losses.memory.in=attention", f"losses.memory.in={wires}"], seed=1)
    assert short.plan.losses == long.plan.losses
    assert {k: v.tolist() for k, v in short.state_dict().items()} == {
        k: v.tolist() for k, v in long.state_dict().items()
    }


def test_written_ports_come_first_and_two_nodes_may_share_the_rest(graph):
    graph["nodes"]["other"] = {"use": "toy_gate", "in": "clip"}
    graph["losses"]["known"] = {"use": "toy_targets", "in": {"scores": "gate.gate", "from": ["score"]}}
    with pytest.raises(VadkitError, match=r"known \(toy_targets\) takes nothing from 'score'"):
        vadkit.build(graph)
    graph["losses"]["known"]["in"] = {"from": "score"}
    graph["nodes"]["context"]["in"] = {"from": "other"}
    del graph["inputs"]["rgb"]
    wires = vadkit.build(graph).plan
    assert str(wires.step("context").wires["x"]) == "other.x"
    assert str(wires.losses[1].wires["scores"]) == "score.scores"


def test_a_wired_batch_port_is_taken_from_a_listed_node(graph):
    """Only under the very name: ``gate`` gives x and gate, so the mask still comes from the batch."""
    graph["nodes"]["context"] = {"use": "toy_gate", "in": {"from": "gate"}}
    del graph["inputs"]["rgb"]
    wires = vadkit.build(graph).plan.step("context").wires
    assert str(wires["x"]) == "gate.x" and wires["mask"].batch and wires["labels"].batch


def test_a_model_file_needs_no_data(toys, tmp_path):
    """It is built from its graph alone, and scoring takes no classes."""
    vadkit.build(CLASSES, out=tmp_path / "m.safetensors")
    assert vadkit.load(tmp_path / "m.safetensors").losses["types"].num_classes == 3
