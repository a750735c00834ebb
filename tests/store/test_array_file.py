"""One feature file: every fault has its sentence, and nothing is ever unpickled."""

from __future__ import annotations

import json
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from manifested import write_manifested

from vadkit.cli import main
from vadkit.problems import VadkitError
from vadkit.store.array_file import check_finite, open_any, open_features
from vadkit.store.pack import pack
from vadkit.store.text_file import open_text, text_shape


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
    message = f"{path}: is truncated: {path.stat().st_size} bytes are fewer than the 320 that its header promises"
    assert message in refusal(path)


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a pickle was loaded",)


def test_pickles_are_never_loaded(path: Path) -> None:
    np.save(path, np.array([_Bomb()], dtype=object), allow_pickle=True)
    assert f"{path}: holds pickled Python objects, which are never loaded" in refusal(path)
    path.write_bytes(pickle.dumps(_Bomb()))
    assert "a Python pickle" in refusal(path)


@pytest.mark.guards("5.8")
def test_damaged_headers_never_raise_anything_else(path: Path, cases: Callable[[int], int]) -> None:
    """5,000 if thorough."""
    np.save(path, np.ones((6, 4), np.float32))
    good, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(cases(500)):
        bad = bytearray(good)
        for at in rng.integers(6, 128, rng.integers(1, 4)):
            bad[at] = rng.integers(256)
        path.write_bytes(bytes(bad))
        try:
            assert open_features(path).ndim == 3
        except VadkitError as error:
            assert str(error).startswith(str(path))
            refused += 1
    assert refused > cases(500) // 2


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


# -- sizes, before memory and time are spent -------------------------------------------------------
def with_header(path: Path, text: str, version: int = 1, content: bytes = b"\0" * 1000) -> None:
    size = len(text).to_bytes(2 if version == 1 else 4, "little")
    path.write_bytes(b"\x93NUMPY" + bytes([version, 0]) + size + text.encode() + content)


def header(shape: object, kind: str = "<f4") -> str:
    return f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n"


@pytest.mark.guards("5.3")
@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        ((10**7, 1024), "<f4", "bytes are fewer than the 409600000"),
        ((10**7, 1024), ">f8", "bytes are fewer than the 819200000"),
        ((10**17, 1024), "<f4", "bytes are fewer than"),
        ((10**40, 10**40), "<f4", "bytes are fewer than"),
        ((-1, 1024), "<f4", "has a damaged header (its shape is (-1, 1024))"),
        ((True, 1024), "<f4", "has a damaged header"),
        ((3, "4"), "<f4", "has a damaged header"),
        ((0, 10**40), "<f4", "has "),
        ((3, 4), "|O", "holds pickled Python objects"),
        ((3, 4), "<f40000000000", "has a damaged header"),
        ((10, 10), "|V1000000000", "bytes are fewer than"),
    ],
)
def test_headers_that_promise_too_much(path: Path, shape: object, kind: str, message: str, version: int) -> None:
    with_header(path, header(shape, kind), version)
    assert message in refusal(path)


@pytest.mark.guards("5.3")
@pytest.mark.parametrize("size", [10_001, 2**31, 2**32 - 1])
def test_a_header_of_gigabytes_is_not_read(path: Path, size: int) -> None:
    path.write_bytes(b"\x93NUMPY\x02\x00" + size.to_bytes(4, "little") + b" " * 100)
    os.truncate(path, 2**32)
    assert f"has a damaged header (it is {size} bytes long, the limit is 10000)" in refusal(path)


@pytest.mark.guards("5.3")
@pytest.mark.parametrize("shape", [(25 * 10**6, 1024), (10, 13 * 10**5, 2048)])
def test_an_array_too_large_for_a_video(path: Path, shape: tuple[int, ...]) -> None:
    """A sparse file, such as a download that was only begun, takes no space but hours to read."""
    with_header(path, header(shape), content=b"")
    os.truncate(path, 110 * 10**9)
    assert "the features of one video have at most 34.4 GB" in refusal(path)


