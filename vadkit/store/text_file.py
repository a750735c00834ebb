"""Features as text: one line of numbers per row, as Sultani et al. published C3D features of UCF-Crime."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vadkit.problems import fail


def open_text(path: Path, dim: int | None = None, told_by: str = "the store") -> np.ndarray:
    """Return the numbers as float32 (1, rows, dim). Reading text takes about 100 times as long as mapping.

    Raises VadkitError, with the file's name, for a file that is missing, empty or not of numbers, whose
    lines differ in length, or that is not ``dim`` wide, where ``told_by`` says who wants that.
    """
    try:
        if path.stat().st_size == 0:
            fail(f"{path}: is empty (0 bytes)")
        rows = np.loadtxt(path, dtype=np.float32, ndmin=2, comments=None)
    except OSError as error:
        fail(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}")
    except ValueError as error:  # a word that is no number, lines of different length, bytes that are no text
        fail(f"{path}: is not a table of numbers ({str(error).splitlines()[0][:100]})")
    if rows.size == 0:
        fail(f"{path}: has no numbers in it")
    if dim is not None and rows.shape[1] != dim:
        fail(f"{path}: features are {rows.shape[1]} wide, but {told_by} says {dim}")
    return rows[None]


def text_shape(path: Path) -> tuple[int, int]:
    """Return (rows, width) from the count of lines and the first one, without reading the numbers.

    Raises VadkitError for a file that is missing or empty, or whose first line is not of numbers.
    """
    try:
        with path.open("rb") as file:
            first = file.readline()
            rows = 1 + sum(1 for line in file if not line.isspace())
    except OSError as error:
        fail(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}")
    if not first.strip():
        fail(f"{path}: is empty ({path.stat().st_size} bytes)")
    words = first.split()
    try:
        for word in words:
            float(word)
    except ValueError:
        begin = words[0][:40].decode(errors="replace")
        fail(f"{path}: is not a table of numbers (its first line begins with '{begin}')")
    return rows, len(words)
