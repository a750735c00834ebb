"""Folders that cannot be said apart, stores that are there already, and what is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layouts import UCF, XD, Opened, numbers, save, snippets, some

Run = Callable[..., dict[str, Any]]
Refused = Callable[..., str]


def write(root: Path, folder: str, width: int = 8, names: tuple[str, ...] = XD, crops: int = 2) -> None:
    for video in some("xd_violence", names):
        for crop in range(crops):
            key = f"{folder}{video.name}{crop}"
            save(root / folder / f"{video.name}__{crop}.npy", numbers(key, snippets(video), width))


def test_no_folder(refused: Refused) -> None:
    assert "there is no such folder" in refused("xd_violence")


def test_an_empty_folder(root: Path, refused: Refused) -> None:
    root.mkdir()
    assert "there is no .npy or .txt file in or below it" in refused("xd_violence")


def test_archives_and_videos(root: Path, refused: Refused) -> None:
    root.mkdir()
    (root / "RGB.zip").write_bytes(b"PK")
    assert "unpack the archives first" in refused("xd_violence")
    (root / "RGB.zip").rename(root / "a.mp4")
    assert "vadkit extract" in refused("xd_violence")


def test_features_of_another_data_set(root: Path, refused: Refused) -> None:
    write(root, "RGB")
    message = refused("ucf_crime")
    assert "none of the 8 files is of a video of ucf_crime" in message and "vadkit store import own" in message


def test_two_folders_of_one_stream(root: Path, refused: Refused, run: Run) -> None:
    write(root, "one")
    write(root, "two")
    message = refused("xd_violence")
    assert "are both crop 0 of stream 'rgb'" in message and "(and 7 more such pairs)" in message
    assert "--stream rgb=one --stream flow=two" in message
    said = run("xd_violence", "--stream", "rgb=one", "--stream", "flow=two")
    assert [row["stream"] for row in said["found"]] == ["rgb", "flow", "rgb", "flow"]


def test_streams_that_are_not_named_well(root: Path, refused: Refused) -> None:
    write(root, "one")
    assert "must be NAME=FOLDER" in refused("xd_violence", "--stream", "one")
    assert "there is no such folder" in refused("xd_violence", "--stream", "rgb=three")


def test_two_widths_in_one_stream(root: Path, refused: Refused) -> None:
    write(root, "RGB", names=XD[:3])
    write(root, "RGB", width=12, names=XD[3:])
    message = refused("xd_violence")
    assert "stream 'rgb' is 8 wide in 3 videos, but 12 in 1, e.g. in RGB/A.Beautiful.Mind" in message


def test_axes_that_cannot_be_told(root: Path, refused: Refused, run: Run, opened: Callable[[], Opened]) -> None:
    save(root / "Abuse028_x264_i3d.npy", numbers("square", 10, 10, 8))
    assert "--axes rgb=crops_first or --axes rgb=snippets_first" in refused("ucf_crime")
    run("ucf_crime", "--axes", "rgb=snippets_first")
    np.testing.assert_array_equal(opened().read("Abuse028_x264", "rgb")[3], numbers("square", 10, 10, 8)[:, 3])
    assert "must be STREAM=crops_first" in refused("ucf_crime", "--axes", "rgb=both", "--replace")
    assert "names stream 'flow', but there are rgb" in refused("ucf_crime", "--axes", "flow=crops_first", "--replace")


def test_a_broken_file_is_left_out_and_told(root: Path, run: Run, opened: Callable[[], Opened]) -> None:
    write(root, "RGB")
    (root / "RGB" / f"{XD[0]}__0.npy").write_bytes(b"")
    said = run("xd_violence")
    assert f"{XD[0]}__0.npy: is empty (0 bytes)" in said["notes"][0]
    assert XD[0] in said["absent"]["train"] and XD[0] not in opened().videos


def test_crops_that_are_missing_are_reported(root: Path, run: Run) -> None:
    write(root, "RGB")
    (root / "RGB" / f"{XD[1]}__1.npy").unlink()
    (root / "RGB" / f"{XD[0]}__1.npy").rename(root / "RGB" / f"{XD[0]}__7.npy")
    write(root, "RGB", names=("v=V7FtjJStY1M__#1_label_G-0-0", "v=5Ftl4nOSytc__#1_label_G-0-0"))
    assert run("xd_violence")["notes"] == [f"stream 'rgb', train: 1 video not of 2 crops, e.g. {XD[1]} of 1"]


def test_a_missing_stream(root: Path, run: Run, opened: Callable[[], Opened]) -> None:
    write(root, "RGB")
    write(root, "Flow", names=XD[1:])
    assert run("xd_violence")["notes"][0].startswith(f"stream 'flow' is missing for 1 video: {XD[0]}; to train on it")
    assert opened().videos[XD[0]].files.keys() == {"rgb"}
    assert run("xd_violence", "--complete", "--replace")["absent"]["train"].count(XD[0]) == 1
    assert XD[0] not in opened().videos


def test_files_of_no_video_are_reported(root: Path, run: Run) -> None:
    write(root, "RGB")
    save(root / "RGB" / "mean.npy", np.zeros((1, 8), np.float32))
    (root / "readme.txt").write_text("hello")
    save(root / "RGB" / "gtx.npy", np.zeros((1, 8), np.float32))
    save(root / "list" / "gt-xd.npy", np.zeros((16, 1), np.float32))
    notes = run("xd_violence")["notes"]
    assert notes[0].startswith("list/gt-xd.npy looks like a truth file and is not used; to check it against the interv")
    assert notes[1:] == ["2 .npy files match no video of xd_violence: RGB/gtx.npy, RGB/mean.npy"]


# -- a store that is there -----------------------------------------------------------------------
def test_a_store_is_not_overwritten(root: Path, out: Path, run: Run, refused: Refused) -> None:
    write(root, "RGB")
    run("xd_violence")
    before = (out / "videos.json").read_bytes()
    assert "already holds a store (store.json and videos.json)" in refused("xd_violence")
    assert (out / "videos.json").read_bytes() == before


def test_merging_adds_a_stream(root: Path, tmp_path: Path, run: Run, opened: Callable[[], Opened]) -> None:
    write(root, "RGB")
    run("xd_violence")
    write(tmp_path / "elsewhere", "vggish", width=4, crops=1)
    run("xd_violence", "--root", str(tmp_path / "elsewhere"), "--merge")
    store = opened()
    assert list(store.store.dims) == ["rgb", "audio"]
    assert store.read(XD[2], "rgb").shape[0] == 2 and store.read(XD[2], "audio").shape[0] == 1


def test_merging_what_does_not_fit(root: Path, out: Path, run: Run, refused: Refused) -> None:
    write(root, "RGB")
    run("xd_violence")
    for video in some("ucf_crime", UCF):
        save(root / "ucf" / f"{video.name}.npy", numbers("u", snippets(video), 8))
    message = refused("ucf_crime", "--merge")
    assert "the data set of the store is xd_violence, that of the files found now ucf_crime" in message
    message = refused("xd_violence", "--merge", "--intervals", "closed")
    assert "the interval rule of the store is half_open, that of the files found now closed" in message
    videos = json.loads((out / "videos.json").read_text())
    videos[0]["label"], videos[0]["classes"] = 0, []
    (out / "videos.json").write_text(json.dumps(videos))
    assert f"1 videos have another label in the store: {XD[0]}" in refused("xd_violence", "--merge")


def test_merging_another_width(root: Path, tmp_path: Path, run: Run, refused: Refused) -> None:
    write(root, "RGB")
    run("xd_violence")
    write(tmp_path / "b", "RGB", width=12)
    message = refused("xd_violence", "--merge", "--root", str(tmp_path / "b"))
    assert "the store has a stream 'rgb', 8 wide; the files found now are 12 wide" in message


def test_features_of_a_store_are_never_replaced_by_an_index(root: Path, out: Path, refused: Refused) -> None:
    from tiny_store import write_tiny_store

    write(root, "RGB")
    write_tiny_store(out)
    assert "holds features of its own" in refused("xd_violence", "--replace")


def test_an_index_inside_the_features_moves_with_them(root: Path, out: Path, run: Run, tmp_path: Path) -> None:
    from layouts import Opened as Open

    write(root, "RGB")
    run("xd_violence", "--out", str(root / "index"))
    root.rename(tmp_path / "moved")
    assert Open(tmp_path / "moved" / "index").read(XD[0], "rgb").shape[0] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("own", "--list", "x"), "--list is for published data sets"),
        (("xd_violence", "--table", "x"), "--table is for your own videos"),
        (("xd_violence", "--intervals", "umil"), "umil is for UCF-Crime only"),
        (("own", "--intervals", "umil"), "umil is for UCF-Crime only"),
        (("xd_violence", "--segments", "0"), "must be 1 or more"),
    ],
)
def test_options_that_do_not_go_together(options: tuple[str, ...], message: str, refused: Refused) -> None:
    assert message in refused(*options)


def test_the_table_on_the_terminal(root: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from vadkit.cli import main

    write(root, "RGB")
    assert main(["store", "import", "xd_violence", "--root", str(root), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("split  stream  videos     abnormal  files  crops  snippets  lengths  width\n")
    assert "\ntrain  rgb     2 of 3954  1         4 " in shown
    assert "note: 3952 train videos have no features: " in shown
    assert f"next: vadkit store check {out}" in shown


def test_a_folder_that_cannot_be_read(root: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    write(root, "RGB")
    scan = os.scandir

    def closed(path: str) -> object:
        if str(path).endswith("RGB"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert f"{root}/RGB: cannot be read: permission denied" in refused("xd_violence")


def test_links_that_lead_back_up(root: Path, run: Run) -> None:
    write(root, "RGB")
    (root / "RGB" / "again").symlink_to(root)
    assert run("xd_violence")["found"][0]["files"] == 4
