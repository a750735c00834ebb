"""``vadkit extract``: what it takes, what it refuses, what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unusual_videos import make_video

from vadkit.cli import main
from vadkit.extract.streams import split_commas, streams_of_options
from vadkit.plugin_manager import EXTRA, load_plugins, reload_plugins
from vadkit.problems import VadkitError
from vadkit.store.index import read_store
from vadkit.store.manifest import read_manifest

TWO = ["--stream", "rgb=first_red", "--stream", "audio=loud"]


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(EXTRA, "vadkit_extraction_toys")
    reload_plugins()
    yield
    monkeypatch.undo()
    reload_plugins()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, frames in (("a", 20), ("deep/b", 40)):
        make_video(tmp_path / "in" / f"{name}.mkv", frames, video="ffv1", sound=2)
    return tmp_path


def run(folder: Path, *arguments: str, out: str = "store") -> int:
    return main(["extract", *arguments, "--out", str(folder / out), "--workers", "0"])


def refused(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert run(folder, *arguments) == 2
    return capsys.readouterr().err.splitlines()


def test_a_folder_becomes_a_store(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, str(folder / "in"), *TWO) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{folder}/store: 2 videos extracted, 0 skipped, 0 broken"
    assert "2 videos of unknown label; to train" in said[1]
    assert {video.name for video in read_store(folder / "store").videos} == {"a", "b"}
    assert run(folder, str(folder / "in"), *TWO) == 0
    assert capsys.readouterr().out == f"{folder}/store: 0 videos extracted, 2 skipped, 0 broken\n"


def test_without_a_terminal_progress_is_lines(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vadkit.cli.extract.LINE_EVERY", 0.0)
    assert run(folder, str(folder / "in"), *TWO) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if " of 2 videos, " in line]
    assert lines[-1].startswith("2 of 2 videos, ") and lines[-1].endswith(" a minute, 0.0 min left")


def test_parts_joined_are_one_run(folder: Path) -> None:
    listed = folder / "list.txt"
    listed.write_text("".join(f"{folder}/in/{name}.mkv\n" for name in ("deep/b", "a")))
    assert run(folder, "--list", str(listed), *TWO) == 0
    for part in ("1/2", "2/2"):
        assert run(folder, "--list", str(listed), *TWO, "--shard", part, out=part[0]) == 0
    joined = ["store", "merge", str(folder / "1"), str(folder / "2"), "--out", str(folder / "joined")]
    assert main(joined) == 0
    for path in (p for p in (folder / "store").rglob("*") if p.is_file() and p.name != ".lock"):
        assert (folder / "joined" / path.relative_to(folder / "store")).read_bytes() == path.read_bytes(), path


def test_streams_and_arguments_from_a_graph(folder: Path) -> None:
    graph = {
        "inputs": {"picture": {"use": "first_red"}},
        "nodes": {"score": {"use": "mlp_head", "in": "picture"}},
        "output": "score",
        "losses": {"mil": {"use": "topk_mil", "in": "score"}},
        "data": {"streams": {"picture": "rgb"}},
    }
    (folder / "graph.yaml").write_text(json.dumps(graph))
    arguments = ["--config", str(folder / "graph.yaml"), "--set", "inputs.picture.args.version=7", "--snippet", "8"]
    assert run(folder, str(folder / "in"), *arguments) == 0
    recipe = read_store(folder / "store").recipes["rgb"]
    assert (recipe["backbone"], recipe["version"], recipe["snippet_frames"]) == ("first_red", 7, 8)


def test_one_broken_video_is_reported_and_the_exit_code_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "in/c.mp4").write_bytes(b"")
    assert run(folder, str(folder / "in"), *TWO) == 1
    said = capsys.readouterr()
    assert f"broken: c: {folder}/in/c.mp4 is empty (0 bytes)" in said.err and "1 broken" in said.out
    assert "--retry-broken" in said.err and "note: there is no sound" not in said.err
    assert read_manifest(folder / "store")[0]["c"].state == "broken"


def test_a_list_with_labels(folder: Path) -> None:
    lines = ["file,name,label,split,intervals", "a.mkv,first,fall,test,4-9", "deep/b.mkv,second,normal,train,"]
    (folder / "in/list.csv").write_text("\n".join(lines))
    assert run(folder, "--list", str(folder / "in/list.csv"), *TWO) == 0
    store = read_store(folder / "store")
    assert store.classes == ("normal", "fall")
    first, second = store.videos
    assert (first.name, first.label, first.spans, first.split) == ("first", 1, ((4, 9),), "test")
    assert (second.name, second.label, second.split) == ("second", 0, "train")


def test_a_list_of_paths_alone(folder: Path) -> None:
    (folder / "list.txt").write_text(f"in/a.mkv\n{folder}/in/deep/b.mkv\n")
    assert run(folder, "--list", str(folder / "list.txt"), *TWO) == 0
    assert [video.name for video in read_store(folder / "store").videos] == ["a", "b"]


def test_labels_of_a_published_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("Abuse028_x264", "Normal_Videos_003_x264", "holiday"):
        make_video(tmp_path / "in" / f"{name}.mkv", 60, fps=30, video="ffv1")
    assert run(tmp_path, str(tmp_path / "in"), "--stream", "rgb=first_red", "--labels", "ucf_crime") == 0
    videos = {video.name: video for video in read_store(tmp_path / "store").videos}
    assert videos.keys() == {"Abuse028_x264", "Normal_Videos_003_x264"}
    assert videos["Abuse028_x264"].label == 1 and videos["Normal_Videos_003_x264"].label == 0
    error = capsys.readouterr().err
    assert "note: there is no sound: 2 videos (Abuse028_x264, Normal_Videos_003_x264)" in error
    assert "1 video (holiday) without a label in ucf_crime: left out of the index" in error
    # The real one has 1412 frames, and 60 are written here.
    assert videos["Abuse028_x264"].spans == ()
    assert "'Abuse028_x264': 0 of 1 intervals begin before its last frame (60)" in error


def test_random_weights_are_marked(folder: Path) -> None:
    arguments = ["--stream", "rgb=clip_vit,model=b32", "--random-weights", "--crops", "centre", "--fps", "8"]
    assert run(folder, str(folder / "in/a.mkv"), *arguments) == 0
    recipe = read_store(folder / "store").recipes["rgb"]
    assert recipe["weights"] == "random" and recipe["pretrained"] is False
    dataset = load_plugins().components.find("feature_store")(root=str(folder / "store"))
    assert any("networks with random weights" in text for text in dataset.warnings)
    assert np.load(folder / "store/rgb/a.npy").shape == (2, 512)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x.mp4", *TWO], "there is no video x.mp4"),
        ([*TWO], "name videos or folders, or give a list of them"),
        (["IN", "--stream", "rgb=clip_vit"], "backbone 'clip_vit' has no weights"),
        (["IN", "--stream", "rgb=first_rde"], "unknown backbone 'first_rde'"),
        (["IN", "--stream", "rgb=mlp_head"], "'mlp_head' is a head, not a backbone"),
        (["IN", "--stream", "rgb=first_red,delya=1"], "stream 'rgb'.args.delya: first_red has no such argument"),
        (["IN", "--stream", "rgb"], "--stream rgb: it names no backbone"),
        (["IN", *TWO, "--stream", "rgb=loud"], "--stream rgb=loud: stream 'rgb' is given twice"),
        (["IN", *TWO, "--crops", "5"], "no backbone of the streams rgb, audio takes 'crops'"),
        (["IN", *TWO, "--tail", "repaet"], "there is no tail rule 'repaet'"),
        (["IN", *TWO, "--shard", "9/8"], "--shard is '9/8'; it must be a part of N parts, such as 1/8"),
        (["IN", *TWO, "--fps", "-1"], "--fps is -1.0; it must be from 0.00028 (one frame an hour) to 1000"),
        (["IN", *TWO, "--workers", "-1"], "--workers is -1; it must be from 0 to 1024"),
        (["IN", *TWO, "--executor", "spark"], "there is no executor 'spark'"),
        (["IN", *TWO, "--labels", "xd_violence"], "xd_violence labels no video of this store; the first is 'a'"),
        (["IN", "--config", "seed_ucf_rgb"], "seed_ucf_rgb: input 'rgb' is a shape (b t 1024), not a backbone"),
        (["--list", "none.csv", *TWO], "none.csv: cannot be read: no such file or directory"),
    ],
)
def test_mistakes_are_reported_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    arguments = [str(folder / "in") if argument == "IN" else argument for argument in arguments]
    if "--workers" in arguments:
        assert main(["extract", *arguments, "--out", str(folder / "store")]) == 2
        assert capsys.readouterr().err.splitlines()[0] == message
    else:
        assert refused(folder, capsys, *arguments)[0] == message
    assert not (folder / "store").exists()


def test_two_files_of_one_name_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_video(folder / "in/more/a.mkv", 4, video="ffv1")
    assert refused(folder, capsys, str(folder / "in"), *TWO)[0].startswith("two videos are called 'a'")


def test_options_of_a_stream() -> None:
    found = streams_of_options(["rgb=i3d_rgb,weights=a b.pt,crops=five", "flow=x", "n=y,l=[1, 2],m={a: 1, b: 2}"])
    assert found == {
        "rgb": ("i3d_rgb", {"weights": "a b.pt", "crops": "five"}),
        "flow": ("x", {}),
        "n": ("y", {"l": [1, 2], "m": {"a": 1, "b": 2}}),
    }
    assert split_commas("a,'b,c',[d,{e,f}]") == ["a", "'b,c'", "[d,{e,f}]"]
    with pytest.raises(VadkitError, match="'crops' is not an argument"):
        streams_of_options(["rgb=i3d_rgb,crops"])


# -- labels ----------------------------------------------------------------------------------------
def index(folder: Path) -> dict[str, Any]:
    return {entry["name"]: entry for entry in json.loads((folder / "store/videos.json").read_text())}


@pytest.mark.guards("2.1")
def test_videos_without_labels_are_unknown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, str(folder / "in"), *TWO) == 0
    assert {name: entry["label"] for name, entry in index(folder).items()} == {"a": None, "b": None}
    assert "2 videos of unknown label; to train or measure on them, label them with --labels" in capsys.readouterr().out
    assert main(["store", "info", str(folder / "store")]) == 0
    assert "2 videos (test 2 unknown)" in capsys.readouterr().out


@pytest.mark.guards("2.2")
def test_a_video_that_is_left_out_leaves_the_index(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It stayed as a test video of the run without labels."""
    assert run(folder, str(folder / "in"), *TWO) == 0
    (folder / "labels.csv").write_text("video,label\na,normal\n")
    assert run(folder, str(folder / "in"), *TWO, "--labels", str(folder / "labels.csv")) == 0
    assert {name: entry["label"] for name, entry in index(folder).items()} == {"a": 0}
    error = capsys.readouterr().err
    assert "1 video (b) without a label in" in error and "left out of the index" in error
    assert "video 'b' was unknown in videos.json and is no longer listed; its features stay" in error
    assert (folder / "store/rgb/b.npy").exists()
    (folder / "labels.csv").write_text("video,label\na,normal\nb,fight\n")
    assert run(folder, str(folder / "in"), *TWO, "--labels", str(folder / "labels.csv")) == 0
    assert {name: entry["label"] for name, entry in index(folder).items()} == {"a": 0, "b": 1}


