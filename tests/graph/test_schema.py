"""The schema: what is refused with which message, the defaults, and the description of keys."""

import pytest

from vadkit.graph.load import load_config
from vadkit.graph.schema import ROWS, describe, with_defaults
from vadkit.graph.schema_check import check_keys
from vadkit.problems import VadkitError

GRAPH = {"inputs": {"rgb": "b t 8"}, "nodes": {"context": {"use": "tca"}, "score": {"use": "causal_conv"}}}


def problems(**sections):
    return check_keys(load_config({**GRAPH, **sections}))


def only(**sections):
    found = problems(**sections)
    assert len(found) == 1, found
    return found[0]


def test_a_full_config_is_good():
    assert problems(
        about="everything",
        data={"use": "feature_store", "args": {"root": "x"}, "streams": {"rgb": "rgb"}, "batch": 4,
              "sampler": {"use": "uniform_pad", "args": {"length": 9}}, "crops": "all", "prompts": "p.npy"},
        train={"steps": 10, "optimizer": {"use": "sgd", "lr": 1, "args": {"momentum": 0}}, "ema": 0.99, "clip_grad": 1,
               "groups": [{"nodes": ["context"], "lr": 1e-6}, {"nodes": ["score"]}],
               "log": ["csv", {"use": "tensorboard"}],
               "schedule": {"use": "step", "args": {"milestones": [5], "gamma": 0.5}, "warmup": 2},
               "warm_start": {"file": "a.safetensors", "nodes": ["context", "score"]}, "epochs": None},
        eval={"metric": "auc", "post": [{"use": "score_smoothing", "args": {"kappa": 2}}], "threshold": 1},
    ) == []  # fmt: skip


