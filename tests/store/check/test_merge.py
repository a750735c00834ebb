"""Two parts joined are the whole, byte for byte; what does not belong together is not joined."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vadkit.cli import main
from vadkit.problems import VadkitError
from vadkit.store.check.verify import verify
from vadkit.store.merge import merge

Extract = Callable[..., Path]


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != ".lock"}


@pytest.mark.parametrize("link", [False, True])
def test_parts_joined_are_the_whole(extract: Extract, whole: Path, tmp_path: Path, link: bool) -> None:
    # Beside the whole, so that paths to the videos are the same.
    folder = whole.parent / tmp_path.name
    parts = [extract(folder / "a", "fair"), extract(folder / "b", "market", "street")]
    merged = merge(parts, folder / "out", link)
    assert (merged.videos, merged.arrays, merged.notes) == (3, 6, [])
    ours, theirs = files(folder / "out"), files(whole)
    videos = [json.loads(found.pop("videos.json")) for found in (ours, theirs)]
    assert ours == theirs
    assert [{**v, "file": ""} for v in videos[0]] == [{**v, "file": ""} for v in videos[1]]
    assert verify(folder / "out", videos=True).is_sound
    shutil.rmtree(folder)


def test_a_video_in_both_counts_once(extract: Extract, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [extract(tmp_path / "a", "fair", "market"), extract(tmp_path / "b", "market", "street")]
    assert main(["store", "merge", *map(str, parts), "--out", str(tmp_path / "out")]) == 0
    assert "3 videos, 6 arrays of 2 stores" in capsys.readouterr().out
    assert verify(tmp_path / "out").is_sound


def test_a_video_that_only_one_part_could_use(extract: Extract, tmp_path: Path) -> None:
    parts = [extract(tmp_path / "a", "fair"), extract(tmp_path / "b", "street")]
    line = {"name": "street", "state": "broken", "source": None, "cause": "its process was killed"}
    with (parts[0] / "manifest.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    assert merge(parts, tmp_path / "out").videos == 2
    assert verify(tmp_path / "out").is_sound and not verify(tmp_path / "out").notes


def test_what_is_not_joined(extract: Extract, whole: Path, store: Path, tmp_path: Path) -> None:
    other = extract(tmp_path / "other", "fair", fps=25.0)
    with pytest.raises(VadkitError, match="stream 'rgb', fps: None in .*, 25.0 in"):
        merge([whole, other], tmp_path / "out")
    with pytest.raises(VadkitError, match="already exists"):
        merge([whole, other], store)
    lines = (store / "manifest.jsonl").read_text()
    (store / "manifest.jsonl").write_text(lines.replace('"clip_start": 0.0', '"clip_start": 0.5', 1))
    with pytest.raises(VadkitError, match="video 'fair' is in .* and not the same"):
        merge([whole, store], tmp_path / "out")
    (store / "manifest.jsonl").write_text(lines[:-9])
    with pytest.raises(VadkitError, match="is not finished, or was changed"):
        merge([whole, store], tmp_path / "out")
    (store / "manifest.jsonl").unlink()
    with pytest.raises(VadkitError, match="only stores that 'vadkit extract' wrote"):
        merge([whole, store], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_changed_array_is_not_passed_on(store: Path, extract: Extract, tmp_path: Path) -> None:
    path = store / "rgb" / "fair.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    for link in (False, True):
        with pytest.raises(VadkitError, match="was changed since it was extracted"):
            merge([store, extract(tmp_path / "b", "street")], tmp_path / f"out{link}", link)
        assert not (tmp_path / f"out{link}" / "store.json").exists()


def test_one_store_is_not_enough(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "merge", str(whole), "--out", str(tmp_path / "out")]) == 2
    assert "one store alone" in capsys.readouterr().err