@pytest.mark.guards("2.3")
def test_labels_mean_the_same_in_tables_and_lists(folder: Path) -> None:
    """FALSE was a class, so its video was abnormal."""
    (folder / "labels.csv").write_text("video,label\na,FALSE\nb,?\n")
    assert run(folder, str(folder / "in"), *TWO, "--labels", str(folder / "labels.csv")) == 0
    assert {name: entry["label"] for name, entry in index(folder).items()} == {"a": 0, "b": None}
    (folder / "in/list.csv").write_text("file,label\na.mkv,Normal_Videos\ndeep/b.mkv,1.0\n")
    assert run(folder, "--list", str(folder / "in/list.csv"), *TWO) == 0
    assert {name: entry["label"] for name, entry in index(folder).items()} == {"a": 0, "b": 1}


@pytest.mark.guards("2.3")
def test_a_label_that_may_mean_either_is_refused_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "labels.csv").write_text("video,label\na,none\nb,2\n")
    assert run(folder, str(folder / "in"), *TWO, "--labels", str(folder / "labels.csv")) == 2
    error = capsys.readouterr().err
    assert "labels.csv:2:1: label 'none' is not clear" in error and "labels.csv:3:1: label '2' is neither" in error
    assert "write normal, abnormal or a class" in error
    assert not (folder / "store").exists()
