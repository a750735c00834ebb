"""Open one feature file safely: memory-mapped if it is large, never a pickle, every fault named.

Legend: t snippets, dim the width of the stream.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import numpy as np

from vadkit.files import cannot_read, unreadable
from vadkit.problems import fail
from vadkit.store.npy_header import open_usual

MAGIC = b"\x93NUMPY"
# What other files begin with, to say what was found instead.
BEGINNINGS = {
    b"PK\x03\x04": "a zip archive (.npz, .pt or a download that was not unpacked)",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"\x89HDF": "an HDF5 file",
    b"<": "a web page or XML",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
}
_HEADERS = threading.Lock()
AGAIN = "extract the video again, or remove it from the list"


def open_features(path: Path, dim: int | None = None, said_by: str = "the store") -> np.ndarray:
    """Return the features in ``path`` as (crops, t, dim), read-only; a large file is memory-mapped.

    The file holds (t, dim) or (crops, t, dim) floats. Raises VadkitError, with the file's name, for
    a file that is missing, empty, truncated, a pickle, no .npy at all, not of floats, of another
    rank, without a snippet, or not ``dim`` wide, where ``said_by`` says what asks for that.
    """
    features = _map(path)
    if features.dtype.kind != "f" or features.dtype.itemsize not in (2, 4, 8):
        fail(
            f"{path}: holds {features.dtype}; features are float32 (or float16, float64)",
            hint="convert it: numpy.save(path, array.astype('float32'))",
        )
    if features.ndim not in (2, 3):
        fail(f"{path}: has shape {features.shape}; features are (snippets, width) or (crops, snippets, width)")
    if 0 in features.shape:
        what = "snippets" if features.shape[-2] == 0 else "numbers"
        fail(f"{path}: has shape {features.shape}, so it holds no {what}", hint=AGAIN)
    if dim is not None and features.shape[-1] != dim:
        fail(
            f"{path}: features are {features.shape[-1]} wide, but {said_by} says {dim}",
            hint="was it extracted with another backbone, or stored as (width, snippets)?",
        )
    return features if features.ndim == 3 else features[None]


def _map(path: Path) -> np.ndarray:
    """Map the file into memory, or say why that cannot be done."""
    with contextlib.suppress(OSError):  # reported below
        usual = open_usual(path)
        if usual is not None:
            return usual
    _check_beginning(path)
    try:
        loaded = _load(path)
    except Exception as error:  # numpy raises a dozen kinds for a damaged header, even TokenError
        fail(f"{path}: {_reason(path, error)}", hint=AGAIN)
    # A plain array over the same memory: the subclass makes every later slice slow.
    return loaded.view(np.ndarray)  # type: ignore[no-any-return]


def _load(path: Path) -> Any:
    # numpy reads the header with ``ast``, which in CPython 3.11 is not safe in several threads: sometimes
    # a thread gets "AST constructor recursion depth mismatch" for a sound file.
    with _HEADERS:
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except SystemError:  # another thread compiled something at that moment
            return np.load(path, mmap_mode="r", allow_pickle=False)


def _check_beginning(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(32)
    except OSError as error:
        cannot_read(path, error)
    if not start:
        fail(f"{path}: is empty (0 bytes)", hint=AGAIN)
    if not start.startswith(MAGIC):
        found = next((what for begin, what in BEGINNINGS.items() if start.startswith(begin)), None)
        fail(f"{path}: is not a .npy file" + (f" but {found}" if found else ""), hint=AGAIN)


def _reason(path: Path, error: Exception) -> str:
    text = str(error)
    if "Python objects" in text or "allow_pickle" in text:
        return "holds pickled Python objects, which are never loaded"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {unreadable(error)}"
    if "mmap length" in text or text.startswith("EOF: ") or "file size" in text:
        return f"is truncated: {path.stat().st_size} bytes are fewer than its header promises"
    return f"has a damaged header ({text.splitlines()[0][:80] if text else type(error).__name__})"


def check_finite(features: np.ndarray, what: str, hint: str | None = None) -> None:
    """Raise VadkitError if ``features`` (..., t, dim) hold NaN or infinity; ``what`` names them."""
    # One pass without a temporary array: a sum is finite unless an entry is not (or it overflows).
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(features.sum(dtype=np.float64 if features.dtype == np.float16 else None)):
            return
    bad = ~np.isfinite(features).all(axis=-1)
    if not bad.any():
        return
    first = int(np.flatnonzero(bad.reshape(-1, bad.shape[-1]).any(axis=0))[0])
    rows = int(bad.reshape(-1, bad.shape[-1]).any(axis=0).sum())
    row = features[..., first, :]
    kind = "NaN" if np.isnan(row).any() else "infinity"
    more = f" and {rows - 1} more rows" if rows > 1 else ""
    fail(f"{what}: {kind} in snippet row {first}{more}", hint=hint or AGAIN)


def as_float32(x: np.ndarray) -> np.ndarray:
    """Return ``x`` as float32, without a copy if it is that already."""
    if x.dtype == np.float16:
        from torch.utils.dlpack import from_dlpack

        try:
            return from_dlpack(x).float().numpy()  # twenty times as fast as numpy
        except (BufferError, RuntimeError, TypeError):  # older versions do not take read-only arrays
            pass
    return x.astype(np.float32, copy=False)
