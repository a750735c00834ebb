"""A stream in one file: all rows of all videos one after the other, and an index of where each begins.

STORE/rgb-float32-1f2e3d4c.npy    (rows, dim), float32 or float16
STORE/rgb-float32-1f2e3d4c.json   {"vadkit_pack": 1, "dim": 1024, "videos": {NAME: [first row, crops, t]},
                                   "recipe": {...}, "sources": {NAME: [[size, time, SHA-256] of each file]}}

Crop k of a video are the rows first + k * t to first + (k + 1) * t. ``vadkit.store.pack`` writes it. A pack whose
sources or recipe have changed since is refused.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from vadkit import json_file
from vadkit.files import cannot_read, open_file
from vadkit.npy_header import read_header
from vadkit.problems import Problem, VadkitError, fail, plural
from vadkit.store.array_file import open_features
from vadkit.store.fingerprints import Comparison, Fingerprint
from vadkit.store.store_json import Frames, Width

VERSION = 1
AGAIN = "pack the store again: vadkit store pack STORE"
LARGEST = 1 << 50  # bytes: those of all videos

Row = Annotated[int, Meta(ge=0, le=2**60)]


class PackJson(msgspec.Struct):
    """The index of a packed stream. ``sources`` are the files of each video, in the order of its crops."""

    vadkit_pack: int
    dim: Width
    recipe: dict[str, Any] | None
    videos: dict[str, tuple[Row, Frames, Frames]]
    sources: dict[str, list[Fingerprint]] = {}


class Packed:
    """Reads a packed stream; a video is a slice of it.

    The file is read, not mapped: if a mapped file is cut meanwhile, the system ends the process without a word.

    Raises VadkitError for an index or a file that cannot be used, or that do not belong together.
    """

    def __init__(self, path: Path, dim: int) -> None:
        self.path = path
        about = _read_index(path.with_suffix(".json"), dim)
        self.index, self.recipe, self.sources = about.videos, about.recipe, about.sources
        rows = open_features(path, dim, largest=LARGEST)
        self.dtype, self.width = rows.dtype, dim
        self._file = open_file(path)
        header = read_header(self._file)
        self._offset = header.offset
        if len(header.shape) != 2 or header.fortran_order or header.dtype != rows.dtype:
            fail(f"{path}: is not a packed file: its rows are not one after the other", hint=AGAIN)
        for name, (first, crops, t) in self.index.items():
            if first + crops * t > header.shape[0]:
                fail(f"{path}: has {header.shape[0]} rows, too few for video '{name}' of its index", hint=AGAIN)

    def __contains__(self, name: str) -> bool:
        return name in self.index

    def read(self, name: str) -> np.ndarray:
        """Return (crops, t, dim)."""
        first, crops, t = self._place(name)
        return self._slice(first, crops * t).reshape(crops, t, -1)

    def read_crop(self, name: str, crop: int) -> np.ndarray:
        """Return one crop (t, dim); the only crop of a stream is every crop."""
        first, crops, t = self._place(name)
        return self._slice(first + t * (crop if crops > 1 else 0), t)

    def shape(self, name: str) -> tuple[int, int, int]:
        """Return (crops, t, dim)."""
        return *self._place(name)[1:], self.width

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
        rows = np.empty((count, self.width), self.dtype)
        memory = memoryview(rows.data).cast("B")
        start, done = self._offset + first * self.width * self.dtype.itemsize, 0
        while done < len(memory):
            try:
                got = os.preadv(self._file.fileno(), [memory[done:]], start + done)
            except OSError as error:
                cannot_read(self.path, error, AGAIN)
            if not got:
                size = os.fstat(self._file.fileno()).st_size
                fail(f"{self.path}: was cut while it was in use: it has only {size} bytes left", hint=AGAIN)
            done += got
        rows.flags.writeable = False
        return rows


def _read_index(path: Path, dim: int) -> PackJson:
    about = json_file.read(path, PackJson, "the index of a packed stream", AGAIN)
    if about.vadkit_pack != VERSION:
        fail(f"{path}: is of version {about.vadkit_pack}; this vadkit reads version {VERSION}", hint=AGAIN)
    if about.dim != dim:
        fail(f"{path}: says that the stream is {about.dim} wide, but store.json {dim}", hint=AGAIN)
    return about
