from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from models import RECIPES, RGB, write_model

from vadkit.predict.system import System, _backbone, load_system
from vadkit.problems import VadkitError

GREY, RED = [0.25, 0.25, 0.25], [0.9, 0.1, 0.1]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> System:
    return load_system(write_model(tmp_path_factory.mktemp("m") / "m.safetensors", audio=True), "cpu")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_scores_are_the_models(both: System) -> None:
    streams = {"rgb": np.array([GREY, RED], np.float32), "audio": np.array([[1.0], [1.5]], np.float32)}
    assert both.score(streams) == pytest.approx(sigmoid(np.array([-5.4, 5.0])), abs=1e-5)


def test_a_contribution_is_the_logit_minus_that_with_the_streams_mean_over_the_calmer_half(both: System) -> None:
    streams = {"rgb": np.array([GREY, RED], np.float32), "audio": np.array([[1.3], [1.3]], np.float32)}
    lifts = both.lifts(streams, both.scored(streams))
    assert lifts.contributions["rgb"] == pytest.approx([0, 6.4], abs=1e-5)  # red minus green is 0 and 0.8
    assert lifts.without["rgb"] == pytest.approx(sigmoid(np.full(2, -3.0)), abs=1e-5)
    assert lifts.contributions["audio"] == pytest.approx([0, 0], abs=1e-6)


def test_scores_are_post_processed_as_the_model_states(tmp_path: Path) -> None:
    post = {"eval": {"post": [{"use": "score_smoothing", "args": {"kappa": 2}}], "threshold": 0.3}}
    smooth = load_system(write_model(tmp_path / "s.safetensors", **post), "cpu")
    plain = load_system(write_model(tmp_path / "p.safetensors"), "cpu")
    streams = {"rgb": np.array([GREY, RED, GREY, GREY], np.float32)}
    assert smooth.threshold == 0.3
    assert smooth.score(streams) == pytest.approx(smooth.post[0](plain.score(streams)))
    assert not np.allclose(smooth.score(streams), plain.score(streams))


def test_videos_are_cut_as_in_training(both: System) -> None:
    assert both.clock == {"snippet_frames": 4, "fps": None, "tail": "repeat"}
    assert both.recipes == RECIPES
    assert both.warnings == []


def test_recipes_are_found_under_the_names_of_the_stores_streams(tmp_path: Path) -> None:
    stored = {"recipes": {"stored": {**RECIPES["rgb"], "snippet_frames": 7}}}
    path = write_model(tmp_path / "m.safetensors", extra=stored, data={"streams": {"rgb": "stored"}})
    assert load_system(path, "cpu").clock["snippet_frames"] == 7


def test_a_model_without_recipes_is_warned_about(tmp_path: Path) -> None:
    for extra, frames in (({}, 16), ({"snippet_frames": 8}, 8)):
        system = load_system(write_model(tmp_path / "m.safetensors", extra=extra), "cpu")
        assert system.clock == {"snippet_frames": frames, "fps": None, "tail": "repeat"}
        assert ["does not state the recipe of the features" in text for text in system.warnings] == [True]


def test_other_recipes_than_in_training_are_warned_about(tmp_path: Path) -> None:
    other = {"recipes": {"rgb": {**RECIPES["rgb"], "what": "median colour", "crops": 10}}}
    system = load_system(write_model(tmp_path / "m.safetensors", extra=other), "cpu")
    assert system.warnings == [
        "the features of input 'rgb' have another recipe than those the model was trained on "
        "(what: 'median colour' then, 'mean colour' now): the scores say little"
    ]


def test_streams_cut_differently_are_refused(tmp_path: Path) -> None:
    stored = {"recipes": {"rgb": RECIPES["rgb"], "audio": {**RECIPES["audio"], "snippet_frames": 5}}}
    path = write_model(tmp_path / "m.safetensors", audio=True, extra=stored)
    with pytest.raises(VadkitError, match="cut differently"):
        load_system(path, "cpu")


def test_a_model_without_backbones_is_refused_with_advice(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.safetensors", inputs={"rgb": "b t 3"})
    with pytest.raises(VadkitError) as caught:
        load_system(path, "cpu")
    problem = caught.value.problems[0]
    assert "takes features, not videos: no backbone is named for its input rgb (b t 3)" in problem.message
    assert "vadkit list backbone" in str(problem.hint) and "vadkit eval" in str(problem.hint)


@pytest.mark.parametrize(
    ("threshold", "message"), [(1.5, "are between 0 and 1"), (float("nan"), "finite"), (-0.1, "are between 0 and 1")]
)
def test_meaningless_thresholds_are_refused(tmp_path: Path, threshold: float, message: str) -> None:
    with pytest.raises(VadkitError, match=message):
        load_system(write_model(tmp_path / "m.safetensors"), "cpu", threshold)


def test_backbones_run_on_the_chosen_device_and_not_on_that_of_training() -> None:
    stored = {"use": "i3d_rgb", "args": {"random_weights": True, "device": "cuda:7"}}
    assert _backbone("rgb", stored, torch.device("cpu")).frozen.device == "cpu"  # type: ignore[attr-defined]
    assert _backbone("rgb", {"use": "mean_colour"}, torch.device("cpu")).dim == 3


@pytest.mark.parametrize("device", ["banana", "cuda:99", "meta"])
def test_missing_devices_are_refused(tmp_path: Path, device: str) -> None:
    with pytest.raises(VadkitError, match=f"device {device} cannot be used here"):
        load_system(write_model(tmp_path / "m.safetensors"), device)


def test_scores_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    system = load_system(write_model(tmp_path / "m.safetensors"), "cpu")
    with torch.no_grad():
        system.model.score.layers[0].bias.fill_(float("nan"))
    with pytest.raises(VadkitError, match="not finite"):
        system.score({"rgb": np.array([GREY], np.float32)})


def test_the_graphs_of_these_tests_are_plain_data() -> None:
    assert json.loads(json.dumps(RGB)) == RGB


def test_random_weights_of_training_and_moved_weight_files(tmp_path: Path) -> None:
    from vadkit.predict.system import _with_weights

    inputs = {"rgb": {"use": "i3d_rgb", "args": {"short_side": 256}}, "clip": {"use": "clip_vit"}}
    stored = {"rgb": {"weights": "random"}, "clip": {"weights": "0" * 64}}
    assert _with_weights(inputs, {"clip": "here.pt"}, stored) == {
        "rgb": {"use": "i3d_rgb", "args": {"short_side": 256, "random_weights": True}},
        "clip": {"use": "clip_vit", "args": {"weights": "here.pt"}},
    }
    given = {"rgb": {"use": "i3d_rgb", "args": {"random_weights": True}}}
    assert _with_weights(given, {"rgb": "here.pt"}, {})["rgb"]["args"] == {"weights": "here.pt"}
    assert _with_weights({"rgb": {"use": "i3d_rgb"}}, {}, {})["rgb"]["args"] == {}  # then it refuses to run
    with pytest.raises(VadkitError, match="no such input"):
        load_system(write_model(tmp_path / "m.safetensors"), "cpu", weights={"rbg": "x.pt"})
