"""``data.targets`` alone: a run on a file of targets, killed, resumed, and refused with other ones."""

from __future__ import annotations

import os
import shutil
import signal

import numpy as np
import pytest

import vadkit
from vadkit.data.from_config import open_dataset
from vadkit.data.targets import write_targets
from vadkit.engine.progress import Progress
from vadkit.engine.tensor_tree import same
from vadkit.engine.train import train
from vadkit.graph.model_file import read_header, read_weights
from vadkit.problems import VadkitError


class Press(Progress):
    def step(self, step):
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def graph(recipe):
    return recipe.parent / "small.yaml"


@pytest.fixture
def targets(graph, tmp_path):
    """Return the file of drawn targets for the training videos."""
    dataset = open_dataset(vadkit.build(graph).spec["data"])
    rng = np.random.default_rng(0)
    rows = {v.name: rng.random((dataset.read(v, "rgb").shape[1], 2)) for v in dataset.videos("train")}
    write_targets(tmp_path / "t.safetensors", rows, {})
    return tmp_path / "t.safetensors"


def test_resumed_equals_never_stopped(graph, targets, tmp_path):
    sets = [f"data.targets={targets}"]
    whole = train(graph, sets, tmp_path / "whole", device="cpu")
    assert any("pull.snippets" in record["losses"] for record in whole.history if record["kind"] == "train")
    assert train(graph, sets, tmp_path / "cut", device="cpu", progress=Press()).signal == signal.SIGTERM
    again = train(graph, sets, tmp_path / "cut", resume=True, device="cpu")
    assert same(read_weights(whole.model_path), read_weights(again.model_path))
    assert read_header(again.model_path)["extra"]["data"]["targets"]
    plain = train(graph, (), tmp_path / "plain", device="cpu")
    assert not same(read_weights(whole.model_path), read_weights(plain.model_path))


def test_the_file_may_move_but_not_change(graph, targets, tmp_path):
    train(graph, [f"data.targets={targets}", "train.steps=2"], tmp_path / "run", device="cpu")
    moved = shutil.copy(targets, tmp_path / "moved.safetensors")
    assert train(graph, [f"data.targets={moved}"], tmp_path / "run", resume=True, device="cpu").steps == 6
    rows = {v.name: np.zeros((t, 2)) for v, t in lengths_of(graph)}
    write_targets(targets, rows, {})
    for change in (f"data.targets={targets}", "data.targets=null"):
        with pytest.raises(VadkitError, match="is not what the run began with"):
            train(graph, [change, "train.steps=7"], tmp_path / "run", resume=True, device="cpu")


def lengths_of(graph):
    dataset = open_dataset(vadkit.build(graph).spec["data"])
    return [(v, dataset.read(v, "rgb").shape[1]) for v in dataset.videos("train")]


def test_targets_of_other_videos_are_refused_and_nothing_is_written(graph, targets, tmp_path):
    write_targets(targets, {"another": np.zeros((3, 2))}, {})
    with pytest.raises(VadkitError, match="has no targets for the training video"):
        train(graph, [f"data.targets={targets}"], tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()
