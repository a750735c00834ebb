from __future__ import annotations

import os
from pathlib import Path

import pytest

from vadkit.predict.inputs import find_videos
from vadkit.predict.result_names import LONGEST, result_names
from vadkit.problems import VadkitError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_folders_are_searched_for_videos_and_files_are_taken_as_they_are(tmp_path: Path) -> None:
    a, b, other = tmp_path / "in/b.MP4", tmp_path / "in/deep/a.avi", tmp_path / "clip.bin"
    touch(a, b, other, tmp_path / "in/notes.txt", tmp_path / "in/.trash/c.mp4", tmp_path / "in/.c.mp4")
    assert find_videos([other, tmp_path / "in"], tmp_path / "out") == [other, a, b]


def test_a_video_named_twice_is_scored_once(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4")
    same = [tmp_path / "a.mp4", tmp_path, tmp_path / "." / "a.mp4"]
    assert find_videos(same, tmp_path / "out") == [tmp_path / "a.mp4"]


def test_results_inside_the_folder_are_not_taken_for_videos(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4", tmp_path / "out/a.preview.mp4", tmp_path / "out/b.mp4", tmp_path / "a.preview.mp4")
    assert find_videos([tmp_path], tmp_path / "out") == [tmp_path / "a.mp4"]
    assert tmp_path / "a.mp4" in find_videos([tmp_path], tmp_path)


def test_all_missing_paths_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(VadkitError) as caught:
        find_videos([tmp_path / "x.mp4", tmp_path / "empty", tmp_path / "y.mp4"], tmp_path / "out")
    assert [p.message for p in caught.value.problems] == [
        f"there is no video {tmp_path}/x.mp4",
        f"the folder {tmp_path}/empty holds no video",
        f"there is no video {tmp_path}/y.mp4",
    ]


def test_names_are_distinct_even_where_case_does_not_count() -> None:
    paths = ["a/x.mp4", "b/x.avi", "c/X.mp4", "x-2.mp4", "index.mp4", "y.mp4"]
    assert result_names([Path(p) for p in paths]) == ["x", "x-2", "X-3", "x-2-2", "index-2", "y"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("<b>.mp4", "_b_"),
        ("two\nlines.mp4", "two_lines"),
        ("50% #1 \u00e9.mp4", "50% #1 \u00e9"),
        (os.fsdecode(b"caf\xe9.mp4"), "caf?".replace("?", "_")),
        ("....mp4", "video"),
    ],
)
def test_names_are_valid_in_any_file_system(file: str, name: str) -> None:
    assert result_names([Path(file)]) == [name]


def test_long_names_leave_room_for_what_is_added() -> None:
    first, second = result_names([Path("\u00e9" * 120 + ".mp4"), Path("\u00e9" * 120 + ".avi")])
    assert len(first.encode()) <= LONGEST and first != second
