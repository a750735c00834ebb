"""Clicks: which snippets hold one, how they reach a batch, and a store without any."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_store import write_tiny_store

import vadkit
from vadkit.components import build_component, find_component
from vadkit.data.batches import TrainBatches
from vadkit.data.clicks import check_clicks, click_rows
from vadkit.data.from_config import open_dataset
from vadkit.engine.fingerprint import fingerprint
from vadkit.problems import VadkitError
from vadkit.store.videos_json import load_videos
from vadkit.video import Video, VideoDataset

GRAPH: dict[str, Any] = {
    "inputs": {"rgb": "b t 16"},
    "nodes": {"score": {"use": "mlp_head", "in": "rgb", "args": {"hidden": [4]}}},
    "losses": {"bells": {"use": "click_splatting", "in": "score", "args": {"mine_from": 3}}},
    "output": "score",
    "train": {"steps": 4},
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tiny_store(tmp_path / "store")


def click(root: Path, most: int = 99) -> None:
    """Click into the first frame of the event of each abnormal training video, and 40 frames later."""
    videos = json.loads((root / "videos.json").read_text())
    for video in [v for v in videos if v["label"] and v["split"] == "train"][:most]:
        start = video["spans"][0][0]
        video["clicks"] = [start, min(start + 40, video["num_frames"] - 1)]
    (root / "videos.json").write_text(json.dumps(videos))


def opened(root: Path) -> VideoDataset:
    return open_dataset({"args": {"root": str(root)}})


def test_a_click_is_in_the_snippet_of_its_frame() -> None:
    video = Video("a", "train", 1, num_frames=64, clicks=(0, 47, 48, 63))
    assert click_rows(video, 4, 16)[:, 0].tolist() == [1, 0, 1, 1]
    assert click_rows(video, 3, 16)[:, 0].tolist() == [1, 0, 1]  # features without the last snippet
    assert click_rows(replace(video, segments=32), 32, 16)[:, 0].nonzero()[0].tolist() == [0, 23, 24, 31]


def batches(dataset: VideoDataset, sampler: str = "segment_mean", **options: Any) -> TrainBatches:
    built = build_component(find_component(sampler, "sampler"), {"length": 20}, "data.sampler")
    return TrainBatches(dataset, built, ["rgb"], 8, 0, workers=0, clicks=True, **options)


def test_clicks_come_to_training_length_with_the_features(root: Path) -> None:
    click(root)
    dataset = opened(root)
    with batches(dataset) as loader:
        rows, batch = loader.rows(0), loader.batch(0)
    assert batch["clicks"].shape == (16, 20)
    assert set(batch["clicks"].unique().tolist()) == {0.0, 1.0}
    for bag, found in zip(rows, batch["clicks"], strict=True):
        t = dataset.read(bag.video, "rgb").shape[1]
        clicked = {frame // 16 for frame in bag.video.clicks}
        edges = [20 and segment * t // 20 for segment in range(21)]
        expected = [
            any(j in clicked for j in range(start, max(end, start + 1))) for start, end in zip(edges, edges[1:])
        ]
        assert found.tolist() == [float(value) for value in expected]


def test_padding_is_never_clicked(root: Path) -> None:
    click(root)
    with batches(opened(root), "uniform_pad") as loader:
        batch = loader.batch(0)
    assert not batch["clicks"][~batch["mask"]].any()
    assert batch["clicks"].any()


def test_the_step_counts_updates(root: Path) -> None:
    click(root)
    with batches(opened(root), accumulate=3) as loader:
        assert [loader.batch(step)["step"].unique().tolist() for step in (0, 2, 3, 7)] == [[0], [0], [1], [2]]


def test_training_takes_clicks(root: Path, tmp_path: Path) -> None:
    click(root)
    config = {**GRAPH, "data": {"args": {"root": str(root)}, "batch": 4, "clicks": True}}
    run = vadkit.train(config, out=tmp_path / "run", device="cpu")
    assert run.steps == 4
    without = vadkit.train({**config, "losses": {"mil": {"use": "topk_mil", "in": "score"}}}, out=tmp_path / "other")
    weights = [torch.cat([x.flatten() for x in each.model.state_dict().values()]) for each in (run, without)]
    assert not torch.equal(*weights)


def test_a_graph_that_needs_clicks_says_so(root: Path, tmp_path: Path) -> None:
    config = {**GRAPH, "data": {"args": {"root": str(root)}, "batch": 4}}
    with pytest.raises(VadkitError, match="set data.clicks to true"):
        vadkit.train(config, out=tmp_path / "run")


def test_a_store_without_clicks(root: Path, tmp_path: Path) -> None:
    config = {**GRAPH, "data": {"args": {"root": str(root)}, "batch": 4, "clicks": True}}
    with pytest.raises(VadkitError, match="no abnormal training video has a click"):
        vadkit.train(config, out=tmp_path / "run")
    click(root, most=7)
    assert "1 of 8 abnormal training videos has no click: " in check_clicks(opened(root))[0]


def test_the_fingerprint_has_the_clicks_where_they_count(root: Path) -> None:
    before = [fingerprint(opened(root), "train", clicks=value) for value in (False, True)]
    click(root)
    after = [fingerprint(opened(root), "train", clicks=value) for value in (False, True)]
    assert before[0] == after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize(
    ("video", "clicks", "says"),
    [
        (1, [9999], "has a click at frame 9999 outside of its "),
        (1, [-1], "clicks"),
        (1, [0.5], "clicks are a list of frames"),
        (8, [3], "is normal (label 0) but has abnormal clicks"),
    ],
)
def test_wrong_clicks_in_videos_json(root: Path, video: int, clicks: list[Any], says: str) -> None:
    videos = load_videos(root)
    videos[video]["clicks"] = clicks
    (root / "videos.json").write_text(json.dumps(videos))
    with pytest.raises(VadkitError) as error:
        opened(root)
    assert says in str(error.value)


def test_an_event_of_the_demo_has_a_click_in_it(tmp_path: Path) -> None:
    from vadkit.demo.script import write_script
    from vadkit.demo.study import _entry

    for clip in write_script(train=(1, 2), test=(1, 1)):
        entry = _entry(clip, tmp_path)
        assert ("clicks" in entry) == (clip.split == "train" and clip.span is not None)
        if "clicks" in entry:
            assert clip.span is not None
            assert clip.span[0] <= entry["clicks"][0] < clip.span[1]
            assert np.shape(entry["clicks"]) == (1,)
            assert entry == _entry(clip, tmp_path)


@pytest.mark.parametrize(("rate", "clicks"), [(25.0, [0, 30, 99]), (50.0, [0, 15, 49])])
def test_clicks_of_an_extracted_video_are_on_the_clock_of_its_snippets(
    tmp_path: Path, rate: float, clicks: list[int]
) -> None:
    from vadkit.store.listing import VideoEntry, write_listing
    from vadkit.store.manifest import Line

    video: VideoEntry = {
        "name": "lift", "file": str(tmp_path / "lift.mp4"), "split": "train", "label": 1, "clicks": [0, 30, 99],
        "fps": rate,
    }  # fmt: skip
    write_listing(tmp_path, [video], {"lift": Line("lift", "done", None, fps=25.0, native_fps=rate, num_frames=100)})
    assert load_videos(tmp_path)[0]["clicks"] == clicks