@pytest.mark.parametrize(
    "sections, message, hint",
    [
        ({"inputs_": {}}, "unknown key 'inputs_'", "did you mean 'inputs'?"),
        ({"about": 3}, "about must be text, got 3", None),
        ({"train": "fast"}, "train must be a mapping, got the text 'fast'", None),
        ({"train": {"lr": 1}}, "unknown key 'train.lr'", "did you mean 'train.optimizer.lr'?"),
        ({"train": {"epoch": 1}}, "unknown key 'train.epoch'", "did you mean 'epochs'?"),
        ({"train": {"optimizer": {"lr": "fast"}}},
         "train.optimizer.lr must be a number above 0, got the text 'fast'", None),
        ({"train": {"optimizer": {"lr": 0}}}, "train.optimizer.lr must be a number above 0, got 0", None),
        ({"train": {"optimizer": {"lr": True}}}, "train.optimizer.lr must be a number above 0, got true", None),
        ({"train": {"optimizer": {"use": 3}}}, "train.optimizer.use must be text, got 3", None),
        ({"train": {"optimizer": "sgd"}}, "train.optimizer must be a mapping, got the text 'sgd'", "write {use: sgd}"),
        ({"train": {"patience": 3}}, "train.patience needs an evaluation to wait for",
         "add select: val; test_best stops by the test videos themselves, so its figures flatter"),
        ({"train": {"patience": 0, "select": "val"}}, "train.patience must be a whole number above 0 or null, got 0",
         None),
        ({"train": {"epochs": 1.5}}, "train.epochs must be a whole number from 1 to 1000000 or null, got 1.5", None),
        ({"train": {"epochs": 10**18}}, f"train.epochs must be a whole number from 1 to 1000000 or null, got {10**18}",
         "implausibly large; check for an extra digit"),
        ({"train": {"epochs": 2, "steps": 3}}, "train takes epochs or steps, not both", None),
        ({"train": {"deterministic": "yes"}},
         "train.deterministic must be true or false, got the text 'yes'", "write true"),
        ({"train": {"log": "csv"}}, "train.log must be a list of names or mappings, got the text 'csv'", "write [csv]"),
        ({"train": {"log": [3]}}, "train.log.0 must be a name or a mapping, got 3", None),
        ({"train": {"log": [{"args": {}}]}}, "train.log.0 needs 'use': name of a logger component", None),
        ({"train": {"groups": {"nodes": ["score"]}}},
         "train.groups must be a list of mappings, got a mapping", None),
        ({"train": {"groups": [{"lr": 1}]}}, "train.groups.0 needs 'nodes': names of the nodes in the group", None),
        ({"train": {"groups": [{"nodes": []}]}},
         "train.groups.0.nodes must be a list of node names, got an empty list", None),
        ({"train": {"groups": [{"nodes": ["contxt"]}]}},
         "unknown node 'contxt' in train.groups.0.nodes", "did you mean 'context'?"),
        ({"train": {"groups": [{"nodes": ["score"]}, {"nodes": ["score"]}]}}, "node 'score' is in two groups", None),
        ({"train": {"warm_start": {"nodes": ["score"]}}},
         "train.warm_start needs 'file': path of a model file (.safetensors), or of the rows of a source (.npy)", None),
        ({"train": {"warm_start": {"file": "a", "nodes": ["zzz"]}}},
         "unknown node 'zzz' in train.warm_start.nodes", "known here: context, score"),
        ({"train": {"warm_start": [{"file": "a"}, {"file": "b", "nodes": []}]}},
         "train.warm_start.1.nodes must be a list of node names or null, got an empty list", None),
        ({"train": {"ema": 1}}, "train.ema must be a number above 0, below 1, or null, got 1", None),
        ({"data": {"streams": {"rbg": "x", "rgb": "y"}}},
         "unknown input 'rbg' in data.streams", "did you mean 'rgb'?"),
        ({"data": {"streams": {"rgb": 3}}},
         "data.streams must be a mapping of text to text or null, got 3 for 'rgb'", None),
        ({"data": {"streams": {}}}, "data.streams does not map input 'rgb'",
         "add rgb: STREAM, or leave streams out if the names are the same"),
        ({"data": {"args": 3}}, "data.args must be a mapping, got 3", None),
        ({"data": {"sampler": "uniform_pad"}}, "data.sampler must be a mapping, got the text 'uniform_pad'",
         "write {use: uniform_pad}"),
        ({"eval": {"post": [{"use": "x", "agrs": {}}]}}, "unknown key 'eval.post.0.agrs'", "did you mean 'args'?"),
        ({"eval": {"post": ["score_smoothing"]}}, "eval.post.0 must be a mapping, got the text 'score_smoothing'",
         "write {use: score_smoothing}"),
        ({"data": {"val_fraction": 1}}, "data.val_fraction must be a number above 0, below 1, got 1", None),
        ({"eval": {"threshold": [2]}}, "eval.threshold must be a finite number or null, got the list [2]", None),
    ],
)  # fmt: skip
def test_message(sections, message, hint):
    problem = only(**sections)
    assert problem.message == message
    assert problem.hint == hint


def test_several_problems_at_once_each_at_its_place():
    found = problems(train={"seed": -1, "acumulate": 2, "optimizer": {"lr": 0}})
    with pytest.raises(VadkitError) as error:
        raise VadkitError(found)
    assert [problem.place.file for problem in error.value.problems] == [
        "config['train']['seed']",
        "config['train']['acumulate']",
        "config['train']['optimizer']['lr']",
    ]


def test_null_stands_for_the_default():
    assert (
        problems(train={row.key.split(".")[1]: None for row in ROWS if row.key.count(".") == 1 and "train" in row.key})
        == []
    )


