"""What is too large to be meant, and numbers of the other kind."""

import pytest

import vadkit
from vadkit import VadkitError


def build(component, **args):
    nodes = {"block": {"use": component, "in": "rgb", "args": args}, "score": {"use": "mlp_head", "in": "block"}}
    return vadkit.build({"inputs": {"rgb": "b t 8"}, "nodes": nodes, "output": "score"})


@pytest.mark.parametrize("args", [{"gamma": 1}, {"gamma": 1.0}])
def test_a_whole_number_is_a_float_where_one_is_asked_for(args):
    gamma = build("tca", **args).spec["nodes"]["block"]["args"]["gamma"]
    assert gamma == 1.0 and isinstance(gamma, float)


@pytest.mark.parametrize(
    "component, args, message",
    [
        ("dense", {"dim": 10**12}, "must be a whole number of at most 1000000, got 1000000000000"),
        ("dense", {"dim": 0}, "block.dim must be above 0, got 0"),
        ("dense", {"dim": -3}, "block.dim must be above 0, got -3"),
        ("dense", {"dim": 3.0}, "block.dim must be a whole number or null, got 3.0"),
        ("transformer", {"depth": 10**6}, "it would consist of more than 2000 modules"),
        ("temporal_conv", {"dim": 10**6, "kernel": 10**6}, "parameters"),
    ],
)
def test_sizes_that_are_not_meant(component, args, message):
    with pytest.raises(VadkitError) as caught:
        build(component, **args)
    assert len(caught.value.problems) == 1
    assert message in caught.value.problems[0].message


def test_an_input_of_a_size_that_is_not_meant():
    with pytest.raises(VadkitError, match="input 'rgb' has size 1000001; sizes go up to 1000000"):
        vadkit.build(
            {"inputs": {"rgb": "b t 1000001"}, "nodes": {"s": {"use": "mlp_head", "in": "rgb"}}, "output": "s"}
        )
