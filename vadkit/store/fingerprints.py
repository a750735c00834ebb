"""Whether files are still those that something was packed from: by size and time, or by content if the time differs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from vadkit.files import sha256


class Fingerprint(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was. ``changed_at`` is its time in nanoseconds, ``sha256`` that of its content."""

    size: int
    changed_at: int
    sha256: str


def fingerprint(path: Path) -> Fingerprint:
    """Return what a file is now. Raises OSError."""
    about = path.stat()
    return Fingerprint(about.st_size, about.st_mtime_ns, sha256(path))


class Comparison:
    """Compares files with what they were. ``read`` counts those whose content had to be read for it.

    A missing file is not compared: a packed store may be used without the files it was packed from.
    """

    def __init__(self) -> None:
        self.read = 0

    def first_changed(self, paths: Sequence[Path], were: Sequence[Fingerprint]) -> Path | None:
        """Return the first file that is not what it was; None if all are."""
        return next((path for path, was in zip(paths, were) if self._is_changed(path, was)), None)

    def _is_changed(self, path: Path, was: Fingerprint) -> bool:
        try:
            about = path.stat()
            if about.st_size != was.size:
                return True
            if about.st_mtime_ns == was.changed_at:
                return False
            self.read += 1
            return sha256(path) != was.sha256
        except OSError:
            return False
