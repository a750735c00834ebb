"""Folders of features in published layouts: the real names, a few videos, a few numbers per snippet."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vadkit.datasets.annotations import Annotated, read_annotations
from vadkit.store import read_store
from vadkit.store.index import Store
from vadkit.store.reader import StoredFeatures
from vadkit.video import Video

# One normal and one abnormal video of each split, and names with '#', '=' and dots.
XD = (
    "Bad.Boys.1995__#00-26-51_00-27-53_label_B2-0-0",
    "v=8cTqh9tMz_I__#1_label_A",
    "v=wVey5JDRf_g__#00-01-30_00-02-41_label_B6-0-0",
    "A.Beautiful.Mind.2001__#00-25-20_00-29-20_label_A",
)
UCF = ("Abuse001_x264", "Normal_Videos001_x264", "Abuse028_x264", "Normal_Videos_003_x264")
SHANGHAI = ("01_0014", "05_001", "01_0015", "01_001")


def some(data_set: str, names: Sequence[str]) -> list[Annotated]:
    named = read_annotations(data_set).named()
    return [named[name] for name in names]


def snippets(video: Annotated) -> int:
    """As many as published features have; a few for a training video whose length nobody knows."""
    return video.snippets or (video.frames or 160) // 16


def numbers(key: str, *shape: int) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape).astype(np.float32)


def save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return path


class Opened:
    """A store that was written: its videos by name, and reading."""

    def __init__(self, path: Path) -> None:
        self.store: Store = read_store(path)
        self.stored = StoredFeatures(self.store)
        self.videos: dict[str, Video] = {video.name: video for video in self.store.videos}

    def read(self, name: str, stream: str) -> np.ndarray:
        return self.stored.read(self.videos[name], stream)
