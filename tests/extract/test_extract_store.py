"""A store that is extracted: what is in it, what is done again and what is not, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unusual_videos import make_video, white
from vadkit_extraction_toys import Broken, Corners, FirstRed, Loud, PairCount, Trap

from vadkit.extract import row_buffer, stages
from vadkit.extract.run import Clock, Resources, StoreResult, VideoEntry, extract_store
from vadkit.problems import VadkitError
from vadkit.store.index import read_store
from vadkit.store.manifest import read_manifest
from vadkit.store.reader import StoredFeatures

NAMES = ("lift", "shop #2", "v=x.y__1")
Extract = Callable[..., StoreResult]


@pytest.fixture
def entries(tmp_path: Path) -> list[VideoEntry]:
    """Return three videos, of 40, 30 and 17 frames at 8 a second."""
    return [
        {"name": name, "file": str(make_video(tmp_path / "videos" / f"{name}.mkv", frames, video="ffv1", sound=3))}
        for name, frames in zip(NAMES, (40, 30, 17))
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def extract(entries: list[VideoEntry], root: Path, **options: Any) -> StoreResult:
    backbones = options.pop("backbones", None) or {"rgb": FirstRed(), "audio": Loud()}
    clock = Clock(**{key: options.pop(key) for key in ("fps", "snippet_frames", "tail") if key in options})
    return extract_store(entries, backbones, root, clock=clock, **{"resources": Resources(workers=0), **options})


def content(root: Path) -> dict[str, bytes]:
    """Return every file of a store by its path."""
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def problem(entries: list[VideoEntry], root: Path, **options: Any) -> list[str]:
    with pytest.raises(VadkitError) as caught:
        extract(entries, root, **options)
    return [p.message for p in caught.value.problems]


# -- what is in it -----------------------------------------------------------------------------------
def test_everything_is_written_down(entries: list[VideoEntry], root: Path) -> None:
    result = extract(entries, root, fps=8)
    assert result.extracted == list(NAMES) and not result.failed
    files = {f"{stream}/{name}.npy" for stream in ("rgb", "audio") for name in NAMES}
    assert content(root).keys() == {*files, ".lock", "manifest.jsonl", "store.json", "videos.json"}
    lines, wrong = read_manifest(root)
    assert list(lines) == sorted(NAMES) and not wrong
    line = lines["shop #2"]
    assert (line.fps, line.num_frames, line.snippets, line.size) == (8.0, 30, 2, [48, 64])
    assert (line.clip_start, line.clip_step, line.has_sound) == (0.0, 2.0, True)
    for name in NAMES:
        for stream, array in lines[name].arrays.items():
            data = (root / stream / f"{name}.npy").read_bytes()
            assert array.sha256 == hashlib.sha256(data).hexdigest() and array.bytes == len(data)
            assert array.shape == list(np.load(root / stream / f"{name}.npy").shape)


def test_the_recipe_and_versions_are_in_the_head(entries: list[VideoEntry], root: Path) -> None:
    extract(entries, root, fps=8, tail="drop")
    head = json.loads((root / "store.json").read_text())
    assert head["streams"]["rgb"] == {
        "dim": 3,
        "recipe": {
            "backbone": "first_red",
            "snippet_frames": 16,
            "stride": 16,
            "fps": 8,
            "tail": "drop",
            "decoder": "pyav",
            "crops": 1,
            "version": 1,
        },
    }
    assert {"vadkit", "av", "libavcodec", "torch", "numpy"} == head["made_with"].keys()


def test_it_is_read_as_any_store(entries: list[VideoEntry], root: Path) -> None:
    extract(entries, root, backbones={"rgb": Corners(), "audio": Loud()})
    store = read_store(root)
    stored = StoredFeatures(store)
    assert [video.name for video in store.videos] == list(NAMES)
    assert stored.shape(store.videos[0], "rgb") == (5, 3, 2) and stored.shape(store.videos[0], "audio") == (1, 3, 2)
    assert np.array(stored.read(store.videos[0], "rgb"))[:, 0, 1].tolist() == [0, 1, 2, 3, 4]


def test_features_that_are_many_wait_on_the_disk(
    entries: list[VideoEntry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbones = {"rgb": Corners(), "flow": PairCount()}
    extract(entries, tmp_path / "memory", backbones=backbones)
    monkeypatch.setattr(stages, "BATCH", 1)
    monkeypatch.setattr(row_buffer.RowBuffer.__init__, "__defaults__", (None, 16))
    extract(entries, tmp_path / "disk", backbones=backbones)
    assert content(tmp_path / "memory") == content(tmp_path / "disk")


# -- labels ------------------------------------------------------------------------------------------
def test_intervals_are_brought_to_the_clock(entries: list[VideoEntry], root: Path) -> None:
    entries[0] |= {"label": 1, "spans": [[10, 20]]}  # frames of the file, 8 a second
    entries[1] |= {"label": 1, "spans": [[30, 60]], "fps": 16.0}  # of an annotation of twice the rate
    extract(entries, root, fps=4)
    videos = {video.name: video for video in read_store(root).videos}
    assert videos["lift"].spans == ((5, 10),) and videos["lift"].num_frames == 20 and videos["lift"].fps == 4
    assert videos["shop #2"].spans == ((7, 15),)


def test_labels_written_by_hand_stay_and_new_labels_count(entries: list[VideoEntry], root: Path) -> None:
    extract(entries, root)
    listed = json.loads((root / "videos.json").read_text())
    listed[1] |= {"label": 1, "spans": [[3, 9]], "tags": {"by": "hand"}}
    (root / "videos.json").write_text(json.dumps(listed))
    entries[2]["split"] = "train"
    extract(entries, root)
    assert read_store(root).videos[1].spans == ((3, 9),) and read_store(root).videos[1].tags == {"by": "hand"}
    assert read_store(root).videos[2].split == "train"


def test_videos_of_an_earlier_run_stay(entries: list[VideoEntry], root: Path) -> None:
    extract(entries[:2], root)
    extract(entries[2:], root)
    assert {video.name for video in read_store(root).videos} == set(NAMES)
    assert len(read_manifest(root)[0]) == 3


# -- again -------------------------------------------------------------------------------------------
def test_what_is_finished_is_not_touched(entries: list[VideoEntry], root: Path) -> None:
    extract(entries, root)
    before, times = content(root), {p: p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file()}
    backbone = FirstRed()
    result = extract(entries, root, backbones={"rgb": backbone, "audio": Loud()})
    assert result.skipped == list(NAMES) and not result.extracted and backbone.calls == 0
    assert content(root) == before and {p: p.stat().st_mtime_ns for p in times} == times


def test_a_copy_of_a_file_is_the_same_and_a_changed_one_is_not(entries: list[VideoEntry], root: Path) -> None:
    extract(entries, root)
    path = Path(entries[0]["file"])
    path.touch()
    assert extract(entries, root).extracted == []
    content_before = path.read_bytes()
    path.write_bytes(content_before[:-1] + bytes([content_before[-1] ^ 1]))  # one bit, the same length
    assert extract(entries, root).extracted == ["lift"]
    make_video(path, 12, video="ffv1")
    assert extract(entries, root).extracted == ["lift"]
    assert read_store(root).videos[0].num_frames == 12


def test_broken_videos_are_listed_and_tried_again_on_request_or_if_they_change(
    entries: list[VideoEntry], root: Path
) -> None:
    path = Path(entries[1]["file"])
    whole = path.read_bytes()
    path.write_bytes(b"")
    first = extract(entries, root)
    assert first.failed == {"shop #2": f"{path} is empty (0 bytes)"} and first.extracted == ["lift", "v=x.y__1"]
    assert read_manifest(root)[0]["shop #2"].cause == f"{path} is empty (0 bytes)"
    assert [video.name for video in read_store(root).videos] == ["lift", "v=x.y__1"]
    again = extract(entries, root)
    assert again.failed == first.failed and not again.extracted
    assert extract(entries, root, retry_broken=True).failed == first.failed
    path.write_bytes(whole)
    assert extract(entries, root).extracted == ["shop #2"]
    assert [video.name for video in read_store(root).videos] == list(NAMES)


def test_a_backbone_that_trips_over_one_video_does_not_stop_the_others(entries: list[VideoEntry], root: Path) -> None:
    bright = make_video(Path(entries[1]["file"]), 20, video="ffv1", picture=white)
    result = extract(entries, root, backbones={"rgb": Trap(what="raise")})
    assert result.extracted == ["lift", "v=x.y__1"]
    assert result.failed["shop #2"].startswith(f"{bright}: RuntimeError: something gave way (vadkit_extraction_toys.py")


def test_if_no_video_can_be_used_that_is_an_error(tmp_path: Path, root: Path) -> None:
    gone: list[VideoEntry] = [{"name": n, "file": str(tmp_path / n)} for n in ("a", "b")]
    assert problem(gone, root) == [f"{tmp_path}/{n}: there is no such file" for n in ("a", "b")]


# -- another recipe ----------------------------------------------------------------------------------
def test_another_recipe_is_refused_field_by_field(entries: list[VideoEntry], root: Path) -> None:
    extract(entries, root)
    before = content(root)
    where = f"{root}/store.json: stream 'rgb' was extracted with"
    other = {"backbones": {"rgb": FirstRed(version=2)}, "fps": 4.0}
    assert problem(entries, root, **other) == [
        f"{where} fps: nothing, now it is 4.0",
        f"{where} version: 1, now it is 2",
    ]
    assert problem(entries, root, snippet_frames=8)[0] == f"{where} snippet_frames: 16, now it is 8"
    assert content(root) == before


def test_a_stream_can_be_added_but_not_by_another_clock(entries: list[VideoEntry], root: Path, tmp_path: Path) -> None:
    both = {"rgb": FirstRed(), "audio": Loud()}
    extract(entries, tmp_path / "at_once", backbones=both)
    extract(entries, root, backbones={"rgb": FirstRed()})
    found = problem(entries, root, backbones={"audio": Loud()}, tail="drop")
    assert found == [
        f"{root}/store.json: stream 'audio' is new, but 'rgb' was extracted with tail: repeat, now it is drop"
    ]
    backbone = FirstRed()
    extract(entries, root, backbones={"rgb": backbone, "audio": Loud()})
    assert backbone.calls == 1  # it was tried out, and fed nothing
    assert content(root) == content(tmp_path / "at_once")


def test_streams_of_another_version_of_a_file_go(entries: list[VideoEntry], root: Path) -> None:
    extract(entries, root)
    make_video(Path(entries[0]["file"]), 60, video="ffv1")
    extract(entries, root, backbones={"rgb": FirstRed()})
    assert not (root / "audio/lift.npy").exists() and (root / "rgb/lift.npy").exists()
    assert extract(entries, root).extracted == ["lift"]
    assert np.load(root / "audio/lift.npy").shape == (4, 2)


# -- edited by hand, cut in half ---------------------------------------------------------------------
@pytest.mark.parametrize("damage", ["gone", "short", "no line", "a line of nonsense"])
def test_what_was_damaged_by_hand_is_made_again(entries: list[VideoEntry], root: Path, damage: str) -> None:
    extract(entries, root)
    before = content(root)
    array, manifest = root / "rgb/shop #2.npy", root / "manifest.jsonl"
    lines = manifest.read_text().splitlines(keepends=True)
    if damage == "gone":
        array.unlink()
    elif damage == "short":
        array.write_bytes(array.read_bytes()[:-4])
    else:
        manifest.write_text("".join([lines[0], *["{never mind\n"] * (damage == "a line of nonsense"), *lines[2:]]))
    result = extract(entries, root)
    assert result.extracted == ["shop #2"] and content(root) == before
    assert [note.partition(": ")[2] for note in result.notes] == (
        ["line 2: is cut off or damaged; its video counts as not extracted yet"] if "nonsense" in damage else []
    )


def test_a_manifest_cut_anywhere_loses_nothing(entries: list[VideoEntry], root: Path) -> None:
    extract(entries, root)
    before, manifest = content(root), root / "manifest.jsonl"
    whole = manifest.read_bytes()
    for kept in (0, 1, len(whole) // 4, len(whole) // 2, whole.index(b"\n") + 1, len(whole) - 2, len(whole) - 1):
        manifest.write_bytes(whole[:kept])
        lost = 3 - whole[:kept].count(b"\n")
        assert len(extract(entries, root).extracted) == (lost if kept < len(whole) - 1 else 0), kept
        assert content(root) == before, kept


def test_a_head_that_is_no_store_is_refused(entries: list[VideoEntry], root: Path) -> None:
    root.mkdir()
    (root / "store.json").write_text('{"mine": 1}')
    assert problem(entries, root) == [
        f"{root}/store.json: has no 'vadkit_store', so it does not describe a feature store"
    ]
    (root / "store.json").write_text('{"vadkit_store": 1')
    assert problem(entries, root) == ["the file is cut off here"]


def test_a_listing_that_cannot_be_read_is_told_before_the_work(entries: list[VideoEntry], root: Path) -> None:
    extract(entries[:1], root)
    before = (root / "manifest.jsonl").read_bytes()
    (root / "videos.json").write_text('[{"name": "lift"')
    assert problem(entries, root) == ["the file is cut off here"]
    (root / "videos.json").write_text('{"name": "lift"}')
    assert problem(entries, root) == [f'{root}/videos.json: must hold a list of videos, got {{"name": "lift"}}']
    assert (root / "manifest.jsonl").read_bytes() == before


def test_names_that_are_not_utf8(entries: list[VideoEntry], root: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    renamed: VideoEntry = {"name": name, "file": str(Path(entries[0]["file"]).with_name(f"{name}.mkv"))}
    Path(entries[0]["file"]).rename(renamed["file"])
    extract([renamed], root)
    assert extract([renamed], root).skipped == [name]
    assert (root / "rgb" / f"{name}.npy").exists() and read_store(root).videos[0].name == name


# -- what is reported before anything begins -------------------------------------------------------------
def test_names_and_clocks_are_checked(entries: list[VideoEntry], root: Path) -> None:
    twice: list[VideoEntry] = [*entries, {"name": "lift", "file": "other.mp4"}, {"name": "../x", "file": "x.mp4"}]
    assert problem(twice, root) == [
        f"two videos are called 'lift': {entries[0]['file']} and other.mp4",
        "'../x' cannot be a video's name: it must be a plain file name",
    ]
    assert problem(entries, root, fps=0.0) == ["fps is 0.0; it must be from 0.00028 (one frame an hour) to 1000"]
    assert problem(entries, root, resources=Resources("rya", 0)) == ["there is no executor 'rya'"]
    assert not root.exists()


def test_a_backbone_that_does_not_work_is_blamed_itself(entries: list[VideoEntry], root: Path) -> None:
    expected = ["the backbone of stream 'rgb' does not work: RuntimeError: no such instruction"]
    assert problem(entries, root, backbones={"rgb": Broken()}) == expected
    assert read_manifest(root)[0] == {}
