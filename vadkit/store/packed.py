"""A stream in one file: all rows of all videos one after the other, and an index of where each begins.

STORE/rgb-float32-1f2e3d4c.npy    (rows, dim), float32 or float16
STORE/rgb-float32-1f2e3d4c.json   {"vadkit_pack": 1, "dim": 1024, "videos": {NAME: [first row, crops, t]},
                                   "recipe": {...}, "sources": {NAME: [[size, time, SHA-256] of each file]}}

Crop k of a video are the rows first + k * t to first + (k + 1) * t. ``vadkit.store.pack`` writes it. A pack whose
sources or recipe have changed since is refused.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from vadkit import json_file
from vadkit.problems import Problem, VadkitError, fail, plural
from vadkit.store.array_file import open_features
from vadkit.store.fingerprints import Comparison, Fingerprint
from vadkit.store.store_json import Frames, Width

VERSION = 1
AGAIN = "pack the store again: vadkit store pack STORE"
MAPPED = 256 << 20  # bytes of a file that stay mapped

Row = Annotated[int, Meta(ge=0, le=2**60)]


class PackJson(msgspec.Struct):
    """The index of a packed stream. ``sources`` are the files of each video, in the order of its crops."""

    vadkit_pack: int
    dim: Width
    recipe: dict[str, Any] | None
    videos: dict[str, tuple[Row, Frames, Frames]]
    sources: dict[str, list[Fingerprint]] = {}


class Packed:
    """Reads a packed stream. The file is mapped once; a video is a slice of it.

    What was read is released from time to time (it stays in the page cache of the system), so the memory
    of the process does not grow to the size of the file.

    Raises VadkitError for an index or a file that cannot be used, or that do not belong together.
    """

    def __init__(self, path: Path, dim: int) -> None:
        self.path = path
        about = _read_index(path.with_suffix(".json"), dim)
        self.index, self.recipe, self.sources = about.videos, about.recipe, about.sources
        self.rows = open_features(path, dim)[0]
        self._map, self._read = _map_of(self.rows), 0
        for name, (first, crops, t) in self.index.items():
            if first + crops * t > len(self.rows):
                fail(f"{path}: has {len(self.rows)} rows, too few for video '{name}' of its index", hint=AGAIN)

    def __contains__(self, name: str) -> bool:
        return name in self.index

    def read(self, name: str) -> np.ndarray:
        """Return (crops, t, dim), a view of the mapped file."""
        first, crops, t = self._place(name)
        return self._slice(first, crops * t).reshape(crops, t, -1)

    def read_crop(self, name: str, crop: int) -> np.ndarray:
        """Return one crop (t, dim); the only crop of a stream is every crop."""
        first, crops, t = self._place(name)
        return self._slice(first + t * (crop if crops > 1 else 0), t)

    def shape(self, name: str) -> tuple[int, int, int]:
        """Return (crops, t, dim)."""
        return *self._place(name)[1:], self.rows.shape[1]

    def check(self, recipe: Mapping[str, Any], paths: Callable[[str], Sequence[Path]]) -> list[str]:
        """Return what the user should know about the files it was packed from.

        Args:
            recipe: of the stream, as the store has it now.
            paths: gives the files of a video, in the order of its crops.

        Raises VadkitError if one of them, or the recipe, has changed since it was packed.
        """
        if self.recipe is not None and dict(self.recipe) != dict(recipe):
            fail(f"{self.path}: was packed when store.json had another recipe of the stream", hint=AGAIN)
        comparison = Comparison()
        changed = [comparison.first_changed(paths(name), were) for name, were in self.sources.items()]
        problems = [
            Problem(f"{path}: has changed since it was packed in {self.path}", hint=AGAIN) for path in changed if path
        ]
        if problems:
            raise VadkitError(problems)
        if not comparison.read:
            return []
        return [
            f"{self.path}: the time stamps of {plural(comparison.read, 'file')} changed after packing; the content "
            f"was read and is the same. To avoid reading it, {AGAIN}"
        ]

    def _place(self, name: str) -> tuple[int, int, int]:
        if name not in self.index:
            fail(f"{self.path}: it has no features of video '{name}'", hint=AGAIN)
        return self.index[name]

    def _slice(self, first: int, count: int) -> np.ndarray:
        rows: np.ndarray = self.rows[first : first + count]
        self._read += rows.nbytes
        if self._read > MAPPED and self._map is not None:
            self._read = 0
            self._map.madvise(mmap.MADV_DONTNEED)  # views stay good: pages come back when they are touched
        return rows


def _map_of(array: np.ndarray) -> mmap.mmap | None:
    """Return the map under an array; None where there is none, or the system cannot release its pages."""
    base: Any = array
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return base if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED") else None


def _read_index(path: Path, dim: int) -> PackJson:
    about = json_file.read(path, PackJson, "the index of a packed stream", AGAIN)
    if about.vadkit_pack != VERSION:
        fail(f"{path}: is of version {about.vadkit_pack}; this vadkit reads version {VERSION}", hint=AGAIN)
    if about.dim != dim:
        fail(f"{path}: says that the stream is {about.dim} wide, but store.json {dim}", hint=AGAIN)
    return about
