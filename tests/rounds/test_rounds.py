"""Recipes: what each round is trained on; killed and continued, they give the same bytes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import yaml
from recipes import begun, changed, kill, sample_package, write_recipe

import vadkit
from vadkit.cli import main
from vadkit.data.targets import read_targets
from vadkit.engine.tensor_tree import same
from vadkit.graph.model_file import read_header, read_weights
from vadkit.problems import VadkitError
from vadkit.rounds import train_recipe

ROUNDS = ("first", "second", "third")

PLACES = [["first", "step"], ["second", "between"], ["third", "labelling"]]


def result_of(out):
    """Return the weights of each round, and the bytes of its targets."""
    weights = {name: read_weights(out / name / "model.safetensors") for name in ROUNDS}
    return weights, {name: (out / name / "targets.safetensors").read_bytes() for name in ROUNDS[1:]}


@pytest.fixture(scope="module")
def trained(store, tmp_path_factory):
    """Return the folder of the recipe's rounds; not to be written to."""
    with sample_package():
        folder = tmp_path_factory.mktemp("trained")
        train_recipe(write_recipe(folder, store), (), folder / "whole", device="cpu")
    return folder / "whole"


@pytest.fixture
def whole(recipe, trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "whole"))


@pytest.fixture(scope="module")
def killed(store, trained, tmp_path_factory):
    """Return the recipe and the folders of runs that were killed, one at each of ``PLACES``."""
    with sample_package():
        folder = tmp_path_factory.mktemp("killed")
        recipe = write_recipe(folder, store)
        kill([(recipe, (), begun(trained, folder / "-".join(where), where), where) for where in PLACES])
    return recipe, folder


def test_each_round_is_a_run_in_a_folder_of_its_own(recipe, tmp_path):
    result = vadkit.train(recipe, out=tmp_path / "out", device="cpu")
    assert result.model_path == tmp_path / "out" / "third" / "model.safetensors"
    for name in ROUNDS:
        header = read_header(tmp_path / "out" / name / "model.safetensors")
        assert header["spec"]["data"]["targets"] == (
            None if name == "first" else str(tmp_path / "out" / name / "targets.safetensors")
        )
    start = read_header(tmp_path / "out" / "third" / "model.safetensors")["spec"]["train"]["warm_start"]
    assert "second/model.safetensors" in str(start)
    labels = read_targets(tmp_path / "out" / "third" / "targets.safetensors")
    assert labels.made_by["from"] == ["second"] and labels.made_by["args"] == {"momentum": 0.5}
    assert labels.made_by["earlier"] == read_targets(tmp_path / "out" / "second" / "targets.safetensors").sha256
    assert all(x.shape[1] == 2 for x in labels.rows.values())
    assert "rounds:" in (tmp_path / "out" / "recipe.yaml").read_text()


def test_targets_come_from_the_scores_of_the_round_before(recipe, trained, tmp_path):
    """Scored once without dropout, they are what the labeller makes of the model's own scores."""
    from vadkit.data.from_config import open_dataset

    changed(recipe, second={"targets": {"from": "first", "use": "scaled_labels"}}, third=None)
    train_recipe(recipe, (), tmp_path / "plain", device="cpu")
    rows = read_targets(tmp_path / "plain" / "second" / "targets.safetensors").rows
    model = vadkit.load(trained / "first" / "model.safetensors")
    dataset = open_dataset(model.spec["data"])
    for video in dataset.videos("train"):
        features = np.asarray(dataset.read(video, "rgb"), np.float32)
        scores = model(features).detach().numpy().mean(0)
        spread = scores.max() - scores.min()
        wanted = ((scores - scores.min()) / spread if spread else scores) * (video.label == 1)
        np.testing.assert_allclose(rows[video.name][:, 0], wanted, atol=1e-5)
        assert (rows[video.name][:, 1] == 1).all()


def test_passes_with_dropout_differ(recipe, tmp_path):
    """``sample_labels`` gives weight 2 where all passes agree: hardly anywhere with dropout, everywhere without."""
    train_recipe(changed(recipe, third=None), (), tmp_path / "three", device="cpu")
    rows = read_targets(tmp_path / "three" / "second" / "targets.safetensors").rows
    assert np.mean([(x[:, 1] == 1).mean() for x in rows.values()]) > 0.8
    once = changed(recipe, second={"targets": {"from": "first", "use": "sample_labels"}})
    train_recipe(once, (), tmp_path / "once", device="cpu")
    rows = read_targets(tmp_path / "once" / "second" / "targets.safetensors").rows
    assert all((x[:, 1] == 2).all() for x in rows.values())


@pytest.mark.parametrize("where", PLACES, ids="-".join)
def test_killed_and_continued_gives_the_same_bytes(recipe, trained, killed, where):
    written, folder = killed
    out = folder / "-".join(where)
    assert not (out / "third" / "model.safetensors").exists()
    train_recipe(written, (), out, resume=True, device="cpu")
    (weights, targets), (again, labels) = result_of(trained), result_of(out)
    assert targets == labels
    assert same(weights, again)


def test_finished_rounds_are_skipped(recipe, whole, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("model.safetensors")}
    result = train_recipe(recipe, (), whole, resume=True, device="cpu")
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("model.safetensors")} == before
    assert result.model_path == whole / "third" / "model.safetensors" and result.figures


