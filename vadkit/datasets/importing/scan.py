"""Every feature file below a folder."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn

from vadkit.files import cannot_read
from vadkit.problems import fail

SUFFIXES = (".npy", ".txt")


@dataclass(frozen=True)
class Found:
    """A file: where it is, and its place below the folder that was searched."""

    path: Path
    below: PurePosixPath

    @property
    def stem(self) -> str:
        return self.path.name[: -len(self.path.suffix)]


def find_files(root: Path) -> list[Found]:
    """Return the .npy and .txt files below ``root``, sorted; hidden ones do not count. Links are followed.

    Raises VadkitError for a folder that does not exist, cannot be read, or has no such file.
    """
    if not root.exists():
        fail(f"{root}: there is no such folder", hint="--root is the folder that holds the feature files")
    if not root.is_dir():
        fail(f"{root}: is not a folder", hint="--root is the folder that holds the feature files")
    found: list[Found] = []
    others: Counter[str] = Counter()
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(root, onerror=_unreadable, followlinks=True):
        about = os.stat(folder)
        if (about.st_dev, about.st_ino) in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            suffix = os.path.splitext(name)[1]
            if suffix in SUFFIXES and not name.startswith("."):
                path = Path(folder, name)
                found.append(Found(path, PurePosixPath(path.relative_to(root).as_posix())))
            else:
                others[suffix or name] += 1
    if not found:
        fail(f"{root}: there is no .npy or .txt file in or below it{_listed(others)}", hint=_next_step(others))
    return found


def _unreadable(error: OSError) -> NoReturn:
    cannot_read(error.filename, error)


def _listed(others: Counter[str]) -> str:
    return "; there are " + ", ".join(f"{n} {suffix}" for suffix, n in others.most_common(4)) if others else ""


def _next_step(others: Counter[str]) -> str | None:
    if any(suffix in others for suffix in (".zip", ".tar", ".gz", ".rar", ".7z")):
        return "unpack the archives first"
    if any(suffix in others for suffix in (".mp4", ".avi", ".mkv", ".mov")):
        return "these are videos: extract features from them with 'vadkit extract'"
    return None
