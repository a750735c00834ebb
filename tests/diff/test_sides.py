"""What can be compared: stores, folders in published layouts, single files; and what belongs to what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_store import write_tiny_store

from vadkit.diff.compare import compare
from vadkit.diff.sides import open_side, pair_streams
from vadkit.problems import VadkitError


def save(path: Path, *shape: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.random.default_rng(len(path.name)).normal(size=shape).astype(np.float32))
    return path


def test_crops_in_files_of_their_own_are_stacked(tmp_path: Path) -> None:
    for crop in range(5):
        save(tmp_path / "RGB" / f"v=a.b#1__{crop}.npy", 7, 16)
        save(tmp_path / "Flow" / f"v=a.b#1__{crop}.npy", 6, 16)
    save(tmp_path / "vggish-features" / "v=a.b#1__vggish.npy", 6, 128)
    side = open_side(tmp_path)
    assert {name for videos in side.streams.values() for name in videos} == {"v=a.b#1"}
    shapes = {stream: videos["v=a.b#1"]().shape for stream, videos in side.streams.items()}
    assert shapes == {"rgb": (5, 7, 16), "flow": (5, 6, 16), "audio": (1, 6, 128)}


def test_names_are_read_by_those_of_the_store(tmp_path: Path) -> None:
    store = write_tiny_store(tmp_path / "store", crops={"rgb": 5})
    names = [path.stem for path in (store / "rgb").glob("*.npy")]
    for name in names:
        for crop, array in enumerate(np.load(store / "rgb" / f"{name}.npy")):
            (tmp_path / "rgb").mkdir(exist_ok=True)
            np.save(tmp_path / "rgb" / f"{name}.mp4__{crop}.npy", array)
    for a, b in ((store, tmp_path / "rgb"), (tmp_path / "rgb", store)):
        comparison, _, _ = compare(a, b, ["rgb:features" if a == store else "features:rgb"])
        assert comparison.is_equal and comparison.streams[0].videos == len(names)


def test_text_is_features_too(tmp_path: Path) -> None:
    array = np.load(save(tmp_path / "a.npy", 32, 8))
    np.savetxt(tmp_path / "b.txt", array, fmt="%.6f")
    comparison, _, _ = compare(tmp_path / "a.npy", tmp_path / "b.txt")
    assert [cause.name for cause in comparison.streams[0].causes] == ["rounded"]
    assert "6 decimals" in comparison.streams[0].causes[0].text


def test_one_file_is_compared_with_its_video_of_a_store(tmp_path: Path) -> None:
    store = write_tiny_store(tmp_path / "store")
    file = sorted((store / "flow").glob("*.npy"))[0]
    comparison, _, _ = compare(store, file)
    assert comparison.is_equal and comparison.streams[0].videos == 1


@pytest.mark.parametrize(
    ("a", "b", "error"),
    [
        ("rgb/x.npy", "flow/x.npy", "no stream is in both"),
        ("one/x.npy", "two/y.npy", "A and B have no video in common: A has 'x', B has 'y'"),
    ],
)
def test_what_does_not_belong_together(a: str, b: str, error: str, tmp_path: Path) -> None:
    save(tmp_path / "a" / a, 3, 4)
    save(tmp_path / "a" / a.replace("x", "z"), 3, 4)
    save(tmp_path / "b" / b, 3, 4)
    sides = open_side(tmp_path / "a"), open_side(tmp_path / "b")
    if "stream" in error:
        sides = open_side(save(tmp_path / "a" / "clip" / "x.npy", 3, 4).parent.parent), sides[1]
    with pytest.raises(VadkitError, match=error):
        pair_streams(*sides)


def test_crops_of_different_lengths_are_reported(tmp_path: Path) -> None:
    for crop in range(2):
        save(tmp_path / "b" / f"x__{crop}.npy", 3 + crop, 4)
    save(tmp_path / "a" / "x.npy", 2, 3, 4)
    comparison, _, _ = compare(tmp_path / "a", tmp_path / "b")
    assert not comparison.is_equal and "have different shapes" in comparison.streams[0].unreadable[0]


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"PK\x03\x04")
    save(tmp_path / "y.npy", 3, 4)
    comparison, _, _ = compare(tmp_path / "x.pt", tmp_path / "y.npy")
    assert "is neither .npy nor .txt" in comparison.streams[0].unreadable[0]
