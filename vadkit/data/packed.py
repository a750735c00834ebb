"""A stream in one file: all rows of all videos one behind the other, and an index that says where each begins.

STORE/rgb.npy   (rows, dim), float32 or float16
STORE/rgb.json  {"vadkit_pack": 1, "dim": 1024, "videos": {NAME: [first row, crops, t]}}

Crop k of a video are the rows first + k * t to first + (k + 1) * t. ``vadkit.data.pack`` writes it.

Legend: t snippets, dim the width of the stream.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vadkit.data.arrays import open_features
from vadkit.data.store_index import read_json
from vadkit.problems import fail

VERSION = 1
AGAIN = "pack the store again"


class Packed:
    """Reads a packed stream. The file is mapped once; a video is a slice of it.

    Raises VadkitError for an index or a file that cannot be used, or that do not belong together.
    """

    def __init__(self, path: Path, dim: int) -> None:
        self.path = path
        self.index: dict[str, tuple[int, int, int]] = _read_index(path.with_suffix(".json"), dim)
        self.rows = open_features(path, dim)[0]
        for name, (first, crops, t) in self.index.items():
            if first + crops * t > len(self.rows):
                fail(f"{path}: has {len(self.rows)} rows, too few for video '{name}' of its index", hint=AGAIN)

    def __contains__(self, name: str) -> bool:
        return name in self.index

    def read(self, name: str) -> np.ndarray:
        """Return (crops, t, dim), a view of the mapped file."""
        first, crops, t = self._place(name)
        return np.reshape(self.rows[first : first + crops * t], (crops, t, -1))

    def shape(self, name: str) -> tuple[int, int, int]:
        """Return (crops, t, dim)."""
        return *self._place(name)[1:], self.rows.shape[1]

    def _place(self, name: str) -> tuple[int, int, int]:
        if name not in self.index:
            fail(f"{self.path}: there are no features of video '{name}' in it", hint=AGAIN)
        return self.index[name]


def _read_index(path: Path, dim: int) -> dict[str, tuple[int, int, int]]:
    data = read_json(path, AGAIN)
    if not isinstance(data, dict) or data.get("vadkit_pack") != VERSION or not isinstance(data.get("videos"), dict):
        fail(f"{path}: is not the index of a packed stream", hint=AGAIN)
    if data.get("dim") != dim:
        fail(f"{path}: says that the stream is {data.get('dim')!r} wide, but store.json {dim}", hint=AGAIN)
    for name, place in data["videos"].items():
        if not _is_place(place):
            fail(f"{path}: video '{name}' has {place!r}, not [first row, crops, snippets]", hint=AGAIN)
    return {name: tuple(place) for name, place in data["videos"].items()}


def _is_place(place: Any) -> bool:
    return (
        isinstance(place, list) and len(place) == 3 and all(type(number) is int for number in place)
        and place[0] >= 0 and place[1] >= 1 and place[2] >= 1
    )  # fmt: skip
