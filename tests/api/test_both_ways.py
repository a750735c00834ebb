"""Every verb gives the same in the shell and in Python: bytes of models and stores, figures, scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import vadkit
from vadkit.cli import main

Way = Callable[[SimpleNamespace, Path], Any]


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def build_in_shell(made: SimpleNamespace, out: Path) -> Any:
    command = ["build", str(made.root / "graph.yaml"), "--set", "nodes.score.args.hidden=[4]", "--seed", "7"]
    assert main([*command, "-o", str(out / "m.safetensors")]) == 0
    return files(out)


def build_in_python(made: SimpleNamespace, out: Path) -> Any:
    vadkit.build(made.root / "graph.yaml", set="nodes.score.args.hidden=[4]", seed=7, out=out / "m.safetensors")
    return files(out)


def extract_in_shell(made: SimpleNamespace, out: Path) -> Any:
    command = ["extract", str(made.root / "clips"), "--config", str(made.root / "graph.yaml"), "--snippet", "4"]
    command += ["--labels", str(made.root / "labels.csv"), "--out", str(out), "--workers", "0", "--tail", "drop"]
    assert main(command) == 0
    return files(out)


def extract_in_python(made: SimpleNamespace, out: Path) -> Any:
    done = vadkit.extract(
        made.root / "clips",
        config=made.root / "graph.yaml",
        labels=made.root / "labels.csv",
        out=out,
        snippet_frames=4,
        tail="drop",
    )
    assert done.extracted == [f"clip{i}" for i in range(6)] and not done.failed and done.store == out
    return files(out)


def without_times(folder: Path) -> Any:
    """Return what a run leaves, but for how long it took."""
    result = json.loads((folder / "result.json").read_text())
    result.pop("seconds")
    weights = vadkit.load(folder / "model.safetensors").state_dict()
    return result, {name: x.tolist() for name, x in weights.items()}, (folder / "config.yaml").read_text()


def train_in_shell(made: SimpleNamespace, out: Path) -> Any:
    command = ["train", str(made.root / "graph.yaml"), "--out", str(out), "--device", "cpu", "--seed", "5"]
    assert main([*command, "--set", f"data.args.root={made.store.store}", "--set", "train.steps=4"]) == 0
    return without_times(out)


def train_in_python(made: SimpleNamespace, out: Path) -> Any:
    changes = [f"data.args.root={made.store.store}", "train.steps=4"]
    result = vadkit.train(str(made.root / "graph.yaml"), out=out, set=changes, device="cpu", seed=5)
    assert result.model_path == out / "model.safetensors" and result.steps == 4
    assert result.figures == json.loads((out / "result.json").read_text())["figures"]
    return without_times(out)


def eval_in_shell(made: SimpleNamespace, out: Path) -> Any:
    command = ["eval", "--model", str(made.model), "--split", "train", "--set", "eval.threshold=0.3"]
    assert main([*command, "--out", str(out), "--device", "cpu"]) == 0
    return files(out)


def eval_in_python(made: SimpleNamespace, out: Path) -> Any:
    found = vadkit.evaluate(made.model, split="train", set="eval.threshold=0.3", out=out, device="cpu")
    assert json.loads((out / "results.json").read_text())["figures"] == found.figures
    return files(out)


def predict_in_shell(made: SimpleNamespace, out: Path) -> Any:
    clip = str(made.root / "clips" / "clip5.mp4")
    assert main(["predict", clip, "--model", str(made.model), "--out", str(out), "--device", "cpu"]) == 0
    return files(out)


def predict_in_python(made: SimpleNamespace, out: Path) -> Any:
    (found,) = vadkit.predict(made.root / "clips" / "clip5.mp4", model=made.model, out=out, device="cpu")
    data = json.loads((out / "clip5.json").read_text())
    assert found.scores.tolist() == [s["score"] for s in data["scores"]]
    assert found.times.tolist() == [[s["start"], s["end"]] for s in data["scores"]]
    assert [vars(event) for event in found.events] == data["events"]
    return files(out)


@pytest.mark.parametrize("verb", ["build", "extract", "train", "eval", "predict"])
def test_the_shell_and_python_give_the_same(made: SimpleNamespace, tmp_path: Path, verb: str) -> None:
    shell: Way = globals()[f"{verb}_in_shell"]
    python: Way = globals()[f"{verb}_in_python"]
    (tmp_path / "shell").mkdir()
    (tmp_path / "python").mkdir()
    first, second = shell(made, tmp_path / "shell"), python(made, tmp_path / "python")
    assert first and first == second
