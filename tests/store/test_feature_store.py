"""The feature store: what it reads, and the message for each broken one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_store import CLASSES, LONGER_RGB, write_tiny_store
from vadkit_feature_store import FeatureStore

from vadkit.npy_header import SMALL
from vadkit.problems import VadkitError
from vadkit.store.names import is_plain_name
from vadkit.store.videos_json import load_videos

Edit = Callable[..., None]


def refusal(root: Path, split: str | None = None) -> str:
    """Return what the user reads when the store is opened (and a split listed)."""
    with pytest.raises(VadkitError) as caught:
        dataset = FeatureStore(root=str(root))
        if split:
            dataset.videos(split)
    return str(caught.value)


def test_videos_keep_their_order_and_all_they_state(dataset: FeatureStore, store: Path) -> None:
    entries = json.loads((store / "videos.json").read_text())
    train = [entry for entry in entries if entry["split"] == "train"]
    videos = dataset.videos("train")
    assert [v.name for v in videos] == [e["name"] for e in train]
    assert [v.label for v in videos] == [1] * 8 + [0] * 8
    assert videos[1].spans == tuple(map(tuple, train[1]["spans"]))
    assert videos[1].classes == (CLASSES[2],) and videos[1].fps == 24.0 and videos[1].tags == {"number": 1}
    assert dataset.videos("val") == []


def test_features_are_read_as_they_were_written(dataset: FeatureStore, store: Path) -> None:
    video = dataset.videos("test")[0]
    features = dataset.read(video, "rgb")
    assert features.shape == (1, 10, 16) and features.dtype == np.float32
    np.testing.assert_array_equal(features[0], np.load(store / "rgb" / f"{LONGER_RGB}.npy"))


def test_features_are_mapped_not_loaded(dataset: FeatureStore) -> None:
    features = dataset.read(dataset.videos("test")[0], "rgb")
    assert not features.flags.writeable and not features.flags.owndata


def test_crops_come_first(tmp_path: Path) -> None:
    dataset = FeatureStore(root=str(write_tiny_store(tmp_path, crops={"rgb": 5})))
    assert dataset.read(dataset.videos("train")[6], "rgb").shape == (5, 1, 16)


def test_an_input_may_be_fed_by_a_stream_of_another_name(store: Path) -> None:
    dataset = FeatureStore(root=str(store), streams={"motion": "flow"})
    assert dataset.read(dataset.videos("train")[0], "motion").shape == (1, 9, 12)


def test_class_index(dataset: FeatureStore, edit: Edit, store: Path) -> None:
    assert [dataset.class_index(v) for v in dataset.videos("train")] == [1, 2, 3, 1, 2, 3, 1, 2] + [0] * 8
    edit(lambda videos: videos[0].update(classes=[]))
    again = FeatureStore(root=str(store))
    assert again.class_index(again.videos("train")[0]) == -1


def test_classes_are_those_of_the_videos_where_the_store_names_none(store: Path, edit: Edit) -> None:
    edit(lambda head: head.pop("classes") and None, "store.json")
    assert FeatureStore(root=str(store)).classes == ("normal", "car accident", "explosion", "riot")


def test_an_abnormal_test_video_without_spans_is_reported_and_kept(store: Path, edit: Edit) -> None:
    edit(lambda videos: videos[16].update(spans=[]))
    dataset = FeatureStore(root=str(store))
    assert len(dataset.videos("test")) == 8
    assert dataset.warnings == [
        f"{store}/videos.json: 1 abnormal test video without spans ({LONGER_RGB}): "
        "which frames are abnormal is unknown, so only figures of whole videos count them"
    ]


def test_files_without_a_video_are_reported(store: Path, dataset: FeatureStore) -> None:
    np.save(store / "clip" / "stray.npy", np.zeros((3, 8), np.float32))
    dataset.videos("train")
    assert dataset.warnings == [f"{store}/clip: 1 feature file is not listed in videos.json; the first is 'stray.npy'"]


# -- folders and JSON ----------------------------------------------------------------------------
def test_missing_folder(tmp_path: Path) -> None:
    assert f"{tmp_path}/nowhere: there is no such folder" in refusal(tmp_path / "nowhere")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "is not a folder" in refusal(tmp_path / "file")


def test_empty_folder(tmp_path: Path) -> None:
    assert f"{tmp_path}: the folder is empty" in refusal(tmp_path)


@pytest.mark.parametrize("file", ["store.json", "videos.json"])
def test_missing_json(store: Path, file: str) -> None:
    (store / file).unlink()
    assert f"{store / file}: cannot be read: no such file or directory" in refusal(store)


@pytest.mark.parametrize("file", ["store.json", "videos.json"])
def test_truncated_json_is_reported_with_its_place(store: Path, file: str) -> None:
    text = (store / file).read_text()
    (store / file).write_text(text[: len(text) // 2])
    message = refusal(store)
    assert message.startswith(f"{store / file}:") and "the file is cut off here" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b'{"a": 1,, }', ":1:9: not JSON: expecting property name"),
        (b"[NaN]", "it holds NaN, which is no number"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{}", "has no 'vadkit_store'"),
        (b"[]", "has no 'vadkit_store'"),
        (b'{"vadkit_store": 2}', "is a store of version 2; this vadkit reads version 1"),
        (b'{"vadkit_store": 1}', "lacks 'snippet_frames'"),
        (
            b'{"vadkit_store": 1, "snippet_frames": 16, "streams": {}}',
            "streams must be a mapping of at least 1 entries, got {}",
        ),
        (b'{"vadkit_store": 1, "snippet_frames": 16, "streams": {"../x": {"dim": 1}}}', "is not a plain folder name"),
        (
            b'{"vadkit_store": 1, "snippet_frames": 16, "streams": {"x": {"dim": "8"}}}',
            "streams.x.dim must be a whole number",
        ),
        (
            b'{"vadkit_store": 1, "snippet_frames": 16, "streams": {"x": {"dim": 1}}, "classes": []}',
            "classes must be a list of",
        ),
        (b'{"vadkit_store": 1, "snippet_frames": 16, "streams": {"x": {"dim": 1}}, "classes": ["a", "a"]}', "twice"),
    ],
)
def test_bad_store_json(store: Path, content: bytes, message: str) -> None:
    (store / "store.json").write_bytes(content)
    text = refusal(store)
    assert message in text and str(store / "store.json") in text


def test_unknown_stream_is_reported_with_the_nearest(store: Path) -> None:
    with pytest.raises(VadkitError, match="input 'rgb' wants stream 'rbg'.*\n.*did you mean 'rgb'"):
        FeatureStore(root=str(store), streams={"rgb": "rbg"})


# -- videos.json ---------------------------------------------------------------------------------
@pytest.mark.parametrize("content", [{}, "text", 3])
def test_videos_must_be_a_list(store: Path, content: Any) -> None:
    (store / "videos.json").write_text(json.dumps(content))
    assert "must hold a list of videos" in refusal(store)


def test_no_video_at_all(store: Path) -> None:
    (store / "videos.json").write_text("[]")
    assert "names no video" in refusal(store)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 2}, "label must be a whole number of at most 1, got 2\n  hint: a label is 0 (normal)"),
        ({"label": 0.5}, "label must be a whole number, got 0.5"),
        ({"label": []}, "label must be a whole number, got []"),
        (
            {"label": "none"},
            "label 'none' is not clear: is the video normal, abnormal or unknown?\n  hint: a label is 0",
        ),
        ({"label": "fight"}, "label 'fight' is a class\n  hint: set label 1, and write the class into 'classes'"),
        ({"label": None}, "is unknown (label null) but has abnormal spans\n  hint: set label 1, or remove the spans"),
        ({"split": "training"}, "has split 'training'; it is one of train, val, test"),
        ({"classes": ["explosoin"]}, "is of class 'explosoin', which is unknown\n  hint: did you mean 'explosion'?"),
        ({"classes": "riot"}, 'classes must be a list, got "riot"'),
        ({"classes": ["normal"]}, "is abnormal (label 1) but of class 'normal'"),
        ({"label": 0, "spans": []}, "is normal (label 0) but of class 'explosion'"),
        ({"label": 0, "classes": []}, "is normal (label 0) but has abnormal spans"),
        ({"spans": [[20, 10]]}, "has a span [20, 10] that ends before it begins"),
        ({"spans": [[10, 10]]}, "has a span [10, 10] that ends before it begins"),
        ({"spans": [[0, 145]]}, "has a span [0, 145] outside of its 144 frames"),
        ({"spans": [[-1, 5]]}, "has a span [-1, 5] outside of its 144 frames"),
        (
            {"spans": [[0.5, 5]]},
            "spans[0][0] must be a whole number, got 0.5\n  hint: spans are a list of [start, end)",
        ),
        ({"spans": [[1, 2, 3]]}, "spans[0] must be a list of 2 items, got [1, 2, 3]"),
        ({"spans": {"a": 1}}, 'spans must be a list, got {"a": 1}'),
        ({"num_frames": 0}, "num_frames must be a whole number of at least 1, got 0"),
        ({"num_frames": 3.5}, "num_frames must be a whole number, got 3.5"),
        ({"fps": 0}, "fps must be a number of more than 0, got 0"),
        ({"fps": "24"}, 'fps must be a number, got "24"'),
        ({"file": 3}, "file must be text, got 3"),
        ({"tags": []}, "tags must be a mapping, got []"),
        ({"tags": [1]}, "tags must be a mapping, got [1]"),
        ({"lable": 1}, "has an unknown key 'lable'\n  hint: did you mean 'label'?"),
        ({"name": "../escape"}, 'has the name "../escape"\n  hint: a name is a plain file name'),
        ({"name": None}, "has the name null"),
    ],
)
def test_bad_video(store: Path, edit: Edit, change: dict[str, Any], message: str) -> None:
    edit(lambda videos: videos[0].update(change))
    assert message in refusal(store)


def test_everything_wrong_is_reported_at_once(store: Path, edit: Edit) -> None:
    def spoil(videos: list[Any]) -> None:
        videos[0]["label"], videos[3]["fps"], videos[5] = 7, "slow", "not a mapping"

    edit(spoil)
    message = refusal(store)
    assert (
        "label must be a whole number of at most 1, got 7" in message and 'fps must be a number, got "slow"' in message
    )
    assert "video number 6: must be a mapping" in message


def test_two_videos_of_one_name(store: Path, edit: Edit) -> None:
    edit(lambda videos: videos[1].update(name=videos[0]["name"]))
    assert "two videos are called 'v=ab0_Q-x__#0_label_G-0-0_train0'" in refusal(store)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", "a\0b", "a\nb", ".x", "x" * 300, 3]
)
def test_names_that_could_leave_their_folder(name: object) -> None:
    assert not is_plain_name(name)


@pytest.mark.parametrize("name", ["v=Zq0__.x.y__#00-03-00_label_G-0-0", "a b", "Abuse001_x264", "x..y", "\u00e9"])
def test_names_as_data_sets_have_them(name: str) -> None:
    assert is_plain_name(name)


# -- feature files -------------------------------------------------------------------------------
def test_missing_features_are_reported_for_every_video_and_stream(store: Path) -> None:
    (store / "rgb" / f"{LONGER_RGB}.npy").unlink()
    (store / "audio" / f"{LONGER_RGB}.npy").rename(store / "audio" / f"{LONGER_RGB}__0.npy")
    FeatureStore(root=str(store)).videos("train")  # not asked for, not missed
    message = refusal(store, "test")
    assert f"{store}/rgb: no features of video '{LONGER_RGB}'" in message
    assert f"{store}/audio: no features of video '{LONGER_RGB}'" in message
    assert f"hint: did you mean '{LONGER_RGB}__0.npy'?" in message


def test_missing_stream_folder(store: Path) -> None:
    (store / "flow").rename(store / "flows")
    assert f"{store}/flow: cannot be read: no such file" in refusal(store, "train")
    FeatureStore(root=str(store), streams={"rgb": "rgb"}).videos("train")  # nobody asked for flow


def test_a_width_that_is_not_the_stores(store: Path, dataset: FeatureStore) -> None:
    path = store / "clip" / f"{LONGER_RGB}.npy"
    np.save(path, np.zeros((9, 7), np.float32))
    with pytest.raises(VadkitError) as caught:
        dataset.read(dataset.videos("test")[0], "clip")
    assert f"{path}: features are 7 wide, but stream 'clip' of store.json says 8" in str(caught.value)


@pytest.mark.parametrize("width", [16, 16384])
def test_a_file_that_is_written_again_is_read_again(tmp_path: Path, width: int) -> None:
    """Small files are kept in memory, large ones mapped."""
    dataset = FeatureStore(root=str(write_tiny_store(tmp_path, dims={"rgb": width})))
    video = dataset.videos("train")[0]
    path = dataset.path(video, "rgb")
    for t in (50, 5, 7):
        np.save(path, np.full((t, width), t, np.float32))  # in place: the same inode
        assert (dataset.read_crop(video, "rgb", 0) == np.full((t, width), t)).all()
        assert dataset.shape(video, "rgb") == (1, t, width)


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files under /proc")
def test_a_large_data_set_does_not_run_out_of_open_files(tmp_path: Path) -> None:
    dataset = FeatureStore(root=str(write_tiny_store(tmp_path, train=40, dims={"rgb": 8192})))
    before = len(os.listdir("/proc/self/fd"))
    crops = [dataset.read_crop(video, "rgb", 0) for video in dataset.videos("train")]
    mapped = sum(crop.nbytes > SMALL for crop in crops)
    assert mapped > 20 and len(os.listdir("/proc/self/fd")) - before <= mapped
    del crops
    assert len(os.listdir("/proc/self/fd")) <= before + 1


@pytest.mark.guards("6")
def test_a_folder_of_raw_features_says_how_to_index_it(store: Path) -> None:
    for name in ("store.json", "videos.json"):
        (store / name).unlink()
    message = refusal(store)
    assert "holds features, but no store.json" in message and f"vadkit store import own --root {store}" in message


@pytest.mark.guards("2.1", "2.3")
@pytest.mark.parametrize(
    ("written", "label"),
    [(None, None), ("unknown", None), ("", None), (0, 0), (False, 0), ("normal", 0), ("FALSE", 0), ("0.0", 0)],
)
def test_labels_of_an_index_are_read_as_those_of_tables(
    store: Path, edit: Edit, written: Any, label: int | None
) -> None:
    edit(lambda videos: videos[0].update(label=written, classes=[], spans=[]))
    assert FeatureStore(root=str(store)).store.videos[0].label == label
    assert load_videos(store)[0]["label"] == label


def test_only_videos_with_a_tag_are_used(store: Path) -> None:
    dataset = FeatureStore(root=str(store), only={"number": ["1", "3"]})
    assert {video.tags["number"] for video in dataset.videos("train")} == {1, 3}
    with pytest.raises(VadkitError, match="data.args.only: no video has the number '77'"):
        FeatureStore(root=str(store), only={"number": ["1", "77"]})
