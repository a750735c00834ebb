"""Graphs that take ``presence``: names of streams, calls without some, loss, export."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from robust import plain_config, robust_config

import vadkit
from vadkit.components import takes_presence
from vadkit.graph.cost import costs
from vadkit.problems import VadkitError


@pytest.fixture
def model():
    torch.manual_seed(0)
    return vadkit.build(robust_config(Path("store"))).eval()


@pytest.fixture
def streams():
    return {"rgb": torch.randn(2, 5, 16), "flow": torch.randn(2, 5, 12), "audio": torch.randn(2, 5, 4)}


def test_the_names_of_the_inputs_are_filled_in(model):
    args = {name: node["args"] for name, node in model.spec["nodes"].items()}
    assert args["kept"]["streams"] == args["sound"]["streams"] == args["fused"]["streams"] == ["rgb", "flow", "audio"]
    assert model.takes_presence and takes_presence(model.spec)
    plain = vadkit.build(plain_config(Path("store")))
    assert not plain.takes_presence and not takes_presence(plain.spec)
    again = vadkit.build(model.spec)
    assert again.spec["nodes"] == model.spec["nodes"]


def test_a_stream_that_is_left_out_is_absent(model, streams):
    with torch.no_grad():
        whole = model(**streams)
        assert torch.equal(whole, model(**streams, presence=torch.ones(2, 5, 3)))
        presence = torch.ones(2, 5, 3)
        presence[..., 2] = 0
        without = model(rgb=streams["rgb"], flow=streams["flow"])
        assert torch.equal(without, model(**streams, presence=presence))
        assert not torch.equal(without, whole)
    with pytest.raises(VadkitError, match="at least one stream"):
        model()
    with pytest.raises(VadkitError, match="presence has shape"):
        model(**streams, presence=torch.ones(2, 5, 2))


def test_a_plain_graph_still_needs_all(streams):
    with pytest.raises(VadkitError, match="needs the stream 'audio'"):
        vadkit.build(plain_config(Path("store")))(rgb=streams["rgb"], flow=streams["flow"])


def test_a_loss_without_presence_has_all_there(model, streams):
    batch = {**streams, "labels": torch.tensor([0.0, 1.0])}
    assert torch.equal(model.loss(batch)["total"], model.loss({**batch, "presence": torch.ones(2, 5, 3)})["total"])


def test_the_scores_can_be_exported(model, streams):
    presence = (torch.rand(2, 5, 3) > 0.3).float()
    program = torch.export.export(model.inference, (*streams.values(), presence))
    torch.testing.assert_close(program.module()(*streams.values(), presence), model(**streams, presence=presence))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("nodes.sound.args.stream=audoi", "no stream 'audoi'; the graph has rgb, flow, audio"),
        ("nodes.fused.args.of=[rgb, flow]", "of must name the stream of each of the 3 values"),
        ("nodes.kept.args.never=[sound]", "no stream 'sound'"),
        ("nodes.sound.args.streams=[rgb, audio]", "num_streams=2 but kept gives 3"),
    ],
)
def test_wrong_names_are_refused(change, message):
    with pytest.raises(VadkitError, match=message.replace("(", ".")):
        vadkit.build(robust_config(Path("store")), set=[change])


def test_its_operations_are_counted(model):
    found = costs(model)
    assert found["fused"].flops == 2 * 200 * 8 * (16 + 12 + 4) and found["kept"].flops == 0
