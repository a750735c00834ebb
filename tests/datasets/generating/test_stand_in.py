"""Stand-ins: what is written where, that it is the same whichever way it is written, and what is refused."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from published_lists import read_list
from vadkit_feature_store import FeatureStore

from vadkit.cli import main
from vadkit.datasets.annotations import DATA_SETS, read_annotations
from vadkit.datasets.generating import stand_in as module
from vadkit.datasets.generating.layouts import LAYOUTS, layout_of
from vadkit.datasets.generating.stand_in import StandIn, Wanted, choose
from vadkit.problems import VadkitError

FRACTION = 0.0005  # one or two videos of each split and label
WIDTH = 3


def write(out: Path, data_set: str = "xd_violence", threads: int = 2, **changes: Any) -> StandIn:
    arguments = {"fraction": FRACTION, "width": WIDTH, **changes}
    stand_in = StandIn(out, Wanted(data_set, **arguments))  # type: ignore[arg-type]
    stand_in.write(threads=threads)
    return stand_in


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_the_whole_data_set_has_its_published_names_and_counts(data_set: str) -> None:
    videos = choose(data_set, 1.0, 0)  # type: ignore[arg-type]
    assert videos == read_annotations(data_set).videos


def test_a_fraction_is_of_every_split_and_label_and_part_of_a_larger_one() -> None:
    small, large = choose("xd_violence", 0.01, 3), choose("xd_violence", 0.1, 3)
    counts = Counter((video.split, video.label) for video in large)
    assert counts == {("train", 1): 191, ("train", 0): 205, ("test", 1): 50, ("test", 0): 30}
    assert {video.name for video in small} < {video.name for video in large}
    names = [video.name for video in read_annotations("xd_violence").videos]
    assert [names.index(video.name) for video in large] == sorted(names.index(video.name) for video in large)
    assert choose("xd_violence", 0.01, 4) != small


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_lists_name_the_files_in_the_order_and_words_of_published_ones(tmp_path: Path, data_set: str) -> None:
    stand_in = write(tmp_path, data_set)
    for stream in stand_in.layout:
        for split, path in stream.lists.items():
            lines = (tmp_path / path).read_text().splitlines()
            videos = [video for video in stand_in.videos if video.split == split]
            assert len(lines) == len(videos) * stream.crops > 0
            assert all((tmp_path / line.split()[0]).is_file() for line in lines)
            if stream.crops > 1:
                entries = read_list(tmp_path / path, data_set)
                assert [(e.name, e.label) for e in entries[:: stream.crops]] == [(v.name, v.label) for v in videos]
                assert [e.crop for e in entries[: stream.crops]] == list(range(stream.crops))


def test_names_of_files() -> None:
    abnormal = read_annotations("ucf_crime").videos[0]
    rgb = LAYOUTS["ucf_crime"][0]
    assert [rgb.path(abnormal, crop) for crop in (0, 1)] == ["train/Abuse001_x264.npy", "train/Abuse001_x264__1.npy"]
    test = read_annotations("xd_violence").of("test")[0]
    assert [stream.path(test, 0) for stream in LAYOUTS["xd_violence"]] == [
        "i3d-features/RGBTest/Bad.Boys.1995__#01-11-55_01-12-40_label_G-B2-B6__0.npy",
        "i3d-features/FlowTest/Bad.Boys.1995__#01-11-55_01-12-40_label_G-B2-B6__0.npy",
        "vggish-features/test/Bad.Boys.1995__#01-11-55_01-12-40_label_G-B2-B6__vggish.npy",
        "clip-features/test/Bad.Boys.1995__#01-11-55_01-12-40_label_G-B2-B6__0.npy",
    ]
    shanghai = read_annotations("shanghaitech").videos[0]
    assert LAYOUTS["shanghaitech"][0].lines([shanghai])[3] == "train/01_0014_3.npy 1.0"


def test_features_have_the_length_of_the_annotation_and_rise_inside_its_intervals(tmp_path: Path) -> None:
    stand_in = write(tmp_path, width=128)
    video = next(v for v in stand_in.videos if v.split == "test" and v.label)
    crops = [np.load(tmp_path / stand_in.layout[0].path(video, crop)) for crop in range(5)]
    assert all(x.shape == (video.snippets, 128) and x.dtype == np.float32 for x in crops)
    assert not np.array_equal(crops[0], crops[1]) and min(x.min() for x in crops) >= 0
    frames = np.zeros(16 * len(crops[0]), bool)
    for start, end in video.spans:
        frames[start:end] = True
    inside = frames[8::16]
    raised, plain = crops[0][:, ::8], crops[0][:, 1::8]
    assert raised[inside].mean() - raised[~inside].mean() == pytest.approx(0.5, abs=0.1)
    assert plain[inside].mean() == pytest.approx(plain[~inside].mean(), abs=0.1)


def test_rgb_is_a_snippet_longer_in_some_training_videos_of_xd_violence() -> None:
    stand_in = StandIn("nowhere", Wanted("xd_violence", fraction=0.2))
    counts = Counter(
        (video.split, stand_in.snippets(video, "rgb") - stand_in.snippets(video, "flow")) for video in stand_in.videos
    )
    assert counts["test", 1] == 0 and 20 < counts["train", 1] < 80 < counts["train", 0]


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_frame_labels_follow_the_intervals(tmp_path: Path, data_set: str) -> None:
    stand_in = StandIn(tmp_path, Wanted(data_set))  # type: ignore[arg-type]
    labels = stand_in.truth()
    wanted = {"xd_violence": (2_330_384, 537_805), "ucf_crime": (1_109_680, 84_128)}
    if data_set in wanted:  # as published, bit for bit
        assert (len(labels), labels.sum(dtype=np.int64)) == wanted[data_set]
    assert len(labels) == 16 * sum(stand_in.lengths[v.name].snippets for v in stand_in.videos if v.split == "test")


def test_it_is_the_same_in_whatever_order_and_after_any_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write(tmp_path / "whole", threads=1)
    make, made = module.generate_rows, []

    def dies(*arguments: Any) -> Any:
        yield from make(*arguments)
        made.append(arguments)
        if len(made) == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "generate_rows", dies)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "killed", threads=3)
    assert json.loads((tmp_path / "killed" / "stand-in.json").read_text())["complete"] is False
    files = {file.path for file in StandIn(tmp_path / "killed", whole.wanted).files() if file.is_complete()}
    assert {path for path in (tmp_path / "killed").rglob("*.npy")} == files  # no half file
    monkeypatch.setattr(module, "generate_rows", make)
    write(tmp_path / "killed", threads=3)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_only_what_is_missing_is_written_again(tmp_path: Path) -> None:
    stand_in = write(tmp_path)
    before = contents(tmp_path)
    paths = [file.path for file in stand_in.files()]
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:-1])
    times = {path: path.stat().st_mtime_ns for path in paths[2:]}
    missing = stand_in.missing()
    assert [file.path for file in missing] == paths[:2]
    assert stand_in.space(missing) == 2 * len(before[str(paths[0].relative_to(tmp_path))])
    said: list[int] = []
    stand_in.write(said.append)
    assert sum(said) == stand_in.space(missing)
    assert contents(tmp_path) == before and all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_a_larger_fraction_continues_a_smaller_one(tmp_path: Path) -> None:
    small = write(tmp_path)
    kept = {file.path: file.path.stat().st_mtime_ns for file in small.files()}
    large = write(tmp_path, fraction=0.002)
    assert len(list(large.files())) > len(kept)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())


def test_linked_crops_take_the_disk_of_one(tmp_path: Path) -> None:
    stand_in = write(tmp_path, linked=True)
    groups: dict[int, set[str]] = {}
    for path in tmp_path.glob("i3d-features/RGB/*.npy"):
        groups.setdefault(path.stat().st_ino, set()).add(path.name.rsplit("__", 1)[0])
    assert all(len(names) == 1 for names in groups.values())
    crop = next(tmp_path.glob("i3d-features/RGB/*__4.npy"))
    assert crop.stat().st_nlink == 5 and np.load(crop).shape[1] == WIDTH
    assert json.loads((tmp_path / "stand-in.json").read_text())["crops_are_links"] is True
    assert not list(tmp_path.rglob(".vadkit-*")) and stand_in.missing() == []


def test_it_says_of_itself_that_it_is_made_up(tmp_path: Path) -> None:
    write(tmp_path, "shanghaitech", fraction=0.02)
    mark = json.loads((tmp_path / "stand-in.json").read_text())
    assert mark["of"] == "shanghaitech" and mark["complete"] is True and "made-up" in mark["what"]
    assert mark["videos"] == {"train": 6, "test": 5} and mark["lengths_from"] == {"published": 7, "drawn": 4}


def test_a_disk_without_room_is_reported_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: os.statvfs_result and argparse.Namespace(free=10**9))
    with pytest.raises(VadkitError, match=r"needs 51\.\d GB more, but the disk has 1\.0 GB free"):
        StandIn(tmp_path / "out", Wanted("xd_violence")).write()
    assert not (tmp_path / "out").exists()


def strange(out: Path) -> None:
    (out / "mine.txt").write_text("mine")


def other_seed(out: Path) -> None:
    write(out, seed=1)


def more_streams(out: Path) -> None:
    write(out, streams=("rgb", "flow"))


def more_videos(out: Path) -> None:
    write(out, streams=("rgb",), fraction=0.002)


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (strange, "holds something that is not a stand-in"),
        (other_seed, "holds another stand-in: its seed is 1, not 0"),
        (more_streams, "holds another stand-in: it has the stream flow, too"),
        (more_videos, "holds another stand-in: it is 0.002 of the data set, more than 0.0005"),
    ],
)
def test_what_is_in_the_folder_is_not_mixed_with_something_else(
    tmp_path: Path, there: Callable[[Path], None], said: str
) -> None:
    there(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(VadkitError, match=said):
        write(tmp_path, streams=("rgb",))
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fraction": 0.0}, "the fraction must be above 0 and at most 1, not 0.0"),
        ({"fraction": 1.5}, "the fraction must be above 0 and at most 1, not 1.5"),
        ({"width": 0}, "the width must be at least 1, not 0"),
        ({"seed": -1}, "the seed must be 0 or more, not -1"),
        ({"streams": ("rgbb",)}, "have no stream 'rgbb'\n  hint: did you mean 'rgb'?"),
        ({"data_set": "xd_violance"}, "there is no annotation of 'xd_violance'\n  hint: did you mean 'xd_violence'?"),
    ],
)
def test_what_cannot_be(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(VadkitError) as error:
        Wanted(**{"data_set": "xd_violence", **changes})
    assert said in str(error.value)


def test_streams_can_be_chosen() -> None:
    assert [stream.name for stream in layout_of("xd_violence", ("audio", "rgb"))] == ["rgb", "audio"]
    assert len(layout_of("xd_violence")) == 4


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["store", "generate", "xd_violence", "--out", str(tmp_path / "out"), "--fraction", str(FRACTION)]
    assert main([*words, "--width", "4"]) == 0
    assert "5 videos; 60 files to write, 0.0 GB" in capsys.readouterr().out
    assert main([*words, "--width", "4"]) == 0
    assert "0 files to write" in capsys.readouterr().out
    assert main(words) == 2
    assert "holds another stand-in: its width is 4, not None" in capsys.readouterr().err
    assert main([*words, "--width", "4", "--threads", "0"]) == 2
    assert "--threads must be from 1 to 64, got 0" in capsys.readouterr().err


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_it_is_imported_as_the_published_features_are(tmp_path: Path, data_set: str) -> None:
    stand_in = write(tmp_path / "root", data_set)
    assert main(["store", "import", data_set, "--root", str(tmp_path / "root"), "--out", str(tmp_path / "store")]) == 0
    dataset = FeatureStore(root=str(tmp_path / "store"))
    for split in ("train", "test"):
        videos = [video for video in stand_in.videos if video.split == split]
        assert {video.name for video in dataset.videos(split)} == {video.name for video in videos}
        for video in dataset.videos(split):
            annotated = next(each for each in videos if each.name == video.name)
            assert video.label == annotated.label
            for stream in stand_in.layout:
                shape = (stream.crops, stand_in.snippets(annotated, stream.name), WIDTH)
                assert dataset.shape(video, stream.name) == shape
