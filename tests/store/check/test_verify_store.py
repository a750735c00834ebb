"""Every fault of a store is named with its file and its cause; a sound one has none."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_scenes import write_scene
from tiny_store import write_tiny_store

from vadkit.cli import main
from vadkit.datasets.auditing.run import check
from vadkit.extract.run import Resources, extract_store
from vadkit.kinds import Backbone
from vadkit.problems import VadkitError
from vadkit.store.check.verify import verify


def test_a_sound_store(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = verify(store, videos=False)
    assert report.is_sound and not report.notes and len(report.scanned) == 6
    assert report.bytes == sum(path.stat().st_size for path in store.glob("*/*.npy"))
    assert main(["store", "check", str(store)]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith("no faults found\n") and "note: no video is labelled abnormal" in shown


def edit_json(store: Path, file: str, change: Callable[[Any], object]) -> None:
    data = json.loads((store / file).read_text())
    change(data)
    (store / file).write_text(json.dumps(data))


def edit_line(store: Path, name: str, change: Callable[[Any], object]) -> None:
    """Change one video's line of the manifest."""
    lines = [json.loads(line) for line in (store / "manifest.jsonl").read_text().splitlines()]
    change(next(line for line in lines if line["name"] == name))
    (store / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def edit_bytes(store: Path, file: str, change: Callable[[bytearray], object]) -> None:
    data = bytearray((store / file).read_bytes())
    change(data)
    (store / file).write_bytes(data)


def flip(data: bytearray, place: int) -> None:
    data[place] ^= 1


def save(store: Path, array: Callable[[np.ndarray], np.ndarray]) -> None:
    path = store / "rgb" / "market.npy"
    np.save(path, array(np.load(path)))


def put_nan(x: np.ndarray) -> np.ndarray:
    x[1, 2, 0] = np.nan
    return x


RGB = "rgb/market.npy"
# what was done -> how, the file that must be named, text of the cause
FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a flipped bit in the last number": (lambda s: edit_bytes(s, RGB, lambda d: flip(d, -3)), RGB, "was changed"),
    "a flipped bit in the magic": (lambda s: edit_bytes(s, RGB, lambda d: flip(d, 1)), RGB, "not a .npy file"),
    "a flipped bit in the header": (lambda s: edit_bytes(s, RGB, lambda d: flip(d, 30)), RGB, ""),
    "truncated": (lambda s: edit_bytes(s, RGB, lambda d: d.__delitem__(slice(-7, None))), RGB, "is cut off"),
    "one byte more": (lambda s: edit_bytes(s, RGB, lambda d: d.append(0)), RGB, "longer than it was"),
    "emptied": (lambda s: (s / RGB).write_bytes(b""), RGB, "0 bytes"),
    "removed": (lambda s: (s / RGB).unlink(), RGB, "is missing; it should hold"),
    "a folder in its place": (lambda s: ((s / RGB).unlink(), (s / RGB).mkdir()), RGB, ""),
    "a number that is none": (lambda s: save(s, put_nan), RGB, "NaN in row 2"),
    "changed by hand": (lambda s: save(s, lambda x: x + 1), RGB, "was changed"),
    "crops and snippets swapped": (lambda s: save(s, lambda x: x.swapaxes(0, 1).copy()), RGB, "has shape [4, 2, 3]"),
    "float64": (lambda s: save(s, lambda x: x.astype(float)), RGB, "longer than it was"),
    "another video's": (lambda s: shutil.copy(s / "rgb" / "fair.npy", s / RGB), RGB, "is cut off"),
    "swapped with an equally long one": (lambda s: swap(s), "sound/fair.npy", ""),
    "an unlisted file": (
        lambda s: shutil.copy(s / RGB, s / "rgb" / "zoo.npy"),
        "rgb/zoo.npy",
        "is not in the manifest",
    ),
    "manifest cut in half": (
        lambda s: edit_bytes(s, "manifest.jsonl", lambda d: d.__delitem__(slice(len(d) // 2, None))),
        "manifest.jsonl",
        "is cut off or damaged",
    ),
    "manifest removed": (lambda s: (s / "manifest.jsonl").unlink(), "manifest.jsonl", "is missing"),
    "manifest: snippets": (
        lambda s: edit_line(s, "market", lambda d: d.update(snippets=9)),
        "manifest.jsonl",
        "9 snippets",
    ),
    "manifest: frames": (
        lambda s: edit_line(s, "market", lambda d: d.update(num_frames=99)),
        "manifest.jsonl",
        "99 frames",
    ),
    "manifest: shape": (
        lambda s: edit_line(s, "market", lambda d: d["arrays"]["rgb"].update(shape=[2, 4, 5])),
        "manifest.jsonl",
        "shape [2, 4, 5], by store.json it is 3 wide",
    ),
    "manifest: hash": (
        lambda s: edit_line(s, "market", lambda d: d["arrays"]["rgb"].update(sha256="0" * 64)),
        RGB,
        "was changed",
    ),
    "manifest: a stream missing": (
        lambda s: edit_line(s, "market", lambda d: d["arrays"].pop("sound")),
        "manifest.jsonl",
        "no features of stream 'sound'",
    ),
    "manifest: a stream too many": (
        lambda s: edit_line(s, "market", lambda d: d["arrays"].update(flow=d["arrays"]["rgb"])),
        "manifest.jsonl",
        "which is not in store.json",
    ),
    "store.json cut": (
        lambda s: edit_bytes(s, "store.json", lambda d: d.__delitem__(slice(40, None))),
        "store.json",
        "cut off",
    ),
    "store.json removed": (lambda s: (s / "store.json").unlink(), "store.json", "cannot be read"),
    "store.json: width": (
        lambda s: edit_json(s, "store.json", lambda d: d["streams"]["rgb"].update(dim=4)),
        "manifest.jsonl",
        "by store.json it is 4 wide",
    ),
    "store.json: snippet": (
        lambda s: edit_json(s, "store.json", lambda d: d.update(snippet_frames=8)),
        "store.json",
        "is of snippets of 16 frames, the store of 8",
    ),
    "store.json: random weights disguised": (
        lambda s: edit_json(s, "store.json", lambda d: d["streams"]["sound"]["recipe"].update(weights="kinetics")),
        "store.json",
        "which is no SHA-256",
    ),
    "store.json: random and pretrained": (
        lambda s: edit_json(s, "store.json", lambda d: d["streams"]["sound"]["recipe"].update(pretrained=True)),
        "store.json",
        "claims both pretrained and random weights",
    ),
    "store.json: two clocks": (
        lambda s: edit_json(s, "store.json", lambda d: d["streams"]["sound"]["recipe"].update(fps=25.0)),
        "store.json",
        "'sound' has fps 25.0, but 'rgb' None",
    ),
    "videos.json cut": (
        lambda s: edit_bytes(s, "videos.json", lambda d: d.__delitem__(slice(100, None))),
        "videos.json",
        "cut off",
    ),
    "videos.json removed": (lambda s: (s / "videos.json").unlink(), "videos.json", "stopped before it ended"),
    "videos.json: a video missing": (
        lambda s: edit_json(s, "videos.json", lambda d: d.pop(1)),
        "videos.json",
        "lacks video 'market'",
    ),
    "videos.json: a video too many": (
        lambda s: edit_json(s, "videos.json", lambda d: d.append({**d[0], "name": "zoo"})),
        "videos.json",
        "lists video 'zoo', but the manifest does not list it",
    ),
    "videos.json: frames": (
        lambda s: edit_json(s, "videos.json", lambda d: d[1].update(num_frames=9)),
        "videos.json",
        "has 9 frames, 60 by the manifest",
    ),
    "videos.json: rate": (
        lambda s: edit_json(s, "videos.json", lambda d: d[1].update(fps=30)),
        "videos.json",
        "30 frames a second, 24 by",
    ),
}


def swap(store: Path) -> None:
    """Give 'fair' the sound of the first snippets of 'street', which is as long as its own."""
    rows = len(np.load(store / "sound" / "fair.npy"))
    np.save(store / "sound" / "fair.npy", np.load(store / "sound" / "street.npy")[:rows])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(fault: str, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil, file, text = FAULTS[fault]
    spoil(store)
    found = verify(store).findings
    assert any(f.fault and f.file == str(store / file) and text in f.what for f in found), found
    assert main(["store", "check", str(store)]) == 1
    out = capsys.readouterr().out
    assert str(store / file) in out and text in out and "what it is" in out


def test_one_cause_is_reported_once(store: Path) -> None:
    edit_bytes(store, RGB, lambda data: flip(data, -3))
    (store / "sound" / "fair.npy").unlink()
    assert sorted(finding.file for finding in verify(store).findings) == [str(store / RGB), f"{store}/sound/fair.npy"]


def test_json(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (store / RGB).unlink()
    assert main(["store", "check", str(store), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["faults"] == 1 and found["findings"][0]["file"] == str(store / RGB)


def test_videos_that_have_changed(whole: Path, store: Path, scenes: dict[str, Path], tmp_path: Path) -> None:
    assert verify(whole, videos=True).is_sound
    copies = {name: Path(shutil.copy(path, tmp_path)) for name, path in scenes.items()}
    edit_json(store, "videos.json", lambda d: [v.update(file=os.path.relpath(copies[v["name"]], store)) for v in d])
    assert verify(store, videos=True).is_sound, "a copy of a video is the same video"
    copies["fair"].unlink()
    edit_bytes(tmp_path, "street.mp4", lambda data: flip(data, len(data) // 2))
    causes = [finding.what for finding in verify(store, videos=True).findings]
    assert causes == [
        "the video of 'fair' is missing",
        "the video of 'street' differs from the file its features came from",
    ]


def test_leftovers_and_broken_videos_are_no_faults(store: Path) -> None:
    (store / "rgb" / ".vadkit-x.npy").write_bytes(b"half")
    line = {"name": "zoo", "state": "broken", "source": None, "cause": "zoo.mp4 is empty (0 bytes)"}
    with (store / "manifest.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    report = verify(store)
    assert report.is_sound and "temporary files" in report.notes[1] and "1 video could not" in report.notes[0]


def test_a_store_without_a_manifest_is_checked_too(tmp_path: Path) -> None:
    store = write_tiny_store(tmp_path / "store")
    report = verify(store)
    assert report.is_sound and "there is no manifest" in report.notes[0] and len(report.scanned) == 24 * 4
    spoiled = sorted((store / "flow").glob("*.npy"))[0]
    array = np.load(spoiled)
    array[0, 0] = np.inf
    np.save(spoiled, array)
    (finding,) = [finding for finding in verify(store).findings if finding.fault]
    assert finding.file == str(spoiled) and "infinity in row 0" in finding.what


def test_what_is_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(VadkitError, match="there is no such folder"):
        verify(tmp_path / "nowhere")
    assert main(["store", "check", str(tmp_path)]) == 2
    assert "is not a feature store" in capsys.readouterr().err


def test_a_pack_is_compared_with_its_files(store: Path) -> None:
    assert main(["store", "pack", str(store)]) == 0
    assert verify(store).is_sound
    (pack,) = store.glob("rgb-float32-*.npy")
    edit_bytes(store, pack.name, lambda data: flip(data, -3))
    (finding,) = verify(store).findings
    assert finding.file == str(pack) and "video 'street' differs from the file" in finding.what
    edit_bytes(store, pack.name, lambda data: data.__delitem__(slice(-20, None)))
    assert {finding.file for finding in verify(store).findings} == {str(pack)}


def test_a_pack_may_be_all_there_is(store: Path) -> None:
    assert main(["store", "pack", str(store), "--dtype", "float16", "--streams", "rgb"]) == 0
    shutil.rmtree(store / "rgb")
    report = verify(store)
    assert report.is_sound and report.notes == ["stream 'rgb' is only in its pack: its own files are gone"]


def test_an_extracted_store_is_checked_as_a_data_set_too(
    scenes: dict[str, Path], colours: type[Backbone], tmp_path: Path
) -> None:
    """The same video in training and testing: every hash is right, and yet nothing can be measured."""
    entries = [
        {"name": name, "file": str(scenes[scene]), "split": split, "label": label, "spans": [[0, 9]] * label}
        for name, scene, split, label in (
            ("a", "fair", "train", 0),
            ("b", "market", "train", 1),
            ("c", "street", "test", 0),
            ("d", "market", "test", 1),
        )
    ]
    extract_store(entries, {"rgb": colours()}, tmp_path / "store", resources=Resources(workers=0))  # type: ignore[arg-type]
    faults = [finding for finding in check(tmp_path / "store").findings if finding.fault]
    assert [(f.kind, f.video) for f in faults] == [("duplicate-split", "d")]


def test_constant_rows_are_no_fault_of_an_unchanged_file(colours: type[Backbone], tmp_path: Path) -> None:
    class Nothing(colours):  # type: ignore[misc,valid-type]
        def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
            return np.zeros((len(snippets), 2, 3), np.float32)

    entries = [{"name": "a", "file": str(write_scene(tmp_path / "a.mp4", 40, 0))}]
    extract_store(entries, {"rgb": Nothing()}, tmp_path / "store", resources=Resources(workers=0))  # type: ignore[arg-type]
    report = verify(tmp_path / "store")
    assert report.is_sound and "one number, 0, fills all 3 rows" in report.notes[0]


def test_the_command_on_a_broken_store_still_reads_the_arrays(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (store / "store.json").write_text("{")
    (store / RGB).write_bytes(b"")
    assert main(["store", "check", str(store), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {f["kind"] for f in found["findings"] if f["fault"]} == {"index", "file-changed"}


def test_quick_reads_headers_only(store: Path) -> None:
    save(store, lambda x: x + 1)
    assert verify(store, content=False).is_sound and not verify(store).is_sound
