"""Rows of features that come batch by batch: a few in memory, many in a file without a name.

Such a file is gone with the process that made it, however that ends.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import IO

import numpy as np

from vadkit.problems import Problem, VadkitError

LIMIT = 32 << 20  # bytes of one stream that are kept in memory


class CannotWrite(VadkitError):
    """The disk is at fault, not the video."""


class Rows:
    """Collects float32 arrays (n, *row) of any n.

    Args:
        row: shape of a row.
        folder: where to put what is too much for memory; None keeps all in memory.
        limit: how many bytes are too much.

    Raises CannotWrite if the folder cannot be written.
    """

    def __init__(self, row: tuple[int, ...], folder: Path | None = None, limit: int = LIMIT) -> None:
        self.row, self.folder, self.limit = row, folder, limit
        self.count = 0
        self._parts: list[np.ndarray] = []
        self._file: IO[bytes] | None = None

    def add(self, part: np.ndarray) -> None:
        self._parts.append(part)
        self.count += len(part)
        if self.folder is not None and sum(p.nbytes for p in self._parts) > self.limit:
            self._put_away()

    def array(self) -> np.ndarray:
        """Return all rows (count, *row), memory-mapped if they are many."""
        if self._file is None:
            return np.concatenate(self._parts) if self._parts else np.zeros((0, *self.row), np.float32)
        self._put_away()
        return np.memmap(self._file, np.float32, "r", shape=(self.count, *self.row)).view(np.ndarray)

    def _put_away(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 - open until the rows are read
            for part in self._parts:
                self._file.write(np.ascontiguousarray(part, np.float32).data)
            self._file.flush()
        except OSError as error:
            size = self.count * math.prod(self.row) * 4 >> 20
            said = f"cannot write {size} MiB of features to {self.folder}: {error.strerror or error}"
            raise CannotWrite([Problem(said, hint="what is finished is kept; make room and start again")]) from None
        self._parts.clear()
