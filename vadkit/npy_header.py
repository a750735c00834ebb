"""Read the header of a .npy file before anything else, and open the usual one at a third of the cost of ``numpy.load``.

Training opens a file for every crop of every batch, so the cost of opening counts: no parser, no lock. What is not
written the usual way (another version of the format, Fortran order, big endian) is read by numpy's parser. No memory
is taken for what a header promises before the file is known to hold it.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import re
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from vadkit.files import open_file

MAGIC = b"\x93NUMPY"
# The header that numpy writes for one to three axes of little-endian floats in C order.
USUAL = re.compile(
    rb"\x93NUMPY\x01\x00(?P<size>..)\{'descr': '(?P<kind><f[248])', 'fortran_order': False, "
    rb"'shape': \((?P<shape>\d{1,18}(?:, \d{1,18}){1,2})\), \} *\n",
    re.DOTALL,
)
LONGEST_USUAL = 512  # bytes of a header that may be the usual one
LONGEST = 10_000  # bytes of a header; that of an array takes 128
SMALL = 256 << 10  # bytes; a file up to that size is read, a larger one is mapped
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)  # a named pipe would wait for a writer
_ONE_BY_ONE = threading.Lock()


class Truncated(ValueError):
    """A file has fewer bytes than its header promises."""


@dataclass(frozen=True)
class Header:
    """What a header promises; the numbers begin ``offset`` bytes after the beginning."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool
    offset: int

    @property
    def end(self) -> int:
        """Bytes of the whole file."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize

    def array(self, memory: bytes | mmap.mmap) -> np.ndarray:
        """Return the array in the memory of the whole file."""
        return np.ndarray(self.shape, self.dtype, memory, self.offset, order="F" if self.fortran_order else "C")


def read_header(file: IO[bytes]) -> Header:
    """Read the header at the beginning of a file. Raises ValueError, its text the end of a sentence."""
    start = file.read(len(MAGIC) + 2)
    if len(start) < len(MAGIC) + 2:
        raise Truncated("it ends within its header")
    if not start.startswith(MAGIC) or start[6] not in (1, 2, 3):
        raise ValueError("it is of no known version")
    count = file.read(2 if start[6] == 1 else 4)
    size = int.from_bytes(count, "little")
    if size > LONGEST and len(count) == 4:  # those of version 1 cannot be long
        raise ValueError(f"it is {size} bytes long, the limit is {LONGEST}")
    text = file.read(size)
    if len(text) < size:
        raise Truncated("it ends within its header")
    shape, fortran_order, dtype = _parsed(start[6], count + text)
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"its shape is {shape}")
    return Header(shape, dtype, fortran_order, len(start) + len(count) + len(text))


def _parsed(version: int, text: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    # numpy reads the header with ``ast``, which in CPython 3.11 is not safe in several threads: sometimes
    # a thread gets "AST constructor recursion depth mismatch" for a sound file.
    with _ONE_BY_ONE:
        try:
            return _parse(version, text)
        except SystemError:  # another thread compiled something at that moment
            return _parse(version, text)


def _parse(version: int, text: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    parse = np.lib.format.read_array_header_1_0 if version == 1 else np.lib.format.read_array_header_2_0
    return parse(io.BytesIO(text), max_header_size=LONGEST)


def open_array(path: Path | str) -> np.ndarray:
    """Return the array in a .npy file, read-only, mapped into memory.

    Raises OSError, ``Truncated`` for a file that is shorter than its header says, and any other error for a header that
    is damaged: numpy raises a dozen kinds.
    """
    with open_file(path) as file:
        header = read_header(file)
        if header.dtype.hasobject:
            raise ValueError("it holds Python objects")
        size = os.fstat(file.fileno()).st_size
        if size < header.end:
            raise Truncated(f"{size} bytes are fewer than the {header.end} that its header promises")
        if header.end == header.offset:  # nothing to map
            return np.empty(header.shape, header.dtype)
        return header.array(mmap.mmap(file.fileno(), header.end, access=mmap.ACCESS_READ))


def open_usual(path: Path | str) -> np.ndarray | None:
    """Return the array in the file, read-only, mapped if it is large; None if ``open_array`` has to open it.

    Raises OSError if the file cannot be opened.
    """
    file = os.open(path, os.O_RDONLY | _AT_ONCE)
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            return None
        header = USUAL.match(os.read(file, LONGEST_USUAL))
        if header is None or int.from_bytes(header["size"], "little") + 10 != header.end():
            return None
        shape = tuple(map(int, header["shape"].split(b", ")))
        kind = np.dtype(header["kind"].decode())
        end = header.end() + math.prod(shape) * kind.itemsize
        if 0 in shape or about.st_size < end:
            return None
        memory: bytes | mmap.mmap = os.pread(file, end, 0) if end <= SMALL else b""
        if len(memory) < end:
            memory = mmap.mmap(file, 0, access=mmap.ACCESS_READ)
    except ValueError:  # an empty file, or one that shrank meanwhile
        return None
    finally:
        os.close(file)
    return np.ndarray(shape, kind, memory, header.end())
