"""Names that Python, torch.fx or a module cannot take are refused at build, and the name in the hint can be used."""

import builtins
import copy
import keyword
import re

import pytest
import torch
from torch import fx, nn

import vadkit
from vadkit import VadkitError
from vadkit.cli import main
from vadkit.graph.module import VadModel
from vadkit.graph.names import LONGEST, OF_THE_CODE, OF_THE_MODEL, instead, why_not
from vadkit.kinds import BATCH_PORTS

pytestmark = pytest.mark.guards("D7", "5.6")

WHAT = ("input", "node", "loss")
EXAMPLES = (
    dir(VadModel),
    [*OF_THE_CODE, *OF_THE_MODEL, *BATCH_PORTS],
    dir(nn.Module()),
    dir(nn.ModuleDict()),
    dir(fx.GraphModule(nn.Module(), fx.Graph())),
)
TAKEN = sorted({*keyword.kwlist, *keyword.softkwlist, *(name for names in EXAMPLES for name in names)})
BUILTINS = sorted(set(dir(builtins)) - set(TAKEN))
ODD = {
    "ligature": "\ufb01lter",
    "not NFKC": "\u2102ontext",
    "full width": "\uff43ontext",
    "accent": "caf\u00e9",
    "other letters": "\u4e0a\u4e0b",
    "digit first": "2nd",
    "dot": "a.b",
    "space": "a b",
    "dash": "a-b",
    "dunder": "__call__",
    "long": "x" * (LONGEST + 1),
    "very long": "x" * 3000,
    "torch": "torch",
    "counts": "t",
    "batch": "labels",
}
WHOLE = (
    "global", "class", "in", "with", "from", "lambda", "None", "match", "self", "training", "code", "meta", "graph",
    "values", "type", "items", "half", "T_destination", "_modules", "__init__", "forward", "losses", "torch",
)  # fmt: skip


def config(**names):
    """A graph with one input, two nodes and a loss, one of them called otherwise."""
    stream, block, loss = names.get("input", "rgb"), names.get("node", "block"), names.get("loss", "mil")
    return {
        "inputs": {stream: "b t 8"},
        "nodes": {
            block: {"use": "dense", "in": stream, "args": {"dim": 4}},
            "score": {"use": "mlp_head", "in": block},
        },
        "losses": {loss: {"use": "topk_mil", "in": "score"}},
        "output": "score",
    }


def use(model):
    stream = next(iter(model.input_sizes))
    assert model.eval()(torch.rand(2, 5, 8)).shape == (2, 5)
    batch = {stream: torch.rand(4, 5, 8), "labels": torch.tensor([0, 0, 1, 1]), "crops": 1}
    model.train().loss({**batch, "mask": torch.ones(4, 5, dtype=torch.bool)})["total"].backward()
    copy.deepcopy(model)


def test_all_names_that_something_else_has():
    assert len(TAKEN) + len(BUILTINS) >= 366
    for name in TAKEN:
        for what in WHAT:
            assert why_not(name, what), (name, what)
            other = instead(name, what, ("taken",))
            assert why_not(other, what) is None and other != name


def test_names_of_builtins_can_be_used():
    """A graph may call an input ``range`` or a node ``sum``: nothing of torch.fx is hidden by it."""
    good = [name for name in BUILTINS if all(why_not(name, what) is None for what in WHAT)]
    assert len(good) > 100
    streams, blocks = good[::2], good[1::2]
    graph = {
        "inputs": dict.fromkeys(streams, "b t 1"),
        "nodes": {
            "joined_": {"use": "concat", "in": streams},
            **{name: {"use": "dense", "in": "joined_", "args": {"dim": 1}} for name in blocks},
            "all_": {"use": "concat", "in": blocks},
            "score": {"use": "mlp_head", "in": "all_"},
        },
        "losses": {name: {"use": "topk_mil", "in": "score"} for name in good},
        "output": "score",
    }
    model = vadkit.build(graph)
    batch = {name: torch.rand(4, 5, 1) for name in streams}
    assert model(**batch).shape == (4, 5)
    more = {"labels": torch.tensor([0, 0, 1, 1]), "crops": 1, "mask": torch.ones(4, 5, dtype=torch.bool)}
    assert model.loss({**batch, **more}).keys() == {"total", *good}


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
@pytest.mark.parametrize("what", WHAT)
def test_names_of_other_kinds(name, what):
    with pytest.raises(VadkitError) as caught:
        vadkit.build(config(**{what: name}))
    (problem,) = caught.value.problems
    assert what in problem.message and len(problem.message) < 160
    other = re.fullmatch(r"for example (\w+)", problem.hint)[1]
    use(vadkit.build(config(**{what: other})))


@pytest.mark.parametrize("name", WHOLE)
def test_the_command(name, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for what in WHAT:
        text = (
            f'inputs:\n  "{name if what == "input" else "rgb"}": b t 8\n'
            f'nodes:\n  "{name if what == "node" else "score"}": '
            f'{{use: mlp_head, in: "{name if what == "input" else "rgb"}"}}\n'
            f'losses:\n  "{name if what == "loss" else "mil"}": '
            f'{{use: topk_mil, in: "{name if what == "node" else "score"}"}}\n'
            f'output: "{name if what == "node" else "score"}"\n'
        )
        (tmp_path / "g.yaml").write_text(text)
        assert main(["build", "g.yaml"]) == 2
        shown = capsys.readouterr().err
        line = 2 + 2 * WHAT.index(what)
        assert re.match(rf"g\.yaml:{line}:3: {what} (cannot be called|name) '{name}'", shown), shown
        assert "hint: for example " in shown and "Traceback" not in shown and "more problems" not in shown
        assert shown.count("g.yaml:") == 1  # one cause, one message


def test_the_hint_is_a_free_name():
    graph = config(node="global")
    graph["nodes"]["global_"] = {"use": "dense", "in": "rgb", "args": {"dim": 4}}
    graph["nodes"]["score"]["in"] = "global_"
    with pytest.raises(VadkitError) as caught:
        vadkit.build(graph)
    assert caught.value.problems[0].hint == "for example global_node"


def test_a_character_that_python_replaces_is_named():
    assert "U+FB01, which Python takes for 'fi'" in why_not("\ufb01lter", "node")


def test_a_loss_is_not_called_as_the_sum():
    assert "it is the sum of the losses" in why_not("total", "loss")


@pytest.mark.parametrize("port", ["class", "self", "\ufb01t", "_x"])
def test_a_port_of_a_plugin(port, monkeypatch):
    from vadkit.plugin_manager import load_plugins

    component = load_plugins().components.find("dense")
    monkeypatch.setattr(component, "inputs", {**component.inputs, f"{port}?": "b t dim"})
    with pytest.raises(VadkitError, match="plugin component 'dense' has a port that cannot be wired: port "):
        vadkit.build(config())
