"""List files with other people's paths: which file a line means, and what lists leave out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layouts import UCF, XD, Opened, numbers, save, snippets, some

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def two_streams(root: Path) -> Path:
    for video in some("xd_violence", XD):
        for crop in range(5):
            for folder in ("i3d/RGB", "i3d/Flow"):
                save(root / folder / f"{video.name}__{crop}.npy", numbers(folder + video.name, snippets(video), 8))
        save(root / "sound" / f"{video.name}__vggish.npy", numbers(video.name, snippets(video), 128))
    return root


def write(path: Path, lines: Sequence[str]) -> str:
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def crops(folder: str, names: Sequence[str]) -> list[str]:
    return [f"{folder}/{name}__{crop}.npy" for name in names for crop in range(5)]


def test_foreign_absolute_paths(two_streams: Path, tmp_path: Path, run: Run, opened: Callable[[], Opened]) -> None:
    rgb = write(tmp_path / "rgb.list", crops("/media/peng/Samsung_T5/i3d-features/RGB", XD[:2]))
    flow = write(tmp_path / "flow.list", [line.replace("/", "\\") for line in crops("G:/x/Flow", XD[:2])])
    sound = write(tmp_path / "audio.list", [f"/media/peng/vggish-features/train/{n}__vggish.npy" for n in XD[:2]])
    said = run("xd_violence", "--list", rgb, "--list", flow, "--list", sound)
    assert not said["notes"]
    store = opened()
    assert sorted(store.videos) == sorted(XD[:2]) and list(store.store.dims) == ["rgb", "flow", "audio"]
    assert store.videos[XD[0]].files["flow"][4] == f"i3d/Flow/{XD[0]}__4.npy"


def test_the_name_of_a_list_tells_its_stream(two_streams: Path, tmp_path: Path, run: Run) -> None:
    run("xd_violence", "--list", write(tmp_path / "flow_train.list", crops("train", XD[:2])))
    assert run("xd_violence", "--replace", "--list", str(tmp_path / "flow_train.list"))["found"][0]["stream"] == "flow"


def test_csv_with_labels_and_one_crop(root: Path, tmp_path: Path, run: Run, opened: Callable[[], Opened]) -> None:
    for video in some("ucf_crime", UCF):
        for crop in range(10):
            save(root / "UCFClipFeatures" / f"{video.name}__{crop}.npy", numbers(str(crop), snippets(video), 8))
    lines = ["path,label", *(f"/home/x/UCFClipFeatures/Abuse/{name}__5.npy,Abuse" for name in UCF[::2])]
    lines += [f"/home/x/UCFClipFeatures/Normal/{name}__5.npy,Normal" for name in UCF[1::2]]
    said = run("ucf_crime", "--list", write(tmp_path / "ucf_CLIP_rgb.csv", lines))
    assert not said["notes"] and said["found"][0]["crops"] == [1]
    np.testing.assert_array_equal(opened().read(UCF[2], "clip")[0], numbers("5", 88, 8))


def test_a_first_crop_without_number_is_the_same_file(root: Path, tmp_path: Path, run: Run) -> None:
    for video in some("ucf_crime", UCF[:1]):
        save(root / f"{video.name}__0.npy", numbers("0", snippets(video), 8))
    assert not run("ucf_crime", "--list", write(tmp_path / "train.list", ["/x/Abuse/Abuse001_x264.npy"]))["notes"]


def test_videos_keep_the_order_of_the_list(two_streams: Path, tmp_path: Path, run: Run, out: Path) -> None:
    from vadkit.store import read_store

    run("xd_violence", "--list", write(tmp_path / "rgb.list", crops("RGB", [XD[1], XD[0]])))
    assert [video.name for video in read_store(out).videos] == [XD[1], XD[0]]


def test_lines_without_a_file_are_reported(two_streams: Path, tmp_path: Path, run: Run) -> None:
    gone = "v=V7FtjJStY1M__#1_label_G-0-0"
    said = run("xd_violence", "--list", write(tmp_path / "rgb.list", crops("RGB", [XD[0], gone])))
    assert said["notes"] == [
        f"5 lines of the lists name missing files; the first is RGB/{gone}__0.npy ({tmp_path}/rgb.list:6:1)"
    ]


def test_another_label_is_reported(two_streams: Path, tmp_path: Path, run: Run) -> None:
    lines = [f"{line} 1.0" for line in crops("RGB", XD[:2])]
    notes = run("xd_violence", "--list", write(tmp_path / "rgb.list", lines))["notes"]
    assert notes == [f"the lists give 1 videos another label than the annotation, which counts: {XD[1]}"]


def test_sound_in_another_order_is_reported(two_streams: Path, tmp_path: Path, run: Run) -> None:
    rgb = write(tmp_path / "rgb.list", crops("RGB", XD[:2]))
    sound = write(tmp_path / "audio.list", [f"{name}__vggish.npy" for name in (XD[1], XD[0])])
    (note,) = run("xd_violence", "--list", rgb, "--list", sound)["notes"]
    assert "in different orders" in note and "paired by name" in note


def test_a_line_that_may_mean_two_files(two_streams: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    message = refused("xd_violence", "--list", write(tmp_path / "x.list", crops("somewhere", XD[:1])))
    assert f"{tmp_path}/x.list:1:1: the line may mean any of 2 files: i3d/Flow/" in message and "--stream" in message


def test_a_list_of_another_data_set(two_streams: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    message = refused("xd_violence", "--list", write(tmp_path / "x.list", ["Abuse/Abuse001_x264__0.npy"]))
    assert "'Abuse001_x264__0.npy' belongs to no video of the data set" in message


def test_lines_that_name_no_file(two_streams: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    message = refused("xd_violence", "--list", write(tmp_path / "x.list", ["once upon a time", *crops("RGB", XD[:1])]))
    assert "x.list:1:1: the line names no .npy or .txt file" in message


def test_a_line_that_is_there_twice(two_streams: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    message = refused("xd_violence", "--list", write(tmp_path / "rgb.list", crops("RGB", [XD[0], XD[0]])))
    assert f"rgb.list:6:1: means the same file as {tmp_path}/rgb.list:1:1" in message


def test_a_list_that_is_not_there(two_streams: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "cannot be read: no such file" in refused("xd_violence", "--list", str(tmp_path / "no.list"))
