"""``vadkit.score`` and ``Scorer``: the scores of eval and predict, and the words for what does not fit."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import torch
from test_call_slips import GRAPH

import vadkit
from vadkit import VadkitError
from vadkit.graph.module import VadModel

RNG = np.random.default_rng(0)
RGB, CLIP = RNG.random((30, 6)).astype(np.float32), RNG.random((30, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def model(tiny_backbones: None) -> VadModel:
    return vadkit.build(GRAPH, seed=0).eval()


def test_scores_are_those_of_eval(made: SimpleNamespace) -> None:
    wanted = vadkit.evaluate(made.model, device="cpu").scores
    scorer = vadkit.Scorer(made.model)
    for name, scores in wanted.items():
        streams = {stream: np.load(made.store.store / stream / f"{name}.npy") for stream in ("rgb", "audio")}
        found = scorer.features(streams)
        assert found.dtype == np.float32 and np.array_equal(found, scores)
        assert np.array_equal(vadkit.score(made.model, streams), scores)
        plain = vadkit.score(made.model, streams, smooth=False)
        assert np.allclose(scores[:-1], (plain[:-1] + plain[1:]) / 2) and not np.allclose(scores, plain)


def test_crops_are_averaged_after_the_sigmoid(model: VadModel) -> None:
    crops = np.stack([RGB, 3 * RGB, -RGB])
    found = vadkit.score(model, {"rgb": crops, "clip": CLIP}, smooth=False)
    with torch.no_grad():
        one_by_one = model(rgb=crops, clip=np.stack([CLIP] * 3)).mean(0)
    assert np.allclose(found, one_by_one.numpy(), atol=1e-6)


@pytest.mark.parametrize("rows", [28, 31])
def test_a_few_rows_more_or_fewer_are_aligned_to_the_first_input(model: VadModel, rows: int) -> None:
    clip = np.concatenate([CLIP, CLIP])[:rows]
    filled = np.concatenate([clip, np.zeros((30, 4), np.float32)])[:30]
    found = vadkit.score(model, {"rgb": RGB, "clip": clip})
    assert found.shape == (30,) and np.array_equal(found, vadkit.score(model, {"rgb": RGB, "clip": filled}))


def test_the_model_stays_in_its_mode(model: VadModel) -> None:
    model.train()
    vadkit.score(model, {"rgb": RGB, "clip": CLIP})
    assert model.training
    model.eval()


def spoilt(x: np.ndarray, value: float) -> np.ndarray:
    x = x.copy()
    x[7, 2] = value
    return x


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        ({"rgb": RGB[:, :3], "clip": CLIP}, "stream 'rgb' is 6 wide, this array is 3"),
        ({"rgb": RGB.T[:, :9], "clip": CLIP}, "stream 'rgb' is 6 wide, this array is 9\n  hint: is it (width, t)?"),
        ({"rgb": RGB}, "the graph needs the stream 'clip'\n  hint: it takes rgb, clip"),
        ({"rgb": RGB, "clp": CLIP}, "the graph has no input 'clp'\n  hint: did you mean 'clip'?"),
        ({"rgb": RGB, "clip": CLIP[:20]}, "stream 'clip' has 20 rows, but 'rgb' has 30; up to 3 more or fewer"),
        ({"rgb": RGB[:0], "clip": CLIP[:0]}, "stream 'rgb' has no rows: its shape is (0, 6)"),
        ({"rgb": RGB[0], "clip": CLIP}, "stream 'rgb' has shape (6,); one video's features are (t, width) or"),
        ({"rgb": spoilt(RGB, np.nan), "clip": CLIP}, "stream 'rgb' holds NaN at [7, 2]"),
        ({"rgb": RGB, "clip": spoilt(CLIP, np.inf)}, "stream 'clip' holds infinity at [7, 2]"),
        ({"rgb": np.stack([RGB] * 5), "clip": np.stack([CLIP] * 2)}, "stream 'clip' has 2 crops, but another has 5"),
        ([RGB, CLIP], "streams is of type list; it must map names to arrays\n  hint: write {'rgb': ..., 'clip': ...}"),
        ({"rgb": np.array([object()]), "clip": CLIP}, "stream 'rgb' holds ndarray; features are float numbers"),
    ],
)
def test_features_that_do_not_fit_are_named(model: VadModel, streams: Any, message: str) -> None:
    for call in (lambda: vadkit.score(model, streams), lambda: vadkit.Scorer(model).features(streams)):
        with pytest.raises(VadkitError, match=f"^{re.escape(message)}"):
            call()


def test_a_wrong_model_or_device_is_named(made: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "old.pth").write_bytes(b"\x80\x04K\x01.")
    for path, message in (
        (tmp_path / "none.safetensors", "there is no model file"),
        (tmp_path, "is a folder without model.safetensors and without checkpoints"),
        (tmp_path / "old.pth", "is a pickled checkpoint; vadkit loads no pickle"),
        (7, "model is 7; it must be the path of a file"),
    ):
        for call in (vadkit.Scorer, lambda model: vadkit.score(model, {}), lambda model: vadkit.evaluate(model)):
            with pytest.raises(VadkitError, match=message):
                call(path)
    for call in (vadkit.Scorer, vadkit.load, lambda path, device: vadkit.evaluate(path, device=device)):
        with pytest.raises(VadkitError, match="device gpu cannot be used here"):
            call(made.model, device="gpu")


# -- videos and frames -----------------------------------------------------------------------------
def frames_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_a_video_and_its_frames_score_as_predict_says(made: SimpleNamespace) -> None:
    clip = made.root / "clips" / "clip5.mp4"
    (wanted,) = vadkit.predict(clip, model=made.model, device="cpu")
    scorer = vadkit.Scorer(made.model)
    by_file, by_frames = scorer.video(clip), scorer.frames(frames_of(clip), fps=8)
    for found in (by_file, by_frames):
        assert np.array_equal(found.scores, wanted.scores) and np.array_equal(found.times, wanted.times)
        assert found.events == wanted.events and found.threshold == wanted.threshold == 0.6
    assert by_file.video == clip and by_frames.video is None and "there is no sound" in by_frames.warnings
    assert not np.array_equal(vadkit.Scorer(made.model, smooth=False).video(clip).scores, wanted.scores)


FRAMES = np.zeros((5, 8, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [
        (
            FRAMES.transpose(0, 3, 1, 2),
            25,
            "frames has shape (5, 3, 8, 6); it must be (n, height, width, 3)\n  hint: col",
        ),
        (FRAMES[0], 25, "frames has shape (8, 6, 3); it must be (n, height, width, 3)"),
        (FRAMES / 255, 25, "frames holds float64; it must be uint8, from 0 to 255\n  hint: numbers from 0 to 1"),
        (FRAMES[:0], 25, "frames has shape (0, 8, 6, 3): there is no frame in it"),
        (FRAMES, 0, "fps is 0; it must be from"),
        (FRAMES, None, "fps is None; it must be from"),
    ],
)
def test_frames_that_are_none_are_named(made: SimpleNamespace, frames: Any, fps: Any, message: str) -> None:
    with pytest.raises(VadkitError, match=f"^{re.escape(message)}"):
        vadkit.Scorer(made.model).frames(frames, fps)


def test_a_model_without_backbones_scores_features_only(model: VadModel, tmp_path: Path) -> None:
    with pytest.raises(VadkitError, match="a Scorer of a model in memory scores features only"):
        vadkit.Scorer(model).video("clip.mp4")
    vadkit.build(GRAPH, out=tmp_path / "m.safetensors")
    with pytest.raises(VadkitError, match="takes features, not videos"):
        vadkit.Scorer(tmp_path / "m.safetensors").frames(FRAMES, 25)


def test_a_video_that_cannot_be_used_is_named(made: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(VadkitError, match="there is no such file"):
        vadkit.Scorer(made.model).video(tmp_path / "none.mp4")