@pytest.mark.guards("5.3")
@pytest.mark.parametrize("verb", ["check", "diff", "pack", "merge", "info", "import", "train"])
def test_every_verb_refuses_it_at_once(tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    store, other = write_manifested(tmp_path / "s"), write_manifested(tmp_path / "o", seed=verb != "merge")
    array = sorted((store / "rgb").glob("*.npy"))[0]
    with_header(array, header((17 * 10**8, 16)), content=b"")
    os.truncate(array, 110 * 10**9)
    if verb in ("check", "import"):
        (store / "manifest.jsonl").unlink()
    graph = {
        "inputs": {"rgb": "b t 16"}, "nodes": {"score": {"use": "causal_conv", "in": "rgb"}}, "output": "score",
        "losses": {"mil": {"use": "topk_mil", "in": "score"}}, "train": {"steps": 1, "epochs": None},
        "data": {"sampler": {"args": {"length": 16}}, "batch": 2, "args": {"root": str(store)}},
    }  # fmt: skip
    (tmp_path / "g.yaml").write_text(json.dumps(graph))
    command = {
        "check": ["store", "check", str(store)],
        "diff": ["store", "diff", str(store), str(other)],
        "pack": ["store", "pack", str(store)],
        "merge": ["store", "merge", str(store), str(other), "--out", str(tmp_path / "out")],
        "info": ["store", "info", str(store)],
        "import": ["store", "import", "own", "--root", str(store / "rgb"), "--table", str(tmp_path / "t.csv"),
                   "--out", str(tmp_path / "index")],
        "train": ["train", str(tmp_path / "g.yaml"), "--out", str(tmp_path / "run")],
    }  # fmt: skip
    (tmp_path / "t.csv").write_text("video,label\n" + "".join(f"{p.stem},1\n" for p in (store / "rgb").glob("*.npy")))
    begun = time.monotonic()
    code = main(command[verb])
    said = capsys.readouterr()
    assert code == (0 if verb in ("info", "import") else 1 if verb in ("check", "diff") else code or 2)
    text = said.out + said.err
    assert "at most 34.4 GB" in text or verb in ("info", "merge"), text
    assert verb != "merge" or "it has another length" in text
    assert time.monotonic() - begun < 20


# -- what is no file -------------------------------------------------------------------------------
@pytest.mark.guards("D21")
@pytest.mark.parametrize("suffix", [".npy", ".txt"])
def test_a_pipe_in_place_of_an_array(tmp_path: Path, suffix: str) -> None:
    pipe = tmp_path / f"x{suffix}"
    os.mkfifo(pipe)
    for read in [open_features, open_any] if suffix == ".npy" else [open_text, text_shape]:
        with pytest.raises(VadkitError, match=f"{pipe}: cannot be read: it is a named pipe, not a file"):
            read(pipe)


@pytest.mark.guards("D21")
@pytest.mark.parametrize("place", ["rgb", "store.json", "videos.json", "manifest.jsonl", "pack", "index"])
def test_no_verb_waits_for_a_pipe(tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    store, other = write_manifested(tmp_path / "s"), write_manifested(tmp_path / "o", seed=1)
    if place in ("pack", "index"):
        target = pack(store)[0].path.with_suffix(".npy" if place == "pack" else ".json")
    else:
        target = sorted((store / "rgb").glob("*.npy"))[0] if place == "rgb" else store / place
    target.unlink()
    os.mkfifo(target)
    out = ["--out", str(tmp_path / "out")]
    for command in (["info"], ["check"], ["diff", str(other)], ["pack"], ["merge", str(other), *out]):
        code = main(["store", command[0], str(store), *command[1:]])
        said = capsys.readouterr()
        assert code in (0, 1, 2) and "Traceback" not in said.err
        if command == ["check"]:
            assert code == 1 or "named pipe" in said.err


# -- numbers beyond float32 ------------------------------------------------------------------------
@pytest.mark.guards("D23")
@pytest.mark.parametrize("value", [1e300, -1e39, 3.5e38])
def test_float64_beyond_float32(value: float) -> None:
    features = np.zeros((2, 6, 3))
    features[1, 4, 2] = value
    with pytest.raises(VadkitError, match=r"here: .* in snippet row 4 is beyond the largest float32, 3.4e\+38\n"):
        check_finite(features, "here")
    check_finite(np.full((2, 6, 3), 3e38), "here")
