"""Open one feature file safely: memory-mapped if it is large, never a pickle, every fault named.

Legend: t snippets, dim the width of the stream.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from vadkit.files import cannot_read, in_bytes, open_file
from vadkit.npy_header import MAGIC, Truncated, open_array, open_usual
from vadkit.problems import fail

LARGEST = 32 << 30  # bytes of the features of one video; the largest published ones have 1.1 GB
FLOAT32 = float(np.finfo(np.float32).max)
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
AGAIN = "extract the video again, or remove it from the list"


def open_features(path: Path, dim: int | None = None, said_by: str = "the store", largest: int = LARGEST) -> np.ndarray:
    """Return the features in ``path`` as (crops, t, dim), read-only; a large file is memory-mapped.

    The file holds (t, dim) or (crops, t, dim) floats. Raises VadkitError, with the file's name, for
    a file that is missing, empty, truncated, a pickle, no .npy at all, not of floats, of another
    rank, without a snippet, of more than ``largest`` bytes, or not ``dim`` wide, where ``said_by`` says what asks
    for that.
    """
    features = open_any(path)
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
    if features.nbytes > largest:
        fail(
            f"{path}: has shape {features.shape}, which is {in_bytes(features.nbytes)}; the features of one video "
            f"have at most {in_bytes(largest)}",
            hint="is it of many videos, or was its download begun and not finished?",
        )
    if dim is not None and features.shape[-1] != dim:
        fail(
            f"{path}: features are {features.shape[-1]} wide, but {said_by} says {dim}",
            hint="was it extracted with another backbone, or stored as (width, snippets)?",
        )
    return features if features.ndim == 3 else features[None]


def open_any(path: Path) -> np.ndarray:
    """Return the array in a .npy file, read-only. Raises VadkitError, with its name, for a file that has none."""
    with contextlib.suppress(OSError):  # reported below
        usual = open_usual(path)
        if usual is not None:
            return usual
    _check_beginning(path)
    try:
        return open_array(path)
    except Truncated as error:
        fail(f"{path}: is truncated: {error}", hint=AGAIN)
    except OSError as error:
        cannot_read(path, error, AGAIN)
    except Exception as error:  # numpy raises a dozen kinds for a damaged header, even TokenError
        fail(f"{path}: {_reason(error)}", hint=AGAIN)


def _check_beginning(path: Path) -> None:
    try:
        with open_file(path) as file:
            start = file.read(32)
    except OSError as error:
        cannot_read(path, error)
    if not start:
        fail(f"{path}: is empty (0 bytes)", hint=AGAIN)
    if not start.startswith(MAGIC):
        found = next((what for begin, what in BEGINNINGS.items() if start.startswith(begin)), None)
        fail(f"{path}: is not a .npy file" + (f" but {found}" if found else ""), hint=AGAIN)


def _reason(error: Exception) -> str:
    text = str(error)
    if "Python objects" in text:
        return "holds pickled Python objects, which are never loaded"
    return f"has a damaged header ({text.splitlines()[0][:80] if text else type(error).__name__})"


def check_finite(features: np.ndarray, what: str, hint: str | None = None) -> None:
    """Raise VadkitError if ``features`` (..., t, dim) hold NaN or infinity; ``what`` names them."""
    # One pass without a temporary array: a sum is finite unless an entry is not (or it overflows).
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(features.sum(dtype=np.float64 if features.dtype == np.float16 else None))
    if finite and features.dtype != np.float64:
        return
    _check_range(features, what, hint)
    bad = ~np.isfinite(features).all(axis=-1)
    if not bad.any():
        return
    first = int(np.flatnonzero(bad.reshape(-1, bad.shape[-1]).any(axis=0))[0])
    rows = int(bad.reshape(-1, bad.shape[-1]).any(axis=0).sum())
    row = features[..., first, :]
    kind = "NaN" if np.isnan(row).any() else "infinity"
    more = f" and {rows - 1} more rows" if rows > 1 else ""
    fail(f"{what}: {kind} in snippet row {first}{more}", hint=hint or AGAIN)


def _check_range(features: np.ndarray, what: str, hint: str | None) -> None:
    """Raise VadkitError for numbers that would become infinite as float32, in which everything is computed."""
    if features.dtype != np.float64:
        return
    size = np.abs(features, where=np.isfinite(features), out=np.zeros_like(features))
    if size.max() > FLOAT32:
        row = int(np.flatnonzero((size > FLOAT32).reshape(-1, *size.shape[-2:]).any(axis=(0, -1)))[0])
        text = f"{what}: {size.max():g} in snippet row {row} is beyond the largest float32, {FLOAT32:.3g}"
        fail(text, hint=hint or "features are computed with as float32: scale them, or extract them again")


def as_float32(x: np.ndarray) -> np.ndarray:
    """Return ``x`` as float32, without a copy if it is that already."""
    if x.dtype == np.float16:
        from torch.utils.dlpack import from_dlpack

        try:
            return from_dlpack(x).float().numpy()  # twenty times as fast as numpy
        except (BufferError, RuntimeError, TypeError):  # older versions do not take read-only arrays
            pass
    return x.astype(np.float32, copy=False)
