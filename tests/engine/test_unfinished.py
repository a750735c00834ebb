"""A run that has not finished can be scored: by its newest checkpoint, and said so."""

from __future__ import annotations

import numpy as np
import pytest
from engine_stub import GRAPH

import vadkit
from vadkit.cli import main
from vadkit.engine.progress import Progress
from vadkit.engine.tensor_tree import same
from vadkit.engine.train import train
from vadkit.graph.model_file import read_header, read_weights
from vadkit.problems import VadkitError

pytestmark = pytest.mark.guards("6")


class Interrupted(Progress):
    """Ctrl-C twice, in step 9."""

    def step(self, step):
        if step == 9:
            raise KeyboardInterrupt


@pytest.fixture
def run(graph, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(graph, ["train.checkpoint_every=4"], tmp_path / "run", device="cpu", progress=Interrupted())
    return tmp_path / "run"


@pytest.mark.parametrize("sets", [[], ["train.ema=0.8"], ["train.select=val", "train.evaluate_every=3"]])
def test_its_weights_are_those_that_the_run_would_end_with(graph, tmp_path, sets):
    whole = train(graph, sets, tmp_path / "run", device="cpu")
    wanted, header = read_weights(whole.model_path), read_header(whole.model_path)
    whole.model_path.unlink()
    vadkit.load(tmp_path / "run")
    found = tmp_path / "run" / "unfinished.safetensors"
    assert same(read_weights(found), wanted)
    extra = read_header(found)["extra"]
    assert extra["chosen_step"] == header["extra"]["chosen_step"]
    assert extra["recipes"] == header["extra"]["recipes"]


def test_eval_scorer_and_load_take_the_folder_and_say_the_epoch(run, store, capsys):
    assert main(["eval", "--model", str(run), "--device", "cpu"]) == 0
    assert "the run has not finished; its weights are those of step 8 (epoch 4.00)" in capsys.readouterr().out
    model = vadkit.load(run)
    streams = {name: np.ones((5, size), np.float32) for name, size in model.input_sizes.items()}
    assert vadkit.Scorer(run).features(streams).shape == (5,)


def test_the_finished_run_leaves_only_its_model(run, graph):
    vadkit.load(run)
    assert (run / "unfinished.safetensors").exists()
    whole = train(graph, ["train.checkpoint_every=4"], run, resume=True, device="cpu")
    assert not (run / "unfinished.safetensors").exists()
    assert same(vadkit.load(run).state_dict(), read_weights(whole.model_path))


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(VadkitError, match="a folder without model.safetensors and without checkpoints"):
        vadkit.load(tmp_path)


def test_a_model_whose_plugin_is_absent_names_it(tmp_path, monkeypatch, graph):
    (tmp_path / "vadkit_gone.py").write_text(GONE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("VADKIT_PLUGINS", "vadkit_gone")
    graph["nodes"]["h"] = {**GRAPH["nodes"]["h"], "use": "gone", "args": {}}
    found = train(graph, ["train.steps=1"], tmp_path / "run", device="cpu")
    header = read_header(found.model_path)
    assert header["plugins"]["gone"] == {"plugin": "gone", "package": "VADKIT_PLUGINS", "version": ""}
    assert header["plugins"]["tca"]["package"] == "vadkit"
    monkeypatch.setenv("VADKIT_PLUGINS", "")
    with pytest.raises(VadkitError, match="'gone' is of the module gone in VADKIT_PLUGINS") as error:
        vadkit.load(found.model_path)
    assert "unknown component 'gone'" in str(error.value)


GONE = """
from torch import nn
from vadkit import Temporal, hookimpl

class Gone(Temporal):
    \"\"\"Return x.\"\"\"
    name = "gone"
    inputs = {"x": "b t dim"}
    def __init__(self, *, dim: int):
        super().__init__()
        self.dim = dim
    def forward(self, x):
        return x

@hookimpl
def vadkit_components():
    return [Gone]
"""
