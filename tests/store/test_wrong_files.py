"""A JSON file of a store with a wrong value at any key: one clear line that names the file, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_store import write_tiny_store
from wrong_json import changed, refusals, spoiled

from vadkit.problems import VadkitError
from vadkit.store.index import read_store
from vadkit.store.manifest import Line, read_manifest
from vadkit.store.pack import pack
from vadkit.store.packed import Packed
from vadkit.store.store_json import load_head
from vadkit.store.summary import summarise
from vadkit.store.videos_json import load_videos

HEAD = {
    "vadkit_store": 1,
    "snippet_frames": 16,
    "streams": {"rgb": {"dim": 16, "recipe": {"weights": "random"}, "axes": {"train": "crops snippets width"},
                        "packed": "rgb-float32-0123abcd.npy", "licence": "MIT"}},
    "classes": ["normal", "riot"],
    "root": "..",
    "data_set": "xd_violence",
    "intervals": "half_open",
    "segments": 32,
    "made_with": {"torch": "2.6"},
    "sources": "(?P<film>.+?)__#",
}  # fmt: skip
VIDEO = {
    "name": "a", "split": "test", "label": 1, "classes": ["riot"], "num_frames": 160, "fps": 24.0,
    "spans": [[3, 40]], "file": "a.mp4", "tags": {"mine": 1}, "files": {"rgb": ["a__0.npy", "a__1.npy"]},
}  # fmt: skip
LINE = {
    "name": "a", "state": "done", "source": {"bytes": 9, "sample": "0f"}, "fps": 24.0, "native_fps": 30.0,
    "num_frames": 160, "duration": 6.6, "size": [240, 320], "has_sound": True, "snippets": 10, "clip_start": 0.0,
    "clip_step": 0.6, "arrays": {"rgb": {"shape": [10, 16], "bytes": 768, "sha256": "0f"}}, "warnings": ["dark"],
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "store.json").write_text(json.dumps(HEAD))
    (tmp_path / "videos.json").write_text(json.dumps([VIDEO]))
    (tmp_path / "manifest.jsonl").write_text(json.dumps(LINE) + "\n")
    assert read_store(tmp_path).videos[0].name == "a"
    return tmp_path


def test_store_json(root: Path) -> None:
    def read() -> None:
        load_head(root)
        (root / "videos.json").write_text(json.dumps([{"name": "a", "split": "test", "label": 0}]))
        read_store(root)

    assert len(refusals(root / "store.json", HEAD, read)) > 120


def test_videos_json(root: Path) -> None:
    def read() -> None:
        read_store(root)
        load_videos(root)

    assert len(refusals(root / "videos.json", [VIDEO], read)) > 150


def test_manifest(root: Path) -> None:
    """A damaged line is reported, and its video extracted again."""
    lines = 0
    for wrong in spoiled(LINE):
        (root / "manifest.jsonl").write_text(json.dumps(wrong) + "\n")
        found, notes = read_manifest(root)
        assert all(isinstance(line, Line) for line in found.values())
        assert len(found) + len(notes) == 1
        assert all(note.startswith(f"{root}/manifest.jsonl: line 1: ") and "\n" not in note for note in notes)
        lines += len(notes)
        if found:
            summarise_line = json.dumps({**HEAD, "streams": {"rgb": {"dim": 16}}})
            (root / "store.json").write_text(summarise_line)
            summarise(root)
    assert lines > 150


def test_the_index_of_a_packed_stream(tmp_path: Path) -> None:
    write_tiny_store(tmp_path, train=2, test=0, dims={"rgb": 16})
    (result,) = pack(tmp_path)
    file = result.path.with_suffix(".json")
    refused = refusals(file, json.loads(file.read_text()), lambda: Packed(result.path, 16))
    assert len(refused) > 100 and all("pack the store again" in text for text in refused)


@pytest.mark.parametrize(
    ("file", "path", "value", "message"),
    [
        (
            "store.json",
            ("streams", "rgb", "dim"),
            2**20 + 1,
            "streams.rgb.dim must be a whole number of at most 1048576",
        ),
        ("store.json", ("streams", "rgb", "dim"), -3, "streams.rgb.dim must be a whole number of at least 1, got -3"),
        ("store.json", ("snippet_frames",), 10**7, "snippet_frames must be a whole number of at most 1000000"),
        ("store.json", ("segments",), 10**7, "segments must be a whole number of at most 1000000, got 10000000"),
        ("store.json", ("streams",), [], "streams must be a mapping, got []"),
        ("videos.json", (0, "num_frames"), 10**9 + 1, "num_frames must be a whole number of at most 1000000000"),
        ("videos.json", (0, "fps"), 1e7, "fps must be a number of less than 1000000, got 10000000.0"),
        ("videos.json", (0, "files"), {"rgb": []}, "files.rgb must be a list of at least 1 items, got []"),
    ],
)
def test_sizes_that_cannot_be_true(root: Path, file: str, path: Any, value: Any, message: str) -> None:
    plain = json.loads((root / file).read_text())
    (root / file).write_text(json.dumps(changed(plain, path, value)))
    with pytest.raises(VadkitError) as caught:
        read_store(root)
    assert message in str(caught.value)


def test_unknown_keys_are_kept_when_a_store_is_packed(tmp_path: Path) -> None:
    write_tiny_store(tmp_path, train=2, test=0, dims={"rgb": 16})
    head = json.loads((tmp_path / "store.json").read_text()) | {"mine": [1]}
    head["streams"]["rgb"]["note"] = "by hand"
    (tmp_path / "store.json").write_text(json.dumps(head))
    pack(tmp_path)
    after = json.loads((tmp_path / "store.json").read_text())
    assert after["mine"] == [1] and after["streams"]["rgb"].pop("packed").startswith("rgb-float32-")
    assert after == head
