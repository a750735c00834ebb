"""What import says: all files that cannot be used, equal causes once, what it skips, and what to do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layouts import Opened, numbers, save

from vadkit.cli import main

Run = Callable[..., dict[str, Any]]
Refused = Callable[..., str]
Open = Callable[[], Opened]


def put(root: Path, *names: str, t: int = 9) -> None:
    for name in names:
        save(root / f"{name}.npy", numbers(name, t, 8))


@pytest.mark.guards("F", "6")
@pytest.mark.parametrize(
    ("suffix", "hint"),
    [
        ("npz", "np.load('NAME.npz')['KEY']"),
        ("pt", "torch.load('NAME.pt', weights_only=True).numpy()"),
        ("mat", "scipy.io.loadmat('NAME.mat')['KEY']"),
        ("h5", "h5py.File('FILE.h5')['NAME'][:]"),
        ("pkl", "vadkit reads no pickle"),
        ("MP4", "extract features from them with 'vadkit extract'"),
        ("rar", "unpack the archives first"),
    ],
)
def test_other_formats_are_known_by_what_to_do(root: Path, refused: Refused, suffix: str, hint: str) -> None:
    """With a README.txt next to them, import failed without a word."""
    (root / "normal").mkdir(parents=True)
    for number in range(3):
        (root / f"normal/a{number}.{suffix}").write_bytes(b"x")
    for more in ((), ("README.txt",)):
        for name in more:
            (root / name).write_text("hello")
        said = refused("own")
        assert f"there is no .npy file in or below it; there are 3 .{suffix}" in said and hint in said
    (root / "own.csv").write_text("video,label\na0,1\n")
    assert hint in refused("own", "--table", str(root / "own.csv"))


@pytest.mark.guards("6")
def test_other_formats_next_to_features_are_reported(root: Path, run: Run) -> None:
    put(root, "normal/a", "abnormal/b")
    (root / "normal/c.npz").write_bytes(b"x")
    assert any(note.startswith("a .npz file was skipped: save") for note in run("own")["notes"])


@pytest.mark.guards("6")
def test_equal_causes_are_one_problem(root: Path, run: Run, refused: Refused, opened: Open) -> None:
    for number in range(30):
        path = root / f"normal/empty{number:02}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    np.save(root / "normal/flat.npy", np.zeros(4, np.float32))
    said = refused("own")
    assert said.count("30 files: ") == 1 and "normal/empty00.npy" in said and "and 25 more" in said
    assert "normal/flat.npy: " in said
    put(root, "normal/a", "abnormal/b")
    notes = [note for note in run("own")["notes"] if note.startswith("cannot be used and left out: ")]
    assert len(notes) == 2 and "30 files" in notes[0] + notes[1]
    assert sorted(opened().videos) == ["a", "b"]


@pytest.mark.guards("6")
def test_a_damaged_crop_is_seen_by_its_size(root: Path, run: Run, opened: Open) -> None:
    put(root, *(f"normal/a__{crop}" for crop in range(3)), *(f"abnormal/b__{crop}" for crop in range(3)))
    (root / "normal/a__2.npy").write_bytes(b"\x93NUMPY")
    assert any("normal/a__2.npy" in note for note in run("own")["notes"])
    assert sorted(opened().videos) == ["b"]


@pytest.mark.guards("6")
def test_files_without_a_label_are_one_problem(root: Path, refused: Refused) -> None:
    put(root, *(f"videos/a{number}" for number in range(40)))
    said = refused("own")
    assert said.count("no folder above it is called normal or abnormal") == 1 and "40 files" in said


@pytest.mark.guards("6")
def test_folders_of_crops(root: Path, run: Run, refused: Refused, opened: Open) -> None:
    put(root, *(f"{label}/crop{crop}/{label[0]}" for label in ("normal", "abnormal") for crop in range(5)))
    run("own")
    assert {name: len(video.files["rgb"]) for name, video in opened().videos.items()} == {"n": 5, "a": 5}
    put(root, "normal/x/0", "normal/y/0")
    assert "save all crops of a video as one array (crops, snippets, width)" in refused("own", "--replace")


@pytest.mark.guards("F", "6")
def test_links_are_followed_and_what_is_skipped_is_said(root: Path, tmp_path: Path, run: Run, opened: Open) -> None:
    put(tmp_path / "disk", "a", "b")
    (root / "abnormal").mkdir(parents=True)
    (root / "normal").symlink_to(tmp_path / "disk")
    (root / "abnormal/c.npy").symlink_to(tmp_path / "disk/b.npy")
    (root / "abnormal/gone.npy").symlink_to(tmp_path / "nowhere.npy")
    (root / "normal/again").symlink_to(root)
    save(root / "normal/._a.npy", numbers("a", 9, 8))
    os.mkfifo(root / "abnormal/pipe.npy")
    notes = run("own")["notes"]
    assert sorted(opened().videos) == ["a", "b", "c"]
    for sentence in (
        "skipped, because it is a link to nothing: abnormal/gone.npy",
        "skipped, because it links to a folder that was read already: normal/again",
        "skipped, because its name begins with a dot: normal/._a.npy",
        "skipped, because it is no regular file: abnormal/pipe.npy",
    ):
        assert sentence in notes


@pytest.mark.guards("2.3")
def test_folders_are_read_as_labels_are(root: Path, run: Run, opened: Open) -> None:
    put(root, "Normal_Videos/a", "Anomaly-Videos-Part-1/b", "unlabelled/c", "NonViolence/d")
    notes = run("own")["notes"]
    assert {name: video.label for name, video in opened().videos.items()} == {"a": 0, "b": 1, "c": None, "d": 0}
    assert any("1 of 4 videos of split 'train' has an unknown label (the first is 'c')" in note for note in notes)


@pytest.mark.guards("2.1", "2.3")
def test_a_table_with_unknown_labels(root: Path, tmp_path: Path, run: Run, opened: Open, out: Path) -> None:
    put(root, "a", "b", "c")
    (tmp_path / "own.csv").write_text("video,label\na,N/A\nb,FALSE\nc,Fighting\n")
    found = run("own", "--table", str(tmp_path / "own.csv"))["found"]
    assert (found[0]["videos"], found[0]["abnormal"], found[0]["unknown"]) == (3, 1, 1)
    assert [entry["label"] for entry in json.loads((out / "videos.json").read_text())] == [None, 0, 1]
    assert [video.label for video in opened().videos.values()] == [None, 0, 1]


@pytest.mark.guards("F")
def test_names_are_one_however_they_are_composed(root: Path, tmp_path: Path, run: Run, opened: Open) -> None:
    put(root, "rgb/cafe\u0301", "audio/caf\u00e9", "rgb/b", "audio/b")
    (tmp_path / "own.csv").write_text("video,label\ncaf\u00e9.mov,1\nb,0\n")
    run("own", "--table", str(tmp_path / "own.csv"))
    assert {name: sorted(video.files) for name, video in opened().videos.items()} == {
        "caf\u00e9": ["audio", "rgb"],
        "b": ["audio", "rgb"],
    }


@pytest.mark.guards("2.2")
def test_a_merge_of_whole_videos_leaves_the_others_out(root: Path, run: Run, opened: Open) -> None:
    put(root, "rgb/normal/a", "rgb/abnormal/b", "rgb/abnormal/c")
    run("own")
    put(root, "audio/normal/a", "audio/abnormal/b")
    run("own", "--stream", "audio=audio", "--merge", "--complete")
    assert sorted(opened().videos) == ["a", "b"]


@pytest.mark.guards("2.2")
def test_a_file_that_can_no_longer_be_used_leaves_the_index(root: Path, run: Run, opened: Open) -> None:
    put(root, "normal/a", "abnormal/b", "abnormal/c")
    run("own")
    (root / "abnormal/c.npy").write_bytes(b"")
    run("own", "--merge")
    assert sorted(opened().videos) == ["a", "b"]


GRAPH = {
    "inputs": {"rgb": "b t 8"},
    "nodes": {"score": {"use": "mlp_head", "in": "rgb", "args": {"hidden": [4]}}},
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
    "data": {"sampler": {"use": "uniform_pad", "args": {"length": 8}}, "batch": 2},
    "train": {"steps": 2},
}


@pytest.mark.guards("2.4", "F")
def test_an_import_of_training_videos_alone_trains(
    root: Path, out: Path, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both ended with: store/rgb: cannot be read: no such file or directory."""
    put(root, *(f"{label}/{label}{i}" for label in ("normal", "abnormal") for i in range(4)))
    run("own")
    (tmp_path / "g.yaml").write_text(json.dumps(GRAPH))
    train = ["train", str(tmp_path / "g.yaml"), "--data", str(out), "--device", "cpu"]
    assert main([*train, "--out", str(tmp_path / "last")]) == 0
    assert "no video in split 'test' (there are 8 videos in 'train'): no figures" in capsys.readouterr().err
    assert main([*train, "--out", str(tmp_path / "val"), "--set", "train.select=val"]) == 0
    assert "2 of its 8 training videos serve as such" in capsys.readouterr().err
    result = json.loads((tmp_path / "val/result.json").read_text())
    assert result["select"] == "val" and result["selected_by"]["split"] == "val" and not result["figures"]
    assert main([*train, "--out", str(tmp_path / "best"), "--set", "train.select=test_best"]) == 2
    error = capsys.readouterr().err
    assert "train.select is test_best, but the data set has no video in split 'test'" in error and "hint: mark" in error


@pytest.mark.guards("2.1")
def test_training_says_which_labels_are_unknown(
    root: Path, out: Path, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    put(root, *(f"{label}/{label}{i}" for label in ("normal", "abnormal", "unlabelled") for i in range(4)))
    run("own")
    (tmp_path / "g.yaml").write_text(json.dumps(GRAPH))
    train = ["train", str(tmp_path / "g.yaml"), "--data", str(out), "--device", "cpu", "--set", "train.select=val"]
    assert main([*train, "--out", str(tmp_path / "run")]) == 0
    error = capsys.readouterr().err
    assert "4 of 10 videos of split 'train' have an unknown label" in error and "2 of its 8 training videos" in error
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["data"]["videos"] == 6
