"""Rows of features that come batch by batch: a few in memory, many in a file without a name.

Such a file disappears with its process, however that ends.
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


class RowBuffer:
    """Collects float32 arrays (n, *row) of any n.

    Args:
        row: shape of a row.
        folder: where to put what does not fit in memory; None keeps all in memory.
        limit: bytes that are kept in memory.

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
            self._spill()

    def array(self) -> np.ndarray:
        """Return all rows (count, *row), memory-mapped if they are many."""
        if self._file is None:
            return np.concatenate(self._parts) if self._parts else np.zeros((0, *self.row), np.float32)
        self._spill()
        return np.memmap(self._file, np.float32, "r", shape=(self.count, *self.row)).view(np.ndarray)

    def _spill(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 - open until the rows are read
            for part in self._parts:
                self._file.write(np.ascontiguousarray(part, np.float32).data)
            self._file.flush()
        except OSError as error:
            size = self.count * math.prod(self.row) * 4 >> 20
            text = f"cannot write {size} MiB of features to {self.folder}: {error.strerror or error}"
            raise CannotWrite(
                [Problem(text, hint="finished videos are kept; free some space and rerun the command")]
            ) from None
        self._parts.clear()
