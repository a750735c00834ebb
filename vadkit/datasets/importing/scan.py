"""Every feature file below a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NoReturn

from vadkit.files import cannot_read
from vadkit.problems import fail, some
from vadkit.video import VIDEO_SUFFIXES

SUFFIXES = (".npy", ".txt")
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".rar", ".7z"}
EACH = "save the features of each video as NAME.npy, float (snippets, width) or (crops, snippets, width)"
# What to do about features in other formats.
TO_NPY = {
    ".npz": f"{EACH}: np.save('NAME.npy', np.load('NAME.npz')['KEY'])",
    ".pt": f"{EACH}: np.save('NAME.npy', torch.load('NAME.pt', weights_only=True).numpy())",
    ".pth": f"{EACH}: np.save('NAME.npy', torch.load('NAME.pth', weights_only=True).numpy())",
    ".mat": f"{EACH}: np.save('NAME.npy', scipy.io.loadmat('NAME.mat')['KEY'])",
    ".h5": f"{EACH}: np.save('NAME.npy', h5py.File('FILE.h5')['NAME'][:])",
    ".hdf5": f"{EACH}: np.save('NAME.npy', h5py.File('FILE.hdf5')['NAME'][:])",
    ".safetensors": f"{EACH}: np.save('NAME.npy', safetensors.numpy.load_file('FILE.safetensors')['NAME'])",
    ".pkl": f"{EACH}; vadkit reads no pickle",
    ".pickle": f"{EACH}; vadkit reads no pickle",
    ".parquet": EACH,
}


@dataclass(frozen=True)
class Found:
    """A file: where it is, and its place below the folder that was searched."""

    path: Path
    below: PurePosixPath

    @property
    def stem(self) -> str:
        return self.path.name[: -len(self.path.suffix)]


@dataclass
class Scan:
    """What is below a folder: feature files, how many others by suffix, and what was skipped, by why."""

    files: list[Found] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, list[str]] = field(default_factory=dict)

    def skip(self, why: str, path: PurePosixPath) -> None:
        """Note a file or folder that does not count."""
        self.skipped.setdefault(why, []).append(str(path))

    def notes(self) -> list[str]:
        """Return a sentence for each reason to skip something that may hold features."""
        notes = [f"skipped, because {why}: {some(paths)}" for why, paths in self.skipped.items()]
        formats = {suffix: count for suffix, count in self.others.items() if suffix.lower() in TO_NPY}
        for suffix, count in formats.items():
            files = f"a {suffix} file was" if count == 1 else f"{count} {suffix} files were"
            notes.append(f"{files} skipped: {TO_NPY[suffix.lower()]}")
        return notes


def find_files(root: Path, suffixes: Collection[str] = SUFFIXES) -> list[Found]:
    """Return the files of ``find``."""
    return find(root, suffixes).files


def find(root: Path, suffixes: Collection[str] = SUFFIXES) -> Scan:
    """Return what is below ``root`` as ``scan`` does.

    Raises VadkitError as ``scan`` does, and for a folder without a feature file: it says what there is, and what to
    do about it.
    """
    found = scan(root, suffixes)
    if not found.files:
        kinds = " or ".join(suffixes)
        fail(f"{root}: there is no {kinds} file in or below it{_listed(found.others)}", hint=next_step(found.others))
    return found


def scan(root: Path, suffixes: Collection[str] = SUFFIXES) -> Scan:
    """Return what is below ``root``, sorted. Links are followed; hidden files, and folders read before, are skipped.

    Raises VadkitError for a folder that does not exist or cannot be read.
    """
    if not root.exists():
        fail(f"{root}: there is no such folder", hint="--root is the folder that holds the feature files")
    if not root.is_dir():
        fail(f"{root}: is not a folder", hint="--root is the folder that holds the feature files")
    found = Scan()
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(root, onerror=_unreadable, followlinks=True):
        about = os.stat(folder)
        if (about.st_dev, about.st_ino) in seen:  # a link to what was read already, or back up
            found.skip("it links to a folder that was read already", _below(folder, root))
            folders.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            _take(found, Path(folder, name), root, suffixes)
    return found


def _take(found: Scan, path: Path, root: Path, suffixes: Collection[str]) -> None:
    suffix = path.suffix
    if suffix not in suffixes:
        found.others[suffix or path.name] += 1
    elif path.name.startswith("."):
        found.skip("its name begins with a dot", _below(path, root))
    elif not path.exists():
        found.skip("it is a link to nothing", _below(path, root))
    elif not path.is_file():
        found.skip("it is no regular file", _below(path, root))
    else:
        found.files.append(Found(path, _below(path, root)))


def _below(path: Path | str, root: Path) -> PurePosixPath:
    return PurePosixPath(Path(path).relative_to(root).as_posix())


def _unreadable(error: OSError) -> NoReturn:
    cannot_read(error.filename, error)


def _listed(others: Counter[str]) -> str:
    return "; there are " + ", ".join(f"{n} {suffix}" for suffix, n in others.most_common(4)) if others else ""


def next_step(others: Mapping[str, int]) -> str | None:
    """Return what to do about files that are no features, by their suffixes."""
    there = {suffix.lower() for suffix in others}
    if there & ARCHIVES:
        return "unpack the archives first"
    formats = [suffix for suffix in TO_NPY if suffix in there]
    if formats:
        return TO_NPY[formats[0]]
    if there & VIDEO_SUFFIXES:
        return "these are videos: extract features from them with 'vadkit extract'"
    return None
