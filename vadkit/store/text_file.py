"""Features as text: one line of numbers per row, as Sultani et al. published C3D features of UCF-Crime."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from vadkit.files import cannot_read, open_file
from vadkit.problems import fail

LONGEST_LINE = 1 << 20  # bytes; a row of 2**15 numbers takes less


def open_text(path: Path, dim: int | None = None, said_by: str = "the store") -> np.ndarray:
    """Return the numbers as float32 (1, rows, dim). Reading text takes about 100 times as long as mapping.

    Raises VadkitError, with the file's name, for a file that is missing, empty or not of numbers, whose
    lines differ in length, or that is not ``dim`` wide, where ``said_by`` says what asks for that.
    """
    try:
        with open_file(path) as file:
            if os.fstat(file.fileno()).st_size == 0:
                fail(f"{path}: is empty (0 bytes)")
            rows = np.loadtxt(file, dtype=np.float32, ndmin=2, comments=None)
    except OSError as error:
        cannot_read(path, error)
    except ValueError as error:  # what is no number, lines of different length, bytes that are no text
        fail(f"{path}: is not a table of numbers ({str(error).splitlines()[0][:100]})")
    if rows.size == 0:
        fail(f"{path}: holds no numbers")
    if dim is not None and rows.shape[1] != dim:
        fail(f"{path}: features are {rows.shape[1]} wide, but {said_by} says {dim}")
    return rows[None]


def text_shape(path: Path) -> tuple[int, int]:
    """Return (rows, width) from the count of lines and the first one, without reading the numbers.

    Raises VadkitError for a file that is missing or empty, or whose first line is not of numbers.
    """
    try:
        with open_file(path) as file:
            first = file.readline(LONGEST_LINE)
            rows = 1 + sum(1 for line in file if not line.isspace())
    except OSError as error:
        cannot_read(path, error)
    if not first.strip():
        fail(f"{path}: is empty ({path.stat().st_size} bytes)")
    numbers = first.split()
    try:
        for number in numbers:
            float(number)
    except ValueError:
        begin = numbers[0][:40].decode(errors="replace")
        fail(f"{path}: is not a table of numbers (its first line begins with '{begin}')")
    return rows, len(numbers)
