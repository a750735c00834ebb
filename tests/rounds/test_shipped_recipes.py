"""The recipes that come with vadkit: every round's graph is sound, and a kill changes no byte (at small sizes)."""

from __future__ import annotations

import pytest
from recipes import begun, kill

from vadkit.cli import main
from vadkit.data.targets import read_targets
from vadkit.engine.tensor_tree import same
from vadkit.graph.model_file import read_weights
from vadkit.plugin_manager import load_plugins, own_configs
from vadkit.rounds import read_recipe, train_recipe

RECIPES = sorted(path.stem for path in (own_configs() / "recipes").glob("*.yaml"))
SMALL = {
    "lstc_sht": ("inputs.rgb=b t 4 4", "nodes.encoder.args.widths=[4, 4, 8]", "nodes.encoder.args.heads=[2, 2]"),
    "cupl_ucf": ("inputs.rgb=b t 16",),
}
PLACES = {
    "lstc_sht": [["ltn1", "labelling"], ["ltn1", "step"], ["stn2", "between"]],
    "cupl_ucf": [["refine1", "labelling"], ["refine2", "step"], ["refine3", "between"]],
}


def changes(name, store):
    sizes = ("nodes.score.args.hidden=[8, 4]", "data.batch=4", "train.steps=3", "data.workers=0")
    return [*SMALL[name], *sizes, f"data.args.root={store}"]


@pytest.mark.parametrize("name", RECIPES)
def test_every_graph_is_sound(name, capsys):
    assert main(["build", name]) == 0
    assert "rounds; the graph of each is sound" in capsys.readouterr().out
    assert (own_configs() / "recipes" / f"{name}.yaml").read_text("ascii").startswith("#")


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
