"""Nothing is found in a sound store, and every planted fault is found by video and file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_store import write_tiny_store
from whole_store import Spoiled

from vadkit.cli import main

Audit = Callable[..., list[dict[str, Any]]]
TRAIN, TEST, NORMAL = "01_0014", "01_0015", "01_001"  # the first two are abnormal


def test_a_sound_store(sound: Path, audit: Audit) -> None:
    assert audit(sound / "index") == []


def test_a_sound_store_that_was_extracted(tmp_path: Path, audit: Audit) -> None:
    found = audit(write_tiny_store(tmp_path / "store"))
    # It plants one stream that is longer than the others in one video, and nothing else.
    assert [f["kind"] for f in found] in ([], ["length-streams"])


def test_notes_say_what_is_usual(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "check", str(sound / "index")]) == 0
    shown = capsys.readouterr().out
    assert "note: 'rgb' is one snippet longer than 'flow' in 437 videos, as published files are" in shown
    assert "'flow' covers 143680 test frames (published: I3D of RTFM 142912; I3D of PEL4VAD 140112)" in shown
    assert shown.rstrip().endswith("no faults found")


def first_rows(what: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(x: np.ndarray) -> np.ndarray:
        x[3:5] = what
        return x

    return change


def plant_missing_file(s: Spoiled) -> None:
    s.file("rgb", TEST, 1).unlink()


def plant_extra_file(s: Spoiled) -> None:
    shutil.copy(s.file("flow", TEST), s.root / "flow" / "01_0015 (copy).npy")


def plant_empty_file(s: Spoiled) -> None:
    s.write(s.file("flow", TEST), b"")


def plant_truncated_file(s: Spoiled) -> None:
    path = s.file("rgb", TEST, 0)
    s.write(path, path.read_bytes()[:-5])


def plant_pickle(s: Spoiled) -> None:
    s.file("flow", TEST).unlink()
    np.save(s.file("flow", TEST), np.array([{"a": 1}], object), allow_pickle=True)


def plant_other_width(s: Spoiled) -> None:
    s.change(s.file("flow", TEST), lambda x: np.repeat(x, 2, 1))


def plant_nan(s: Spoiled) -> None:
    s.change(s.file("flow", TEST), first_rows(np.nan))


def plant_infinity(s: Spoiled) -> None:
    s.change(s.file("rgb", TEST, 1), first_rows(np.inf))


def plant_constant_rows(s: Spoiled) -> None:
    s.change(s.file("flow", TEST), first_rows(0.0))


def plant_frozen_file(s: Spoiled) -> None:
    s.change(s.file("flow", TEST), lambda x: x[:1].repeat(len(x), 0))


def plant_cut_stream(s: Spoiled) -> None:
    s.change(s.file("flow", NORMAL), lambda x: x[:-9])


def plant_cut_crop(s: Spoiled) -> None:
    s.change(s.file("rgb", TEST, 1), lambda x: x[:-1])


def plant_lost_crop(s: Spoiled) -> None:
    s.entry(TEST, lambda v: v["files"].update(rgb=v["files"]["rgb"][:1]))


def plant_other_frame_rate(s: Spoiled) -> None:
    for path in (s.file("flow", NORMAL), s.file("rgb", NORMAL, 0), s.file("rgb", NORMAL, 1)):
        s.change(path, lambda x: x[::2])


def plant_test_video_in_training(s: Spoiled) -> None:
    for crop in range(2):
        s.copy(s.file("rgb", TEST, crop), s.file("rgb", "05_001", crop))


def plant_copy_in_training(s: Spoiled) -> None:
    s.copy(s.file("flow", TRAIN), s.file("flow", "01_0016"))


def plant_wrong_label(s: Spoiled) -> None:
    s.entry(TRAIN, lambda v: v.update(label=0, classes=[]))


def plant_wrong_split(s: Spoiled) -> None:
    s.entry(NORMAL, lambda v: v.update(split="train"))


def plant_wrong_class(s: Spoiled) -> None:
    s.entry(TRAIN, lambda v: v.update(classes=["robbery"]))


def plant_wrong_intervals(s: Spoiled) -> None:
    s.entry(TEST, lambda v: v.update(spans=[[1, 2]]))


def plant_no_intervals(s: Spoiled) -> None:
    s.entry(TEST, lambda v: v.pop("spans"))


def plant_intervals_in_training(s: Spoiled) -> None:
    s.entry(TRAIN, lambda v: v.update(spans=[[154, 230]]))


def plant_missing_video(s: Spoiled) -> None:
    s.keep(lambda v: v["name"] != TEST)


def plant_unknown_video(s: Spoiled) -> None:
    s.entry(TEST, lambda v: v.update(name=f"{TEST}.mp4"))


PLANTED: dict[str, tuple[Callable[[Spoiled], None], str, str]] = {
    # what -> (how, kind of the finding, video)
    "missing file": (plant_missing_file, "file-missing", TEST),
    "extra file": (plant_extra_file, "file-extra", ""),
    "empty file": (plant_empty_file, "file-broken", TEST),
    "truncated file": (plant_truncated_file, "file-broken", TEST),
    "pickle": (plant_pickle, "file-broken", TEST),
    "other width": (plant_other_width, "file-broken", TEST),
    "NaN": (plant_nan, "nan", TEST),
    "infinity": (plant_infinity, "nan", TEST),
    "constant rows": (plant_constant_rows, "constant", TEST),
    "frozen file": (plant_frozen_file, "frozen", TEST),
    "cut stream": (plant_cut_stream, "length-streams", NORMAL),
    "cut crop": (plant_cut_crop, "length-crops", TEST),
    "lost crop": (plant_lost_crop, "crops", TEST),
    "other frame rate": (plant_other_frame_rate, "length-frames", NORMAL),
    "test video in training": (plant_test_video_in_training, "duplicate-split", TEST),
    "copy in training": (plant_copy_in_training, "duplicate", "01_0016"),
    "wrong label": (plant_wrong_label, "label", TRAIN),
    "wrong split": (plant_wrong_split, "split", NORMAL),
    "wrong class": (plant_wrong_class, "classes", TRAIN),
    "wrong intervals": (plant_wrong_intervals, "intervals", TEST),
    "no intervals": (plant_no_intervals, "intervals", TEST),
    "intervals in training": (plant_intervals_in_training, "intervals", TRAIN),
    "missing video": (plant_missing_video, "video-missing", TEST),
    "unknown video": (plant_unknown_video, "video-unknown", f"{TEST}.mp4"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_fault_is_found(what: str, spoiled: Spoiled, audit: Audit) -> None:
    plant, kind, video = PLANTED[what]
    plant(spoiled)
    found = audit(spoiled.index)
    assert (kind, video) in [(f["kind"], f["video"]) for f in found], found
    # One fault, few findings, all of that video or the one it was mixed up with.
    videos = {f["video"] for f in found} - {video}
    assert len(found) <= 4 and videos <= {TEST, "05_001"}, found
    assert any(f["file"] for f in found) or kind == "video-missing" or kind == "video-unknown"


def test_the_words_of_a_finding(spoiled: Spoiled, audit: Audit) -> None:
    plant_nan(spoiled)
    (finding,) = audit(spoiled.index)
    assert finding == {
        "kind": "nan",
        "video": TEST,
        "file": str(spoiled.index / ".." / "flow" / f"{TEST}.npy"),
        "fault": True,
        "what": "stream 'flow': NaN in 2 of 28 rows, the first is 3",
        "todo": "extract or download the file again",
    }


def test_many_faults_at_once_and_the_table(spoiled: Spoiled, capsys: pytest.CaptureFixture[str]) -> None:
    for plant in (plant_missing_file, plant_nan, plant_wrong_label, plant_extra_file):
        plant(spoiled)
    assert main(["store", "check", str(spoiled.index)]) == 1
    shown = capsys.readouterr().out
    for kind in ("file-missing", "nan", "label", "file-extra"):
        assert f"\n{kind} " in shown
    assert shown.endswith("\n5 faults\n")  # the label and with it the class


def test_few_of_many_findings_are_shown(spoiled: Spoiled, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted((spoiled.root / "flow").iterdir())[:20]:
        spoiled.write(path, b"")
    assert main(["store", "check", str(spoiled.index), "--show", "3"]) == 1
    shown = capsys.readouterr().out
    assert shown.count("is empty (0 bytes)") == 3
    assert "20 faults; 17 are not shown: --show 0 or --json shows all" in shown


def test_headers_only(spoiled: Spoiled, audit: Audit) -> None:
    plant_nan(spoiled)
    plant_cut_crop(spoiled)
    assert [f["kind"] for f in audit(spoiled.index, "--quick")] == ["length-crops"]


def test_a_part_of_a_data_set(spoiled: Spoiled, audit: Audit) -> None:
    spoiled.keep(lambda v: v["split"] == "test" or v.get("classes"))
    kinds = [f["kind"] for f in audit(spoiled.index)]
    assert kinds.count("video-missing") == 175 and kinds.count("balance") == 2


def test_a_store_of_another_data_set(sound: Path, audit: Audit) -> None:
    kinds = {f["kind"] for f in audit(sound / "index", "--quick", "--annotation", "ucf_crime")}
    assert kinds == {"video-missing", "video-unknown", "balance"}


def test_crops_that_are_the_same_are_a_note(spoiled: Spoiled, capsys: pytest.CaptureFixture[str]) -> None:
    spoiled.copy(spoiled.file("rgb", TEST, 0), spoiled.file("rgb", TEST, 1))
    assert main(["store", "check", str(spoiled.index)]) == 0
    assert f"note: {TEST}; stream 'rgb': crop 1 is identical to crop 0" in capsys.readouterr().out


def test_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "check", str(tmp_path / "no")]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_a_store_cut_in_half(spoiled: Spoiled, capsys: pytest.CaptureFixture[str]) -> None:
    path = spoiled.index / "videos.json"
    spoiled.write(path, path.read_bytes()[:2000])
    assert main(["store", "check", str(spoiled.index)]) == 1
    assert "the file is cut off here" in capsys.readouterr().out


def test_the_features_have_moved(spoiled: Spoiled, audit: Audit) -> None:
    (spoiled.root / "flow").rename(spoiled.root / "old")
    found = audit(spoiled.index)
    assert {f["kind"] for f in found} == {"file-missing"} and len(found) == 437


def test_your_own_data(tmp_path: Path, audit: Audit) -> None:
    root = tmp_path / "own"
    rng = np.random.default_rng(0)
    for name in ("train/normal/a", "train/normal/b", "train/abnormal/c", "test/abnormal/d", "test/abnormal/e"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(root / f"{name}.npy", rng.standard_normal((9, 4)).astype(np.float32))
    assert main(["store", "import", "own", "--root", str(root), "--out", str(root / "index"), "--json"]) == 0
    found = audit(root / "index")
    assert [f["what"] for f in found] == ["none of the 2 test videos is normal"]
    videos = json.loads((root / "index" / "videos.json").read_text())
    next(v for v in videos if v["name"] == "d")["spans"] = [[0, 16]]
    (root / "index" / "videos.json").write_text(json.dumps(videos))
    assert ("intervals-none", "e") in [(f["kind"], f["video"]) for f in audit(root / "index")]


def test_packed_streams(spoiled: Spoiled, audit: Audit) -> None:
    from vadkit.store.pack import pack

    spoiled.write(spoiled.index / "store.json", (spoiled.index / "store.json").read_bytes())
    pack(spoiled.index)
    assert audit(spoiled.index) == []
    plant_nan(spoiled)  # after it was packed
    found = audit(spoiled.index)
    assert [f["kind"] for f in found] == ["nan", "pack"]
    assert "has changed since it was packed" in found[1]["what"]