def test_a_longer_recipe_goes_on_where_the_shorter_one_ended(recipe, whole):
    kept = (whole / "second" / "model.safetensors").stat().st_mtime_ns
    changed(recipe, fourth={"train": "small", "start": "third"})
    train_recipe(recipe, (), whole, resume=True, device="cpu")
    assert (whole / "fourth" / "model.safetensors").exists()
    assert (whole / "second" / "model.safetensors").stat().st_mtime_ns == kept


@pytest.mark.parametrize(
    ("rounds", "sets", "says"),
    [
        ({}, ("train.optimizer.lr=0.1",), r"round 'first': .*train.optimizer.lr: 0.003 then, 0.1 now"),
        ({}, ("train.steps=7",), r"round 'first': .*train.steps: 6 then, 7 now"),
        (
            {"second": {"targets": {"from": "first", "use": "sample_labels", "passes": 4}}},
            (),
            r"round 'second': .*passes: 3 then, 4 now",
        ),
        ({"third": {"start": "first"}}, (), r"round 'third': .*start: \w+ then, \w+ now"),
        ({}, ("rounds.third.targets.args.momentum=0.25",), r"round 'third': .*args: .*0.5} then, .*0.25} now"),
    ],
)
def test_a_changed_round_is_refused_and_nothing_is_touched(recipe, whole, rounds, sets, says):
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file() and path.parent != whole}
    with pytest.raises(VadkitError) as error:
        train_recipe(changed(recipe, **rounds), sets, whole, resume=True, device="cpu")
    assert re.search(says, str(error.value), re.DOTALL), str(error.value)
    assert "whose folder is deleted" in str(error.value)
    assert before == {path: path.read_bytes() for path in whole.rglob("*") if path.is_file() and path.parent != whole}


def test_a_deleted_round_is_run_again(recipe, whole, tmp_path):
    before = result_of(whole)
    shutil.rmtree(whole / "third")
    train_recipe(recipe, (), whole, resume=True, device="cpu")
    assert same(before[0], result_of(whole)[0]) and before[1] == result_of(whole)[1]


def test_a_folder_with_rounds_is_refused_without_resume(recipe, whole, capsys):
    assert main(["train", str(recipe), "--out", str(whole)]) == 2
    assert "already holds rounds (first, second, third)" in capsys.readouterr().err
    assert main(["train", str(recipe), "--out", str(whole), "--overwrite"]) == 2
    assert "a recipe cannot be overwritten" in capsys.readouterr().err


def test_rounds_that_repeat_take_from_their_time_before(recipe, tmp_path):
    changed(recipe, third=None)
    changed(
        recipe,
        second={"times": 3, "targets": {"from": "first", "use": "stable_labels", "history": 3}},
        last={"train": "small", "start": "second"},
    )
    train_recipe(recipe, ("train.steps=2",), tmp_path / "out", device="cpu")
    made = [read_targets(tmp_path / "out" / f"second_{n}" / "targets.safetensors").made_by["from"] for n in (1, 2, 3)]
    assert made == [["first"], ["first", "second_1"], ["first", "second_1", "second_2"]]
    begun = json.loads((tmp_path / "out" / "last" / "round.json").read_text())
    assert begun["start"] and begun["targets"] is None


def test_the_command_line_trains_a_recipe_and_shows_its_rounds(recipe, tmp_path, capsys):
    assert main(["train", str(recipe), "--out", str(tmp_path / "out"), "--set", "train.steps=2"]) == 0
    shown = capsys.readouterr()
    assert "third" in shown.out and "model.safetensors" in shown.out
    for line in ("round 1 of 3, first", "round 2 of 3, second", "round 3 of 3, third", "labelling"):
        assert line in shown.err
    assert main(["build", str(recipe)]) == 0
    shown = capsys.readouterr().out
    assert "3 rounds; the graph of each is sound" in shown and "sample_labels (passes 3)" in shown
    assert main(["info", str(recipe)]) == 0
    assert "starts from" in capsys.readouterr().out


def test_ctrl_c_in_a_round_continues(recipe, trained, tmp_path):
    from vadkit.engine.progress import Progress

    class Press(Progress):
        name = ""

        def round(self, name, number, count):
            self.name = name

        def step(self, step):
            if (self.name, step) == ("second", 3):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(vadkit.api.train.Interrupted, match="stopped after step 3"):
        vadkit.train(recipe, out=tmp_path / "cut", device="cpu", progress=Press())
    vadkit.train(recipe, out=tmp_path / "cut", device="cpu", resume=True)
    assert same(result_of(trained)[0], result_of(tmp_path / "cut")[0])


def test_a_round_that_starts_from_another_may_take_rows_for_one_node_from_a_file(recipe, trained, tmp_path):
    """The config names the nodes, as for the rows of a source; they come after the weights of the round."""
    graph = yaml.safe_load((recipe.parent / "small.yaml").read_text())
    file = trained / "first" / "model.safetensors"
    graph["train"] |= {"warm_start": {"file": str(file), "nodes": ["score"]}, "optimizer": {"lr": 1e-30}, "steps": 1}
    (recipe.parent / "rows.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    changed(recipe, second=None, third={"train": "rows", "start": "first", "targets": None})
    shutil.copytree(trained / "first", tmp_path / "out" / "first")
    train_recipe(recipe, (), tmp_path / "out", resume=True, device="cpu")
    found, first = (read_weights(path) for path in (tmp_path / "out" / "third" / "model.safetensors", file))
    assert same(found, first)
    header = read_header(tmp_path / "out" / "third" / "model.safetensors")
    assert [entry["nodes"] for entry in header["spec"]["train"]["warm_start"]] == [None, ["score"]]
