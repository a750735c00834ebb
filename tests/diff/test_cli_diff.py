"""The command: exit codes, what it prints, JSON, and errors for wrong arguments."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from planted import pictures, planted

from vadkit.cli import main
from vadkit.kinds import Backbone

Make = Callable[..., Path]
Build = Callable[..., Backbone]


@pytest.fixture(scope="module")
def stores(make: Make, backbone: Build) -> tuple[Path, Path]:
    bgr = planted(backbone("probe_rgb"), **pictures(lambda x: x[..., ::-1]))
    return make(rgb=backbone("probe_rgb")), make(rgb=bgr)


def test_equal(stores: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(stores[0], tmp_path / "b")
    assert main(["store", "diff", str(stores[0]), str(tmp_path / "b")]) == 0
    assert "rgb: equal, 3 videos" in capsys.readouterr().out


def test_different(stores: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "diff", *map(str, stores)]) == 1
    out = capsys.readouterr().out
    assert "equal" not in out
    for word in (
        "3 videos in both; 3 differ",
        "cosine 0.",
        "scale ",
        "time shift +0",
        "possible: BGR for RGB",
        "likely: the recipes are the same",
        "the numbers alone leave more than one cause",
    ):
        assert word in out, word


def test_with_the_video(stores: tuple[Path, Path], videos: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "diff", *map(str, stores), "--video", str(videos["street"])]) == 1
    out = capsys.readouterr().out
    assert "tried on 'street', rows 0 to 5, by A's recipe" in out
    assert "1. BGR for RGB: extracted so, the video gives all of what is different" in out
    assert "possible" not in out


def test_json(stores: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    true, other = stores[0] / "rgb" / "market.npy", tmp_path / "market.npy"
    np.save(other, np.load(true)[1:] * 2)
    assert main(["store", "diff", str(true), str(other), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    (stream,) = found["streams"]
    assert found["is_equal"] is False and stream["videos"] == 1 and stream["differ"] == ["market"]
    assert [cause["name"] for cause in stream["causes"]] == ["shift", "scaled"]
    assert stream["evidence"]["numbers"]["timing"]["shift"] == 1


def test_published_names_and_crops_are_read(stores: tuple[Path, Path], tmp_path: Path) -> None:
    array = np.load(stores[0] / "rgb" / "fair.npy")
    for crop in range(5):
        np.save(tmp_path / f"fair__{crop}.npy", array + crop)
    assert main(["store", "diff", str(stores[0]), str(tmp_path)]) == 1


def test_missing_and_damaged_videos_are_reported(
    stores: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rgb").mkdir()
    shutil.copy(stores[0] / "rgb" / "fair.npy", tmp_path / "rgb")
    (tmp_path / "rgb" / "street.npy").write_bytes((stores[0] / "rgb" / "street.npy").read_bytes()[:300])
    np.save(tmp_path / "rgb" / "zoo.npy", np.zeros((3, 96), np.float32))
    assert main(["store", "diff", str(stores[0]), str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "only in A: market" in out and "only in B: zoo" in out
    assert "street.npy: is truncated" in out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["nowhere", "{a}"], "nowhere: there is no such folder"),
        (["{a}", "{empty}"], "there is no .npy or .txt file"),
        (["{a}", "{a}", "--stream", "rbg"], "did you mean 'rgb'?"),
        (["{a}", "{b}", "--video", "nowhere.mp4"], "there is no such file"),
        (["{a}", "{b}", "--video", "nowhere.mp4", "--from", "-1"], "rows are counted from 0"),
        (["{a}"], "the following arguments are required: B"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], error: str, stores: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"a": stores[0], "b": stores[1], "empty": tmp_path / "empty"}
    assert main(["store", "diff", *(argument.format(**places) for argument in arguments)]) == 2
    captured = capsys.readouterr()
    assert error in captured.err and not captured.out
