"""``extract --like MODEL`` cuts as the model wants; features that were cut otherwise are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import alarm, make_clip

import vadkit
from vadkit.cli import main

pytestmark = pytest.mark.guards("6")
Captured = pytest.CaptureFixture[str]
GRAPH = {
    "inputs": {"rgb": {"use": "tiny_view"}, "audio": {"use": "logmel_stats"}},
    "nodes": {
        "rgb16": {"use": "dense", "in": "rgb", "args": {"dim": 16}},
        "audio16": {"use": "dense", "in": "audio", "args": {"dim": 16}},
        "both": {"use": "concat", "in": ["rgb16", "audio16"]},
        "score": {"use": "mlp_head", "in": "both"},
    },
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
    "data": {"batch": 1, "sampler": {"args": {"length": 4}}, "workers": 0},
    "train": {"steps": 1, "epochs": None},
}


BACKBONE = """
import numpy as np
from vadkit import Backbone, hookimpl

class TinyView(Backbone):
    \"\"\"Mean colours of a snippet, as often as there are crops.\"\"\"
    name = "tiny_view"
    modality = "rgb"
    dim = 3

    def __init__(self, *, crops: str = "centre", weights: str | None = None, random_weights: bool = False):
        self.crops, self.random = crops, random_weights
        self.num_crops = 5 if crops == "five" else 1

    def recipe(self):
        return {"crops": self.crops, "weights": "random" if self.random else "0a1b"}

    def extract(self, snippets):
        means = np.array([s.mean((0, 1, 2)) for s in snippets], np.float32)
        return means if self.num_crops == 1 else np.stack([means] * self.num_crops, 1)

@hookimpl
def vadkit_components():
    return [TinyView]
"""


@pytest.fixture(scope="module", autouse=True)
def tiny_view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "vadkit_tiny_view.py").write_text(BACKBONE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("VADKIT_PLUGINS", "vadkit_tiny_view")
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_view: None) -> Path:
    """Videos, a store of snippets of 4 frames at 4 a second, five crops, and a model that was trained on it."""
    root = tmp_path_factory.mktemp("like")
    for name, colour in (("normal", alarm(9, 9)), ("abnormal", alarm(1, 2)), ("probe", alarm(2, 3))):
        make_clip(root / "videos" / f"{name}.mp4", 2.0, colour)
    labels = "video,label,split\nnormal,normal,train\nabnormal,abnormal,train\nprobe,abnormal,test\n"
    (root / "labels.csv").write_text(labels)
    common = {"labels": root / "labels.csv", "random_weights": True}
    graph = {**GRAPH, "data": {**GRAPH["data"], "args": {"root": str(root / "S")}}}  # type: ignore[dict-item]
    cut = {"fps": 4, "snippet_frames": 4, "tail": "drop", "crops": 5}
    vadkit.extract(root / "videos", config=graph, out=root / "S", **cut, **common)  # type: ignore[arg-type]
    vadkit.train(graph, out=root / "run", device="cpu")
    return root


def recipes(store: Path) -> dict[str, object]:
    return {
        name: stream["recipe"] for name, stream in json.loads((store / "store.json").read_text())["streams"].items()
    }


def test_the_store_is_that_of_the_training(made: Path, tmp_path: Path) -> None:
    store = tmp_path / "L"
    assert main(["extract", str(made / "videos"), "--like", str(made / "run"), "--out", str(store), "--workers", "0",
                 "--labels", str(made / "labels.csv")]) == 0  # fmt: skip
    assert recipes(store) == recipes(made / "S")
    for file in (made / "S").rglob("*.npy"):
        assert np.array_equal(np.load(store / file.relative_to(made / "S")), np.load(file))
    found = vadkit.evaluate(made / "run", set=f"data.args.root={store}", device="cpu")
    assert not any("recipe" in warning for warning in found.warnings)


def test_what_was_cut_otherwise_is_refused_with_the_command(made: Path, tmp_path: Path, capsys: Captured) -> None:
    store = shutil.copytree(made / "S", tmp_path / "O")
    head = json.loads((store / "store.json").read_text())
    head["streams"]["audio"]["recipe"]["fps"] = 25
    (store / "store.json").write_text(json.dumps(head))
    assert main(["eval", "--model", str(made / "run"), "--data", str(tmp_path / "O"), "--device", "cpu"]) == 2
    said = capsys.readouterr().err
    assert "are not cut as those that the model was trained on: fps 4 then, 25 now" in said
    assert f"vadkit extract VIDEOS --like {made / 'run' / 'model.safetensors'} --out STORE" in said


def test_like_leaves_nothing_to_choose(made: Path, tmp_path: Path, capsys: Captured) -> None:
    like = ["extract", str(made / "videos"), "--like", str(made / "run"), "--out", str(tmp_path / "x")]
    assert main([*like, "--fps", "8", "--crops", "5"]) == 2
    assert "--like takes fps, crops from the model" in capsys.readouterr().err


def test_a_model_of_imported_features_has_no_recipe(tmp_path: Path, capsys: Captured) -> None:
    from tiny_store import write_tiny_store

    root = write_tiny_store(tmp_path / "store", dims={"rgb": 8})
    store = json.loads((root / "store.json").read_text())
    store["streams"]["rgb"].pop("recipe")
    (root / "store.json").write_text(json.dumps(store))
    nodes = {"score": {"use": "mlp_head", "in": "rgb"}}
    graph = {**GRAPH, "inputs": {"rgb": "b t 8"}, "nodes": nodes}
    vadkit.train(graph, out=tmp_path / "run", device="cpu", set=f"data.args.root={root}")
    make_clip(tmp_path / "clip.mp4", 1.0)
    like = ["--like", str(tmp_path / "run"), "--out", str(tmp_path / "x")]
    assert main(["extract", str(tmp_path / "clip.mp4"), *like]) == 2
    assert "input 'rgb' does not state how its features were extracted" in capsys.readouterr().err
