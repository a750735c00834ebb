"""One feature file: every fault has its sentence, and nothing is ever unpickled."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from vadkit.problems import VadkitError
from vadkit.store.array_file import check_finite, open_features


def refusal(path: Path, dim: int | None = None) -> str:
    with pytest.raises(VadkitError) as caught:
        open_features(path, dim)
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "video.npy"


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_of_any_size_and_byte_order(path: Path, kind: str) -> None:
    values = np.arange(12).reshape(3, 4).astype(kind)
    np.save(path, values)
    np.testing.assert_array_equal(open_features(path)[0], values)


def test_column_order(path: Path) -> None:
    values = np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4))
    np.save(path, values)
    np.testing.assert_array_equal(open_features(path)[0], values)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 4), np.int64), "holds int64; features are float32"),
        (np.zeros((3, 4), np.complex64), "holds complex64"),
        (np.zeros((3, 4), bool), "holds bool"),
        (np.array([["a", "b"]]), "holds <U1"),
        (np.zeros(3, [("a", "f4")]), "holds [('a', '<f4')]"),
        (np.zeros(5, np.float32), "has shape (5,)"),
        (np.float32(1), "has shape ()"),
        (np.zeros((1, 2, 3, 4), np.float32), "has shape (1, 2, 3, 4)"),
        (np.zeros((0, 4), np.float32), "has shape (0, 4), so it holds no snippets"),
        (np.zeros((5, 0, 4), np.float32), "has shape (5, 0, 4), so it holds no snippets"),
        (np.zeros((0, 3, 4), np.float32), "has shape (0, 3, 4), so it holds no numbers"),
        (np.zeros((3, 0), np.float32), "has shape (3, 0), so it holds no numbers"),
        (np.zeros((3, 5), np.float32), "features are 5 wide, but the store says 4"),
    ],
)
def test_arrays_that_are_no_features(path: Path, array: np.ndarray, message: str) -> None:
    np.save(path, array)
    assert f"{path}: {message}" in refusal(path, 4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty (0 bytes)"),
        (b"hello, I am text", "is not a .npy file"),
        (b"PK\x03\x04rest", "is not a .npy file but a zip archive"),
        (b"\x80\x04\x95rest", "is not a .npy file but a Python pickle"),
        (b"<!DOCTYPE html>", "is not a .npy file but a web page or XML"),
        (b"version https://git-lfs.github.com/spec/v1", "is not a .npy file but a Git LFS pointer"),
        (b"\x93NUMPY", "truncated"),
        (b"\x93NUMPY\x01\x00\xff\xff", "truncated"),
        (b"\x93NUMPY\x09\x00\x00\x00", "has a damaged header"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': 1 oops", "has a damaged header"),
    ],
)
def test_files_that_are_no_arrays(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    assert message in refusal(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "cannot be read: no such file or directory" in refusal(tmp_path / "no.npy")
    assert "cannot be read: is a directory" in refusal(tmp_path)


@pytest.mark.parametrize("lost", [1, 16, 100, 190])
def test_truncated(path: Path, lost: int) -> None:
    np.save(path, np.zeros((12, 4), np.float32))
    path.write_bytes(path.read_bytes()[:-lost])
    assert f"{path}: is truncated: {path.stat().st_size} bytes are fewer than its header promises" in refusal(path)


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a pickle was loaded",)


def test_pickles_are_never_loaded(path: Path) -> None:
    np.save(path, np.array([_Bomb()], dtype=object), allow_pickle=True)
    assert f"{path}: holds pickled Python objects, which are never loaded" in refusal(path)
    path.write_bytes(pickle.dumps(_Bomb()))
    assert "a Python pickle" in refusal(path)


def test_damaged_headers_never_raise_anything_else(path: Path) -> None:
    np.save(path, np.ones((6, 4), np.float32))
    good, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        bad = bytearray(good)
        for at in rng.integers(6, 128, rng.integers(1, 4)):
            bad[at] = rng.integers(256)
        path.write_bytes(bytes(bad))
        try:
            assert open_features(path).ndim == 3
        except VadkitError as error:
            assert str(error).startswith(str(path))
            refused += 1
    assert refused > 200


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_numbers_that_are_not_finite(value: float, kind: str, dtype: type) -> None:
    features = np.ones((2, 6, 3), dtype)
    check_finite(features, "here")
    features[1, 4, 2] = value
    with pytest.raises(VadkitError, match=f"here: {kind} in snippet row 4\n"):
        check_finite(features, "here")
    features[0, 2, 0] = value
    with pytest.raises(VadkitError, match=f"here: {kind} in snippet row 2 and 1 more rows"):
        check_finite(features, "here")


def test_numbers_whose_sum_overflows_are_finite() -> None:
    check_finite(np.full((2, 3, 4), 3e38, np.float32), "here")
    check_finite(np.full((2, 30, 4), 6e4, np.float16), "here")
