"""Weights taken over by node name: exactly those named, with counts and clear refusals."""

from __future__ import annotations

import pytest
import torch
from engine_stub import StubModel
from torch import nn

from vadkit.engine.tensor_tree import same
from vadkit.engine.warm_start import warm_start
from vadkit.problems import VadkitError


def test_exactly_the_named_nodes_are_taken():
    model, other = StubModel(seed=0), StubModel(seed=1)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    loaded = warm_start(model, other.state_dict(), ["context"], "rgb.safetensors")
    assert str(loaded) == "2 tensors (56 values) of 1 nodes"
    assert same(model.context.state_dict(), other.context.state_dict())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items() if not k.startswith("context"))


def test_without_names_every_common_node_is_taken():
    model, weights = StubModel(seed=0), StubModel(seed=1).state_dict()
    weights["elsewhere.weight"] = torch.ones(3)
    del weights["score.weight"], weights["score.bias"]
    loaded = warm_start(model, weights, None, "x")
    assert loaded.nodes == ("context",) and loaded.tensors == 2


def refused(nodes, weights=None, model=None):
    model = model or StubModel()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(VadkitError) as error:
        warm_start(model, weights or StubModel(seed=1).state_dict(), nodes, "rgb.safetensors")
    assert same(before, model.state_dict())
    return str(error.value)


def test_a_node_this_graph_lacks_is_reported_with_the_nearest_name():
    assert "there is no node 'contxt'" in (text := refused(["context", "contxt"])) and "'context'" in text


def test_a_node_the_file_lacks_is_reported_with_what_it_has():
    weights = {k: v for k, v in StubModel().state_dict().items() if not k.startswith("score")}
    text = refused(["context", "score"], weights)
    assert "node 'score' in rgb.safetensors: the file has no weights for it" in text and "context" in text


def test_other_shapes_and_other_components_are_all_told():
    model = StubModel()
    model.context = nn.Linear(6, 9)
    model.score = nn.LayerNorm(8, bias=False)
    text = refused(["context", "score"], model=model)
    assert "'weight' is (8, 6) in the file, (9, 6) here" in text
    assert "'bias' is (8,) in the file, (9,) here" in text
    assert "node 'score' in rgb.safetensors: this graph lacks 'bias'" in text


def test_a_node_without_weights_alone_is_nothing():
    assert "has nothing for the nodes dropout" in refused(["dropout"])
