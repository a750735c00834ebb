"""Features as text: one line of numbers per row, as Sultani et al. published C3D features of UCF-Crime."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from vadkit.files import cannot_read, open_file
from vadkit.problems import fail, plural

LONGEST_LINE = 1 << 20  # bytes; a row of 2**15 numbers takes less


def open_text(path: Path, dim: int | None = None, said_by: str = "the store") -> np.ndarray:
    """Return the numbers as float32 (1, rows, dim). Reading text takes about 100 times as long as mapping.

    Raises VadkitError, with file and line, for a file that is missing, empty or not of numbers, whose lines
    differ in length, or that is not ``dim`` wide, where ``said_by`` says what asks for that.
    """
    try:
        with open_file(path) as file:
            if os.fstat(file.fileno()).st_size == 0:
                fail(f"{path}: is empty (0 bytes)")
            if all(line.isspace() for line in file):
                fail(f"{path}: holds no numbers")
            file.seek(0)
            rows = np.loadtxt(file, dtype=np.float32, ndmin=2, comments=None)
    except OSError as error:
        cannot_read(path, error)
    except ValueError as error:  # what is no number, lines of different length, bytes that are no text
        checked_shape(path)  # which says where
        fail(f"{path}: is not a table of numbers ({str(error).splitlines()[0][:100]})")
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
    _check_numbers(path, 1, first, numbers)
    return rows, len(numbers)


def checked_shape(path: Path) -> tuple[int, int]:
    """Return (rows, width) after every number was read, which takes about 20 ms for 32 rows of 4096.

    Raises VadkitError, with file, line and column, as ``open_text`` does.
    """
    rows, width, first = 0, 0, 0
    try:
        with open_file(path) as file:
            for line, text in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
                if not text.isspace():
                    numbers = text.split()
                    rows, width, first = rows + 1, width or len(numbers), first or line
                    _check_numbers(path, line, text, numbers)
                    if len(numbers) != width:
                        fail(f"{path}:{line}: has {plural(len(numbers), 'number')}, but line {first} has {width}")
    except OSError as error:
        cannot_read(path, error)
    if not rows:
        fail(f"{path}: is empty ({path.stat().st_size} bytes)")
    return rows, width


def _check_numbers(path: Path, line: int, text: bytes, numbers: Sequence[bytes]) -> None:
    try:
        for number in numbers:
            float(number)
    except ValueError:
        _no_number(path, line, text)


def _no_number(path: Path, line: int, text: bytes) -> NoReturn:
    """Raise VadkitError for the first part of a line that is no number."""
    for part in re.finditer(rb"\S+", text):
        try:
            float(part[0])
        except ValueError:
            begin = part[0][:40].decode(errors="replace")
            fail(f"{path}:{line}:{part.start() + 1}: '{begin}' is no number")
    raise AssertionError("a part of the line was no number")
