"""Extract, train, predict: what predict gives is what evaluation gave."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import alarm, make_clip
from models import RGB_AUDIO

import vadkit
from vadkit.engine.train import train
from vadkit.evaluate.score import evaluate_as_configured
from vadkit.extract.run import Clock, Resources, extract_store
from vadkit.plugin_manager import load_plugins
from vadkit.predict import predict
from vadkit.store.store_json import load_head, write_head

GRAPH = {
    **RGB_AUDIO,
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "data": {"sampler": {"use": "uniform_pad", "args": {"length": 16}}, "batch": 2, "workers": 0},
    "train": {"epochs": None, "steps": 30, "seed": 3, "optimizer": {"use": "adam", "lr": 0.1}},
    "eval": {"threshold": 0.6, "post": [{"use": "score_smoothing", "args": {"kappa": 2}}]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with videos, a store and a trained model."""
    folder = tmp_path_factory.mktemp("trained")
    videos = []
    for i in range(6):
        name, bad = f"clip{i}", i % 2
        sound = "beep" if bad else None if i == 4 else "silence"
        make_clip(folder / f"{name}.mp4", colour=alarm(2, 4) if bad else alarm(9, 9), sound=sound)
        videos.append(
            {
                "name": name,
                "file": str(folder / f"{name}.mp4"),
                "split": "train" if i < 4 else "test",
                "label": bad,
                "classes": ["red"] * bad,
                "spans": [[16, 32]] * bad,
            }
        )
    components = load_plugins().components
    backbones = {"rgb": components.find("mean_colour")(), "audio": components.find("loudness")()}
    cut, here = Clock(snippet_frames=4), Resources(workers=0)
    extract_store(videos, backbones, folder / "store", clock=cut, classes=["normal", "red"], resources=here)
    train(GRAPH, [f"data.args.root={folder / 'store'}"], folder / "run", device="cpu")
    return folder


def test_predict_scores_a_video_as_evaluation_does(folder: Path) -> None:
    plugins = load_plugins()
    model = vadkit.load(folder / "run" / "model.safetensors")
    dataset = plugins.components.find("feature_store")(root=str(folder / "store"))
    measured = evaluate_as_configured(model, dataset, model.spec["eval"], plugins=plugins, device="cpu").scores
    predict([folder / "clip4.mp4", folder / "clip5.mp4"], folder / "run" / "model.safetensors", folder / "out")
    for name in ("clip4", "clip5"):
        data = json.loads((folder / "out" / f"{name}.json").read_text())
        assert [s["score"] for s in data["scores"]] == pytest.approx(measured[name].tolist(), abs=2e-6)
        assert data["threshold"] == 0.6
        # That the normal clip has no sound is said; nothing is wrong with the recipe.
        assert [w for w in data["warnings"] if "sound" not in w] == []
        assert data["model"]["trained"]["recipes"]["rgb"]["snippet_frames"] == 4


@pytest.mark.parametrize(
    "sampler", ({"use": "segment_mean", "args": {"length": 5}}, {"use": "uniform_pad", "args": {"length": 5}})
)
def test_a_video_is_predicted_in_the_pieces_of_evaluation(folder: Path, tmp_path: Path, sampler: Any) -> None:
    sets = [f"data.args.root={folder / 'store'}", "train.steps=5", f"eval.sampler={json.dumps(sampler)}"]
    result = train(GRAPH, sets, tmp_path / "run", device="cpu")
    measured = vadkit.evaluate(result.model_path)
    whole = vadkit.evaluate(result.model_path, set="eval.sampler=null")
    if sampler["use"] == "segment_mean":  # chunks change nothing in a graph that looks at single snippets
        assert not np.allclose(whole.scores["clip5"], measured.scores["clip5"], atol=1e-2)
    predict([folder / "clip5.mp4"], result.model_path, tmp_path / "out")
    data = json.loads((tmp_path / "out" / "clip5.json").read_text())
    assert [s["score"] for s in data["scores"]] == pytest.approx(measured.scores["clip5"].tolist(), abs=2e-6)
    assert data["model"]["sampler"] == sampler and data["model"]["crops"] == "mean"
    assert data["model"]["lookahead"] == "all"
    assert f"in the pieces of {sampler['use']}" in (tmp_path / "out" / "clip5.html").read_text()


@pytest.mark.guards("3", "2.5")
def test_a_notice_of_the_store_reaches_the_model_and_its_pages(folder: Path, tmp_path: Path) -> None:
    store = shutil.copytree(folder / "store", tmp_path / "store")
    write_head(store, {**load_head(store), "notice": "rendered clips, no real ones"})
    result = train(GRAPH, [f"data.args.root={store}", "train.steps=1"], tmp_path / "run", device="cpu")
    assert "rendered clips, no real ones" in result.warnings[0]
    predict([folder / "clip5.mp4"], tmp_path / "run" / "model.safetensors", tmp_path / "out")
    said = "About the training data of the model: rendered clips, no real ones."
    assert json.loads((tmp_path / "out" / "clip5.json").read_text())["notice"] == said
    for page in ("clip5", "index"):
        assert said in (tmp_path / "out" / f"{page}.html").read_text()


@pytest.mark.guards("3")
def test_streams_of_a_trained_model_add_most_where_the_event_is(folder: Path, tmp_path: Path) -> None:
    longer = [f"data.args.root={folder / 'store'}", "train.steps=400", "eval.post=[]"]
    train(GRAPH, longer, tmp_path / "run", device="cpu")
    predict([folder / "clip5.mp4"], tmp_path / "run" / "model.safetensors", tmp_path)
    data = json.loads((tmp_path / "clip5.json").read_text())
    assert [(event["start"], event["end"]) for event in data["events"]] == [(2, 4)]
    for stream in ("rgb", "audio"):
        values = {s["start"]: s["contributions"][stream] for s in data["scores"]}
        inside = [value for start, value in values.items() if 2 <= start < 4]
        outside = [value for start, value in values.items() if not 2 <= start < 4]
        assert min(inside) > max(0.1, *map(abs, outside)), stream
    assert "over the threshold" in data["events"][0]["lift"]
