"""Unbounded scores: without a threshold there are no events and no false alarms, and every result says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from clips import make_clip
from tiny_store import write_tiny_store

import vadkit
from vadkit.cli import main
from vadkit.graph.model_file import save
from vadkit.plugin_manager import EXTRA, reload_plugins
from vadkit.problems import VadkitError

TOYS = Path(__file__).parent.parent / "support" / "toys"
NODES = {"score": {"use": "toy_two_scores", "in": "rgb"}}
SAID = "the scores are unbounded, and eval.threshold is not set"


@pytest.fixture(scope="module", autouse=True)
def toys(tiny_backbones: None) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOYS))
        patch.setenv(EXTRA, "vadkit_tiny_backbones,vadkit_toy")
        reload_plugins()
        yield


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "a.mp4", sound=None)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    graph = {"inputs": {"rgb": {"use": "mean_colour"}}, "nodes": NODES, "output": "score"}
    return save(vadkit.build(graph), tmp_path / "model.safetensors")


def test_no_threshold_no_events(capsys: pytest.CaptureFixture[str], tmp_path: Path, model: Path, clip: Path) -> None:
    out = tmp_path / "out"
    assert main(["predict", str(clip), "--model", str(model), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "0 events, highest score 1" in printed and "no threshold, so no events are reported" in printed
    data = json.loads((out / "a.json").read_text())
    assert (data["threshold"], data["events"], data["model"]["output_range"]) == (None, [], "unbounded")
    page = (out / "a.html").read_text()
    assert "no threshold, so no events; highest score 1" in page and '"threshold":null' in page
    assert "without a threshold there are no events" in (out / "index.html").read_text()
    assert main(["predict", str(clip), "--model", str(model), "--out", str(out)]) == 0  # its own results are known
    assert "finished before" in capsys.readouterr().out
    (found,) = vadkit.predict(clip, model=model)
    assert found.threshold is None and found.events == () and len(found.scores)


def test_a_threshold_of_any_size_gives_events(tmp_path: Path, model: Path, clip: Path) -> None:
    (found,) = vadkit.predict(clip, model=model, threshold=10, out=tmp_path / "out")
    assert found.threshold == 10 and len(found.events) == 1
    assert "1 event at or above 10;" in (tmp_path / "out" / "a.html").read_text()
    with pytest.raises(VadkitError, match="must be a finite number"):
        vadkit.predict(clip, model=model, threshold=float("inf"))


@pytest.fixture
def evaluated(tmp_path: Path) -> Path:
    store = write_tiny_store(tmp_path / "store")
    graph = {"inputs": {"clip": "b t 8"}, "nodes": {"score": {**NODES["score"], "in": "clip"}}, "output": "score"}
    return save(vadkit.build({**graph, "data": {"args": {"root": str(store)}}}), tmp_path / "store.safetensors")


def test_no_threshold_no_false_alarms(capsys: pytest.CaptureFixture[str], tmp_path: Path, evaluated: Path) -> None:
    assert main(["eval", "--model", str(evaluated), "--out", str(tmp_path / "out")]) == 0
    assert f"not defined: {SAID}" in capsys.readouterr().out
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert written["figures"]["far"] is None and written["figures"]["undefined"]["far"] == SAID
    assert written["figures"]["ap"] is not None and written["protocol"]["threshold"] is None
    page = (tmp_path / "out" / "index.html").read_text()
    assert f"The model has no threshold: {SAID}." in page and "At one threshold: " in page and "nan" not in page


def test_a_threshold_of_any_size_counts_false_alarms(evaluated: Path) -> None:
    low, high = (vadkit.evaluate(evaluated, set=f"eval.threshold={value}") for value in (-5, 1e6))
    assert (low.figures["far"], high.figures["far"]) == (1.0, 0.0)
    assert low.figures["ap"] == high.figures["ap"] and "threshold" in low.page()


def test_training_reports_no_threshold(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store, out = write_tiny_store(tmp_path / "store"), tmp_path / "run"
    graph = {
        "inputs": {"clip": "b t 8"},
        "nodes": {"score": {**NODES["score"], "in": "clip"}},
        "losses": {"mil": {"use": "toy_loss", "in": "score.belief"}},
        "output": "score",
        "train": {"steps": 2},
        "data": {"args": {"root": str(store)}, "batch": 2, "workers": 0},
    }
    file = tmp_path / "graph.yaml"
    file.write_text(json.dumps(graph))
    assert main(["train", str(file), "--out", str(out), "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "threshold" not in printed and "far           not defined" in printed
    figures = json.loads((out / "result.json").read_text())["figures"]
    assert figures["threshold"] is None and figures["undefined"]["far"] == SAID
