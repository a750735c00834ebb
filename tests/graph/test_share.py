"""Shared weights are called by their key, in state dicts, files, groups and warm starts, in whatever order of lines."""

import pytest
import torch

import vadkit
from vadkit import VadkitError
from vadkit.engine.optimizers import node_modules, parameter_groups
from vadkit.engine.warm_start import warm_start


@pytest.fixture
def shared(graph):
    graph["inputs"]["clip"] = "b t 8"
    for name, source in (("context", "rgb"), ("gate", "clip")):
        graph["nodes"][name] = {"use": "toy_linear", "in": source, "args": {"dim": 6}, "share": "both"}
    return graph


def problems(config, **kwargs):
    with pytest.raises(VadkitError) as caught:
        vadkit.build(config, **kwargs)
    return [(problem.message, problem.hint) for problem in caught.value.problems]


def test_the_order_of_lines_does_not_rename_weights(shared):
    names = set(vadkit.build(shared).state_dict())
    nodes = shared["nodes"]
    shared["nodes"] = {name: nodes[name] for name in ("score", "fused", "gate", "context")}
    shared["nodes"]["fused"] = {**nodes["fused"], "in": ["gate", "context"]}
    assert set(vadkit.build(shared).state_dict()) == names
    assert names == {"both.linear.weight", "both.linear.bias", "score.linear.weight", "score.linear.bias"}


def test_a_key_may_be_the_name_of_one_of_its_nodes_or_of_a_single_node(shared):
    shared["nodes"]["context"]["share"] = shared["nodes"]["gate"]["share"] = "gate"
    shared["nodes"]["score"]["share"] = "alone"
    assert {name.partition(".")[0] for name in vadkit.build(shared).state_dict()} == {"gate", "alone"}


def test_a_model_file_has_the_key(shared, tmp_path):
    model = vadkit.build(shared, out=tmp_path / "m.safetensors")
    again = vadkit.load(tmp_path / "m.safetensors")
    x = torch.rand(1, 3, 8)
    assert torch.equal(again(x, x), model.eval()(x, x))


def test_groups_and_warm_starts_name_the_key(shared):
    model, other = vadkit.build(shared, seed=0), vadkit.build(shared, seed=1)
    assert set(node_modules(model)) == {"both", "fused", "score", "losses.mil"}
    groups = parameter_groups(model, [{"nodes": ["both"], "lr": 0.1}], {"lr": 1.0})
    assert [sum(p.numel() for p in group["params"]) for group in groups] == [54, 13]
    warm_start(model, other.state_dict(), ["both"], "x")
    assert torch.equal(model.both.linear.weight, other.both.linear.weight)
    shared["train"] = {"groups": [{"nodes": ["both"], "lr": 0.1}], "warm_start": {"file": "x", "nodes": ["both"]}}
    assert vadkit.build(shared)


def test_a_node_without_weights_of_its_own_is_not_named_in_train(shared):
    shared["train"] = {"groups": [{"nodes": ["context"], "lr": 0.1}]}
    assert problems(shared) == [("the weights of node 'context' are shared under 'both'", "write both")]


def test_a_key_that_another_node_has_is_refused(shared):
    shared["nodes"]["context"]["share"] = shared["nodes"]["gate"]["share"] = "score"
    hint = "choose another name, or add share: score to that node"
    assert problems(shared) == [("context shares weights as 'score', which is the name of another node", hint)]


@pytest.mark.parametrize(
    "key, message",
    [
        ("to gether", "shared module name 'to gether' must consist of the letters"),
        ("losses", "shared module cannot be called 'losses': every model has an attribute of this name"),
    ],
)
def test_a_key_must_be_fit_for_a_module(shared, key, message):
    shared["nodes"]["context"]["share"] = shared["nodes"]["gate"]["share"] = key
    assert all(found.startswith(message) for found, _ in problems(shared))