def test_defaults_are_complete_and_good():
    filled = with_defaults(GRAPH)
    assert filled["train"]["epochs"] == 20 and filled["train"]["steps"] is None
    assert filled["data"]["streams"] == {"rgb": "rgb"}
    assert filled["data"]["sampler"] == {"use": "uniform_pad", "args": {}}
    assert check_keys(load_config(filled)) == []
    assert "train" not in GRAPH


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"train": {"steps": 5, "optimizer": {"use": "sgd"}, "log": ["csv"]}},
        {"train": {"groups": [{"nodes": ["score"]}], "warm_start": {"file": "a"}}, "eval": {"post": [{"use": "x"}]}},
        {"train": {"warm_start": [{"file": "a"}, {"file": "b.npy", "nodes": ["score"]}]}},
    ],
)
def test_defaults_of_defaults_change_nothing(sections):
    filled = with_defaults({**GRAPH, **sections})
    assert with_defaults(filled) == filled
    assert check_keys(load_config(filled)) == []
    assert load_config(filled).data == filled


def test_steps_leave_no_epochs():
    train = with_defaults({"train": {"steps": 5}})["train"]
    assert (train["steps"], train["epochs"]) == (5, None)


def test_a_logger_may_be_its_name_alone():
    train = with_defaults({"train": {"log": ["csv", {"use": "own", "args": {"a": 1}}]}})["train"]
    assert train["log"] == [{"use": "csv", "args": {}}, {"use": "own", "args": {"a": 1}}]


def test_every_default_is_of_its_own_type():
    for row in ROWS:
        assert row.default is None and (row.null or row.required) or row.type.accepts(row.default), row.key


def test_defaults_are_not_shared():
    with_defaults({})["train"]["log"].append("x")
    assert with_defaults({})["train"]["log"] == []


@pytest.mark.parametrize(
    "path, shown",
    [
        ("train.seed",
         ("train.seed", "a whole number of 0 or more", "0", "random seed of weights, order of videos and noise")),
        ("train.optimizer.lr", ("train.optimizer.lr", "a number above 0", "0.0001", "learning rate")),
        ("nodes.context.detach",
         ("nodes.NAME.detach", "true or false", "false", "stop gradients at the outputs of the node")),
        ("train.groups.0.nodes",
         ("train.groups.N.nodes", "a list of node names", "required", "names of the nodes in the group")),
        ("eval.post.use", ("eval.post.N.use", "text", "required", "name of a postprocess component")),
    ],
)  # fmt: skip
def test_a_key_is_described(path, shown):
    assert describe(path) == [shown]


def test_a_section_is_described_key_by_key():
    assert [info.key for info in describe("train.optimizer")] == [
        f"train.optimizer.{key}" for key in ("use", "lr", "weight_decay", "decay_biases", "args")
    ]
    assert describe("nodes") == describe("nodes.context")
    assert len(describe("")) == len(ROWS) == len({info.key for info in describe("")})


@pytest.mark.parametrize(
    "path, hint",
    [
        ("train.precison", "did you mean 'train.precision'?"),
        ("lr", "did you mean 'train.optimizer.lr'?"),
        ("train.zzz", "known here: epochs, steps, seed, optimizer"),
        ("zzz", "known here: extends, about, inputs, nodes, losses, output, data, train, eval"),
    ],
)
def test_a_key_that_does_not_exist_cannot_be_described(path, hint):
    with pytest.raises(VadkitError, match=f"unknown key '{path}' in a config") as error:
        describe(path)
    assert error.value.problems[0].hint.startswith(hint)


@pytest.mark.parametrize("section, key, value", [
    ("nodes", "detach", "yes"), ("nodes", "share", 3), ("nodes", "when", "test"), ("nodes", "in", 3),
    ("nodes", "args", [1]), ("losses", "weight", "high"), ("losses", "weight", -1), ("losses", "in", True),
    ("inputs", "args", "x"),
])  # fmt: skip
def test_the_keys_of_inputs_nodes_and_losses_are_in_the_schema(section, key, value):
    found = problems(**{section: {"one": {"use": "x", key: value}}})
    assert [problem.message.partition(" must be ")[0] for problem in found] == [f"{section}.one.{key}"]


def test_a_misspelt_required_key_is_not_reported_as_missing_too():
    assert only(nodes={"one": {"uses": "x"}}).message == "unknown key 'nodes.one.uses'"
