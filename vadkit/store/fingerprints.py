"""Whether files are still those that something was made from: by size and time, or by content if the time differs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Fingerprint:
    """A file as it was. ``changed_at`` is its time in nanoseconds, ``sha256`` that of its content."""

    size: int
    changed_at: int
    sha256: str

    def as_json(self) -> list[int | str]:
        return [self.size, self.changed_at, self.sha256]


def fingerprint(path: Path) -> Fingerprint:
    """Return what a file is now. Raises OSError."""
    about = path.stat()
    return Fingerprint(about.st_size, about.st_mtime_ns, sha256(path))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def from_json(data: Any) -> tuple[Fingerprint, ...] | None:
    """Return the fingerprints that ``as_json`` wrote, or None if it is something else."""
    if not isinstance(data, list):
        return None
    found = []
    for entry in data:
        match entry:
            case [int(size), int(changed_at), str(digest)]:
                found.append(Fingerprint(size, changed_at, digest))
            case _:
                return None
    return tuple(found)


class Comparison:
    """Compares files with what they were. ``read`` counts those whose content had to be read for it.

    A file that is not there is not compared: a packed store may be used without what it was made from.
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
