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
