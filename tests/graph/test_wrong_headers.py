"""A model file with a wrong header but the right SHA-256: one clear line that names file and key, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from wrong_json import DAMAGED, changed, spoiled

import vadkit
from vadkit import VadkitError
from vadkit.cli import main
from vadkit.graph import model_file

RECIPE = {"backbone": "x", "snippet_frames": 16, "stride": 16, "fps": 24.0, "tail": "repeat", "weights": "random"}
EXTRA = {
    "note": "flatters", "figures": {"ap": 0.5}, "select": "last", "protocol": {"split": "test"}, "seed": 0, "steps": 9,
    "chosen_step": 9, "selected_by": {"ap": 0.5, "split": "test"}, "warm_start": {"file": "x", "nodes": None},
    "seconds": 1.5, "warnings": ["few videos"], "data": {"videos": 3, "sha256": "0f"}, "device": "cpu", "processes": 1,
    "versions": {"torch": "2.6"}, "snippet_frames": 16, "recipes": {"rgb": RECIPE, "clip": None},
}  # fmt: skip


@pytest.fixture
def saved(graph: dict[str, Any], tmp_path: Path) -> Path:
    return model_file.save(vadkit.build(graph), tmp_path / "model.safetensors", EXTRA)


def prepare(path: Path, text: str, state: dict[str, torch.Tensor] | None = None) -> Path:
    """Write a model file with a header of the caller's choice, and the SHA-256 that goes with it."""
    state = {"w": torch.zeros(1)} if state is None else state
    save_file(state, path, {"vadkit": text, "sha256": model_file._digest(text, state)})
    return path


def test_every_key_of_the_header(saved: Path, tmp_path: Path, thorough: bool) -> None:
    """Of the 15 forms of each key every fourth, so another one of each; all if thorough."""
    header, refused = model_file.read_header(saved), []
    for wrong in list(spoiled(header))[:: 1 if thorough else 4]:
        path = prepare(tmp_path / "m.safetensors", json.dumps(wrong))
        try:
            model_file.read_header(path)
        except VadkitError as error:
            (problem,) = error.problems
            assert problem.message.startswith(f"{path}: the header") and "\n" not in problem.message
            assert len(problem.message) < len(str(path)) + 300
            refused.append(problem)
    assert len(refused) > 200


def test_what_a_sound_header_leaves_open_is_refused_when_the_model_is_built(saved: Path, tmp_path: Path) -> None:
    """Names of components and arguments are known to plugins only."""
    header, state, built = model_file.read_header(saved), model_file.read_weights(saved), 0
    for section in ("inputs", "nodes", "losses", "output"):
        for wrong in spoiled(header["spec"][section]):
            text = json.dumps(changed(header, ("spec", section), wrong))
            try:
                model_file.load(prepare(tmp_path / "m.safetensors", text, state))
                built += 1
            except VadkitError:
                pass
    assert built > 3


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_header(tmp_path: Path, content: bytes) -> None:
    path = prepare(tmp_path / "m.safetensors", content.decode("utf-8", "replace"))
    with pytest.raises(VadkitError, match="m.safetensors: the header"):
        model_file.read_header(path)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("spec",), [], "the header: spec must be a mapping, got []"),
        (("spec", "extends"), "demo_rgb", "the header: spec: has an unknown key 'extends'"),
        (("spec", "train", "seed"), "x", "the header: spec: train.seed must be"),
        (("spec", "eval", "threshold"), "high", "the header: spec: eval.threshold must be"),
        (("extra", "recipes", "rgb", "fps"), -1, "the header: extra.recipes.rgb.fps must be a number of more than 0"),
        (("extra", "snippet_frames"), 0, "the header: extra.snippet_frames must be a whole number of at least 1"),
        (("vadkit_model",), "1", 'the header is of format "1"; this vadkit reads 1'),
    ],
)
@pytest.mark.parametrize("command", ["eval", "predict"])
def test_the_command_says_which_key(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], keys: Any, value: Any, message: str, command: str
) -> None:
    header = model_file.read_header(saved)
    holder = header
    for key in keys[:-1]:
        holder = holder[key]
    holder[keys[-1]] = value
    path = prepare(tmp_path / "m.safetensors", json.dumps(header))
    (tmp_path / "x.mp4").write_bytes(b"")
    more = [str(tmp_path / "x.mp4"), "--out", str(tmp_path / "out")] if command == "predict" else []
    assert main([command, *more, "--model", str(path)]) == 2
    printed = capsys.readouterr().err
    assert message in printed and str(path) in printed and "Traceback" not in printed


def test_a_header_that_could_not_be_read_is_not_written(graph: dict[str, Any], tmp_path: Path) -> None:
    for extra in ({"figures": {"ap": float("nan")}}, {"seed": "three"}):
        with pytest.raises(VadkitError):
            model_file.save(vadkit.build(graph), tmp_path / "model.safetensors", extra)
    assert list(tmp_path.iterdir()) == []
