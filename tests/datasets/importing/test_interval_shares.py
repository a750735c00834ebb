"""``vadkit store table``: intervals as shares of each video become a table of labels, by the lengths of the videos."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from clips import make_clip

from vadkit.cli import main
from vadkit.datasets.importing.interval_shares import Length, read_shares, table_of
from vadkit.datasets.importing.table import read_table
from vadkit.problems import VadkitError


def item(name: str, class_name: str, *shares: list[float], **more: Any) -> dict[str, Any]:
    return {"video_path": f"some/where/{name}.mp4", "class_name": class_name, "anomaly_span": [*shares], **more}


ITEMS = [
    item("Assault_2", "Assault", [0.25, 0.5], [0.75, 1.0], path="features/Assault_2.npy", descriptions=["a fight"]),
    item("normal_1", "Normal"),
    item("crash_7", "Car accident", [0.0, 0.5]),
]


def write(path: Path, items: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps(items))
    return path


def test_the_table_has_the_frames_of_the_shares(tmp_path: Path) -> None:
    videos = read_shares(write(tmp_path / "a.json", ITEMS))
    lengths = {video.name: Length(f"v/{video.file}", 8.0, 25.0) for video in videos}
    (tmp_path / "LABELS.csv").write_text(table_of(videos, lengths))
    found = {video.name: video for video in read_table(tmp_path / "LABELS.csv").videos}
    assert found["Assault_2"].spans == ((50, 100), (150, 200)) and found["Assault_2"].classes == ("Assault",)
    assert (found["normal_1"].label, found["normal_1"].spans) == (0, ())
    assert found["crash_7"].classes == ("Car accident",) and found["crash_7"].spans == ((0, 100),)
    assert {video.split for video in found.values()} == {"test"}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "MSAD" / "deep").mkdir(parents=True)
    clip = make_clip(tmp_path / "MSAD" / "Assault_2.mp4")
    shutil.copy(clip, tmp_path / "MSAD" / "deep" / "normal_1.mp4")
    (tmp_path / "MSAD" / "crash_7.mp4").write_bytes(b"no video")
    source, out = write(tmp_path / "msad.json", ITEMS), tmp_path / "MSAD" / "LABELS.csv"
    assert main(["store", "table", str(source), "--videos", str(tmp_path / "MSAD"), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "2 test videos" in shown and "1 video of 3 left out: crash_7.mp4" in shown
    rows = read_table(out).rows
    assert [row.file for row in rows] == ["Assault_2.mp4", "deep/normal_1.mp4"]
    (first, last), whole = rows[0].video.spans[0], rows[0].video.spans[1][1]
    assert (first, last) == (round(whole / 4), round(whole / 2))
    again = ["store", "table", str(source), "--videos", str(tmp_path / "MSAD" / "deep"), "--out", str(source)]
    assert main(again) == 2 and source.read_text() == json.dumps(ITEMS)
    assert main(["store", "table", str(source), "--videos", str(tmp_path / "none"), "--out", str(out)]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_videos_are_found_as_extract_finds_them(tmp_path: Path) -> None:
    """Links to folders are followed, and the copies that some file systems leave are hidden."""
    videos, elsewhere, out = tmp_path / "MSAD", tmp_path / "disk", tmp_path / "L.csv"
    videos.mkdir()
    clip = make_clip(elsewhere / "Assault_2.mp4")
    shutil.copy(clip, elsewhere / "._normal_1.mp4")
    (videos / "test").symlink_to(elsewhere)
    source = write(tmp_path / "msad.json", ITEMS)
    assert main(["store", "table", str(source), "--videos", str(videos), "--out", str(out)]) == 0
    assert [row.file for row in read_table(out).rows] == ["MSAD/test/Assault_2.mp4"]


def test_why_no_video_can_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    videos, source = tmp_path / "MSAD", write(tmp_path / "msad.json", ITEMS)
    videos.mkdir()
    command = ["store", "table", str(source), "--videos", str(videos), "--out", str(tmp_path / "L.csv")]
    assert main(command) == 2
    assert f"no video of {source} is below {videos}" in capsys.readouterr().err
    (videos / "crash_7.mp4").write_bytes(b"no video")
    assert main(command) == 2
    said = capsys.readouterr().err
    assert str(videos / "crash_7.mp4") in said and "is below" not in said


def test_two_files_of_one_name_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").mkdir()
    clip = make_clip(tmp_path / "Assault_2.mp4")
    shutil.copy(clip, tmp_path / "a" / "Assault_2.mp4")
    source = write(tmp_path / "msad.json", ITEMS)
    assert main(["store", "table", str(source), "--videos", str(tmp_path), "--out", str(tmp_path / "L.csv")]) == 2
    assert "two files are 'Assault_2'" in capsys.readouterr().err and not (tmp_path / "L.csv").exists()


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([item("a", "Normal", [0.1, 0.2])], "'a.mp4' is of the class 'Normal', but has intervals"),
        ([item("a", "Fire", [0.4, 0.2])], r"interval \[0.4, 0.2\] of 'a.mp4' is not from 0 to 1"),
        ([item("a", "Fire", [120, 180])], r"interval \[120, 180\] of 'a.mp4' is not from 0 to 1"),
        ([item("a", "Fire"), item("a", "Fire")], "'a' is listed already"),
        ([item("", "Fire", video_path="")], "names no file"),
        ([], "lists no video"),
        ([{"video_path": "a.mp4"}], "class_name"),
        ([item("a", "Fire", anomaly_span=[[0.1]])], "anomaly_span"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_described(items: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    with pytest.raises(VadkitError, match=message):
        read_shares(write(tmp_path / "a.json", items))
