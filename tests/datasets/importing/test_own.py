"""Your own videos: two folders, or a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layouts import Opened, numbers, save

from vadkit.datasets.importing.table import read_table
from vadkit.problems import VadkitError

Run = Callable[..., dict[str, Any]]
Refused = Callable[..., str]
Open = Callable[[], Opened]


def put(root: Path, *names: str, t: int = 9) -> None:
    for name in names:
        save(root / f"{name}.npy", numbers(name, t, 8))


def test_two_folders(root: Path, run: Run, opened: Open) -> None:
    put(root, "normal/car_park", "normal/x=1 #2.b", "abnormal/lift")
    said = run("own")
    assert {name: (v.label, v.split) for name, v in opened().videos.items()} == {
        "lift": (1, "train"),
        "car_park": (0, "train"),
        "x=1 #2.b": (0, "train"),
    }
    assert said["notes"] == ["there is no test video: put them into a folder called test, or use --test-share 0.2"]


def test_folders_for_splits_streams_and_crops_in_any_order(root: Path, run: Run, opened: Open) -> None:
    for crop in range(3):
        put(root, f"rgb/Train/normal/a__{crop}", f"rgb/Train/Abnormal/b__{crop}", f"Testing/anomaly/rgb/c__{crop}")
    put(root, "audio/Train/normal/a", "audio/Train/Abnormal/b", "audio/Testing/anomaly/c")
    run("own")
    videos = opened().videos
    assert {name: (v.label, v.split, len(v.files["rgb"])) for name, v in videos.items()} == {
        "a": (0, "train", 3),
        "b": (1, "train", 3),
        "c": (1, "test", 3),
    }
    assert all(len(video.files["audio"]) == 1 for video in videos.values())


def test_a_number_behind_a_name_is_a_crop_only_where_all_crops_are_there(root: Path, run: Run, opened: Open) -> None:
    put(root, "normal/cam__12", "normal/cam__14", "abnormal/door__0", "abnormal/door__1")
    run("own")
    assert {name: len(v.files["rgb"]) for name, v in opened().videos.items()} == {"door": 2, "cam__12": 1, "cam__14": 1}


def test_a_share_becomes_the_test_split(root: Path, run: Run, opened: Open) -> None:
    put(root, *(f"{label}/{label}{i}" for label in ("normal", "abnormal") for i in range(10)))
    said = run("own", "--test-share", "0.2")
    splits = [(v.split, v.label) for v in opened().videos.values()]
    assert splits.count(("test", 0)) == splits.count(("test", 1)) == 2
    assert said["notes"][-1].startswith("2 abnormal test videos without intervals")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("videos/a",), "videos/a.npy: no folder above it is called normal or abnormal"),
        (("normal/abnormal/a",), "folders above it contradict"),
        (("normal/a", "abnormal/a"), "have one name, but different labels or splits"),
        (("train/normal/a", "test/normal/a"), "have one name, but different labels or splits"),
        (("rgb/train/normal/a", "audio/test/normal/a"), "have one name, but different labels or splits"),
    ],
)
def test_folders_that_tell_no_label(root: Path, refused: Refused, files: tuple[str, ...], message: str) -> None:
    put(root, *files)
    assert message in refused("own")


def test_only_one_label_is_reported(root: Path, run: Run) -> None:
    put(root, "abnormal/a", "abnormal/b")
    assert "no training video is normal: weak supervision needs both" in run("own")["notes"]


# -- a table -------------------------------------------------------------------------------------
TABLE = """video,label,split,classes,intervals,frames,fps
shop_door,abnormal,test,theft,120-144 10-20,150,25
car_park.mp4,normal,train,,,,
some/folder/lift.mp4,1,test,,1.5-2s,,25
hall,fire,,,,,
"""


def test_a_table(root: Path, tmp_path: Path, run: Run, opened: Open) -> None:
    put(root, *(f"{name}__{crop}" for name in ("shop_door", "x/car_park", "y/lift", "hall") for crop in (0, 1)))
    put(root, "unlisted")
    (tmp_path / "own.csv").write_text(TABLE)
    said = run("own", "--table", str(tmp_path / "own.csv"))
    videos = opened().videos
    assert list(videos) == ["shop_door", "car_park", "lift", "hall"]
    assert videos["shop_door"].spans == ((120, 144), (10, 20)) and videos["shop_door"].num_frames == 150
    assert videos["lift"].spans == ((38, 50),) and videos["lift"].fps == 25 and len(videos["lift"].files["rgb"]) == 2
    assert videos["hall"].classes == ("fire",) and videos["hall"].label == 1 and videos["hall"].split == "train"
    assert opened().store.classes == ("normal", "fire", "theft")
    assert said["notes"] == [f"a .npy file matches no video of {tmp_path}/own.csv: unlisted.npy"]


def test_closed_intervals_of_a_table(root: Path, tmp_path: Path, run: Run, opened: Open) -> None:
    put(root, "shop_door", "car_park", "lift", "hall")
    (tmp_path / "own.csv").write_text(TABLE)
    run("own", "--table", str(tmp_path / "own.csv"), "--intervals", "closed")
    assert opened().videos["shop_door"].spans == ((120, 145), (10, 21))


@pytest.mark.parametrize("between", [";", "\t"])
def test_other_separators_and_a_byte_order_mark(tmp_path: Path, between: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text("\ufeff" + TABLE.replace(",", between), encoding="utf-8")
    assert [video.name for video in read_table(path).videos] == ["shop_door", "car_park", "lift", "hall"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "is empty"),
        ("name;split\na;train", "has no column 'label'"),
        ("video,lable\na,1", "own.csv:1:1: there is no column 'lable'"),
        ("video,label", "lists no video"),
        ("video,label\n,1", "own.csv:2:1: the line has no video name"),
        ("video,label\na,2", "label '2' is neither 0 (normal) nor 1 (abnormal)"),
        ("video,label\na,0\na,1", "own.csv:3:1: video 'a' is in line 2 already"),
        ("video,label,split\na,0,tset", "split 'tset' is none of train, val, test"),
        ("video,label,intervals\na,0,1-2", "video 'a' is normal, but has intervals"),
        ("video,label,intervals\na,1,5", "interval '5' is not START-END"),
        ("video,label,intervals\na,1,9-5", "interval '9-5' ends before it has begun"),
        ("video,label,intervals\na,1,1-2s", "is in seconds, which needs the column fps"),
        ("video,label,intervals,frames\na,1,5-99,50", "interval '5-99' ends after the last of 50 frames"),
        ("video,label,fps\na,1,-3", "fps '-3' is not a number above 0"),
        ("video,label,frames\na,1,2.5", "frames '2.5' is not a whole number above 0"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path: Path, lines: str, message: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(lines)
    with pytest.raises(VadkitError) as error:
        read_table(path)
    assert message in str(error.value)


def test_all_faults_of_a_table_at_once(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("video,label,fps\na,2,25\nb,none,25\nc,1,x\n")
    with pytest.raises(VadkitError) as error:
        read_table(path)
    assert [problem.place.line for problem in error.value.problems if problem.place] == [2, 3, 4]


def test_a_table_of_other_videos(root: Path, tmp_path: Path, refused: Refused) -> None:
    put(root, "a")
    (tmp_path / "own.csv").write_text("video,label\nb,1\n")
    assert "no file has the name of a video of" in refused("own", "--table", str(tmp_path / "own.csv"))


def test_segments_of_your_own(root: Path, run: Run, opened: Open) -> None:
    put(root, "normal/a", "abnormal/b", t=32)
    run("own", "--segments", "32")
    assert opened().videos["a"].segments == 32
    np.testing.assert_array_equal(opened().read("a", "rgb")[0], numbers("normal/a", 32, 8))


def test_a_name_that_no_store_can_hold(root: Path, refused: Refused) -> None:
    put(root, "normal/" + "x" * 245, "abnormal/a")
    assert "a name has at most 240 bytes" in refused("own")


def test_clicks_scene_and_camera_of_a_table(tmp_path: Path) -> None:
    text = "video,label,clicks,frames,fps,scene,camera\na,1,12 2.5s;20,60,10,yard_1,2\nb,0,,60,10,,\n"
    (tmp_path / "table.csv").write_text(text)
    first, second = read_table(tmp_path / "table.csv").videos
    assert first.clicks == (12, 20, 25) and first.tags == {"scene": "yard_1", "camera": "2"}
    assert second.clicks == () and second.tags == {}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,1,4.5,,", "click '4.5' is no frame\n"),
        ("a,1,4.5s,,", "click '4.5s' is in seconds, which needs the column fps"),
        ("a,1,60,60,", "click 60 is after the last of 60 frames"),
        ("a,0,6,60,", "video 'a' is normal, but has clicks"),
    ],
)
def test_clicks_that_cannot_be(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "table.csv").write_text(f"video,label,clicks,frames,fps\n{row}\n")
    with pytest.raises(VadkitError) as error:
        read_table(tmp_path / "table.csv")
    assert message in str(error.value)
