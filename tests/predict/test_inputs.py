from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from vadkit.predict.inputs import find_videos, search
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


# -- folders as people have them ------------------------------------------------------------------
@pytest.mark.guards("F")
def test_linked_folders_are_searched(tmp_path: Path) -> None:
    touch(tmp_path / "set/abnormal/a1.mp4", tmp_path / "disk2/n1.mp4", tmp_path / "disk3/deep/n2.mp4")
    (tmp_path / "set/normal").symlink_to("../disk2")
    (tmp_path / "disk2/more").symlink_to(tmp_path / "disk3")
    found = find_videos([tmp_path / "set"], tmp_path / "out")
    assert [str(p.relative_to(tmp_path / "set")) for p in found] == [
        "abnormal/a1.mp4",
        "normal/more/deep/n2.mp4",
        "normal/n1.mp4",
    ]
    (tmp_path / "entry").symlink_to(tmp_path / "set")
    assert len(find_videos([tmp_path / "entry"], tmp_path / "out")) == 3


@pytest.mark.guards("F")
@pytest.mark.parametrize("target", [".", "..", "../..", "/"])
def test_links_back_to_a_folder_above_are_not_followed(tmp_path: Path, target: str) -> None:
    touch(tmp_path / "set/a/x.mp4", tmp_path / "elsewhere.mp4")
    (tmp_path / "set/a/loop").symlink_to(target)
    found = search([tmp_path / "set"], tmp_path / "out")
    assert found.videos == [tmp_path / "set/a/x.mp4"]
    assert found.notes == [f"{tmp_path / 'set'}: left out 1 link back to a folder above it (a/loop)"]


@pytest.mark.guards("F")
def test_links_in_a_circle_are_broken_links(tmp_path: Path) -> None:
    touch(tmp_path / "set/a.mp4")
    (tmp_path / "set/x.mp4").symlink_to("y.mp4")
    (tmp_path / "set/y.mp4").symlink_to("x.mp4")
    found = search([tmp_path / "set", tmp_path / "set/x.mp4", tmp_path / "set/x.mp4/b.mp4"], tmp_path / "out")
    assert found.videos == [tmp_path / "set/a.mp4"] and len(found.problems) == 2
    assert found.notes == [f"{tmp_path / 'set'}: left out 2 broken links (x.mp4, y.mp4)"]


@pytest.mark.guards("F")
def test_folders_that_link_to_each_other_are_searched_once(tmp_path: Path) -> None:
    touch(tmp_path / "set/a/x.mp4", tmp_path / "set/b/y.mp4")
    (tmp_path / "set/a/other").symlink_to("../b")
    (tmp_path / "set/b/other").symlink_to("../a")
    found = search([tmp_path / "set"], tmp_path / "out")
    assert found.videos == [tmp_path / "set/a/x.mp4", tmp_path / "set/b/y.mp4"]
    assert "2 links to folders that are searched anyway (a/other, b/other)" in found.notes[0]


@pytest.mark.guards("F")
def test_links_to_one_file_are_videos_by_their_names(tmp_path: Path) -> None:
    touch(tmp_path / "blobs/one", tmp_path / "blobs/two")
    (tmp_path / "set").mkdir()
    for name, blob in (("n1", "one"), ("n2", "one"), ("a1", "two")):
        (tmp_path / f"set/{name}.mp4").symlink_to(f"../blobs/{blob}")
    found = search([tmp_path / "set"], tmp_path / "out")
    assert [path.stem for path in found.videos] == ["a1", "n1", "n2"] and found.notes == []


@pytest.mark.guards("F")
def test_two_files_with_one_content_are_two_videos(tmp_path: Path) -> None:
    touch(tmp_path / "set/a.mp4")
    os.link(tmp_path / "set/a.mp4", tmp_path / "set/b.mp4")
    assert len(find_videos([tmp_path / "set"], tmp_path / "out")) == 2


@pytest.mark.guards("F")
def test_a_link_to_a_video_of_the_same_name_is_left_out_and_said(tmp_path: Path) -> None:
    touch(tmp_path / "set/a.mp4")
    (tmp_path / "set/sub").mkdir()
    (tmp_path / "set/sub/A.mp4").symlink_to("../a.mp4")
    found = search([tmp_path / "set"], tmp_path / "out")
    assert found.videos == [tmp_path / "set/a.mp4"]
    assert found.notes == [
        f"left out 1 link to a video of the same name: {tmp_path}/set/sub/A.mp4 is {tmp_path}/set/a.mp4"
    ]


@pytest.mark.guards("F")
def test_what_is_left_out_of_a_folder_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    touch(folder / "a.mp4", folder / ".b.mp4", folder / "._a.mp4", folder / "x.txt", folder / "Thumbs.db", folder / "n")
    os.mkfifo(folder / "pipe.mp4")
    for name in ("gone.mp4", "away.mp4", "lost", "past"):
        (folder / name).symlink_to("nowhere")
    found = search([folder], tmp_path / "out")
    assert found.videos == [folder / "a.mp4"]
    assert found.notes == [
        f"{folder}: left out 4 broken links (away.mp4, gone.mp4, lost, ...), 2 hidden entries, "
        "3 files without a video's suffix, 1 entry that is neither file nor folder (pipe.mp4)"
    ]


@pytest.mark.guards("F")
def test_paths_that_lead_to_no_video_do_not_hide_the_others(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4")
    (tmp_path / "broken.mp4").symlink_to("nowhere.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    found = search([tmp_path / "broken.mp4", tmp_path / "a.mp4", tmp_path / "pipe.mp4"], tmp_path / "out")
    assert found.videos == [tmp_path / "a.mp4"]
    assert [problem.message for problem in found.problems] == [
        f"{tmp_path}/broken.mp4 is a broken link to nowhere.mp4",
        f"{tmp_path}/pipe.mp4 is not a file",
    ]


@pytest.mark.guards("F")
def test_a_store_has_composed_names_whatever_the_file_system_has(tmp_path: Path) -> None:
    from vadkit.api.extract import find_entries

    touch(tmp_path / (unicodedata.normalize("NFD", "caf\u00e9") + ".mp4"))
    entries, _ = find_entries([tmp_path], None, tmp_path / "out", [])
    assert [entry["name"] for entry in entries] == ["caf\u00e9"]
    assert Path(str(entries[0]["file"])).exists()
