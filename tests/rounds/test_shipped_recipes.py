"""The recipes that come with vadkit, small: every one is trained, and a kill changes no byte."""

from __future__ import annotations

import json

import pytest
from recipes import begun, kill
from tiny_store import write_tiny_store

from vadkit.cli import main
from vadkit.data.targets import read_targets
from vadkit.engine.tensor_tree import same
from vadkit.graph.model_file import read_weights
from vadkit.plugin_manager import load_plugins, own_configs
from vadkit.rounds import read_recipe, train_recipe

RECIPES = sorted(path.stem for path in (own_configs() / "recipes").glob("*.yaml"))
# Changes with which the streams of a small store fit the graphs of a recipe.
STREAMS = {
    "acf_xd": ("inputs.rgb=b t 16", "inputs.audio=b t 4"),
    "cupl_ucf": ("inputs.rgb=b t 16",),
    "gcn_cleaner_ucf": ("inputs.rgb=b t 16", "rounds.ensemble1.times=2", "rounds.ensemble2.times=1"),
    "lstc_sht": ("inputs.rgb=b t 4 4", "nodes.encoder.args.widths=[4, 4, 8]", "nodes.encoder.args.heads=[2, 2]"),
    "lstc_ucf": ("inputs.rgb=b t 4 4", "nodes.encoder.args.widths=[4, 4, 8]", "nodes.encoder.args.heads=[2, 2]"),
    "msaf_sht": ("inputs.rgb=b t 16", "inputs.flow=b t 12"),
    "msaf_ucf": ("inputs.rgb=b t 16", "inputs.flow=b t 12"),
    "msaf_xd": ("inputs.rgb=b t 16", "inputs.audio=b t 4"),
    "umil_ucf_rounds": (
        "inputs.rgb=b t 16",
        "nodes.text.args.dim=16",
        "data.sampler.args.parts=4",
        "rounds.labels.times=2",
    ),
}
PLACES = {
    "lstc_sht": [["ltn1", "labelling"], ["ltn1", "step"], ["stn2", "between"]],
    "cupl_ucf": [["refine1", "labelling"], ["refine2", "step"], ["refine3", "between"]],
}


def changes(name, store):
    sizes = ("nodes.score.args.hidden=[8, 4]", "data.batch=4", "train.steps=3", "data.workers=0")
    return [*STREAMS[name], *sizes, f"data.args.root={store}"]


@pytest.mark.parametrize("name", RECIPES)
def test_every_graph_is_sound(name, capsys):
    assert main(["build", name]) == 0
    assert "rounds; the graph of each is sound" in capsys.readouterr().out
    assert (own_configs() / "recipes" / f"{name}.yaml").read_text("ascii").startswith("#")


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Return a store of two videos of each label and split."""
    return write_tiny_store(tmp_path_factory.mktemp("few") / "store", train=2, test=2)


def test_the_changes_are_of_all_recipes():
    assert sorted(STREAMS) == RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_trained(name, few, tmp_path):
    changes = [*STREAMS[name], "train.epochs=null", "train.steps=2", "data.batch=2", "data.workers=0"]
    sets = [word for change in changes for word in ("--set", change)]
    assert main(["train", name, "--data", str(few), "--out", str(tmp_path / "out"), "--device", "cpu", *sets]) == 0
    for each in read_recipe(name, changes, load_plugins()).rounds:
        folder = tmp_path / "out" / each.name
        figures = json.loads((folder / "result.json").read_text())["figures"]
        assert figures and all(value is None or value == value for value in figures.values())
        if each.labels is not None:
            rows = read_targets(folder / "targets.safetensors").rows
            assert len(rows) == 4 and any(x[:, 1].any() for x in rows.values())


@pytest.fixture(scope="module")
def trained(store, tmp_path_factory):
    """Return the folder with the rounds of each recipe, never stopped."""
    folder = tmp_path_factory.mktemp("trained")
    for name in PLACES:
        train_recipe(name, changes(name, store), folder / name, device="cpu")
    return folder


@pytest.fixture(scope="module")
def killed(store, trained, tmp_path_factory):
    """Return the folder of runs that were killed."""
    folder = tmp_path_factory.mktemp("killed")
    runs = [(name, at, folder / "-".join([name, *at])) for name, places in PLACES.items() for at in places]
    kill([(name, changes(name, store), begun(trained / name, out, at), at) for name, at, out in runs])
    return folder


@pytest.mark.parametrize("name", PLACES)
def test_killed_and_continued_gives_the_same_bytes(name, store, trained, killed):
    sets, whole = changes(name, store), trained / name
    rounds = [each.name for each in read_recipe(name, sets, load_plugins()).rounds]
    for where in PLACES[name]:
        out = killed / "-".join([name, *where])
        assert not (out / where[0] / "model.safetensors").exists()
        train_recipe(name, sets, out, resume=True, device="cpu")
        for each in rounds:
            models = [read_weights(folder / each / "model.safetensors") for folder in (whole, out)]
            assert same(*models), f"{each} after a kill at {where}"
        for each in rounds[1:]:
            files = [(folder / each / "targets.safetensors").read_bytes() for folder in (whole, out)]
            assert files[0] == files[1], f"targets of {each} after a kill at {where}"
    assert read_targets(whole / rounds[1] / "targets.safetensors").made_by["from"] == [rounds[0]]
