"""Where a store keeps the features of a video, and how they are read: its own folders, files as people
have published them, or one packed file per stream.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vadkit.data.arrays import open_features
from vadkit.data.packed import Packed
from vadkit.data.store_index import AXES, Store
from vadkit.data.text_features import open_text, text_shape
from vadkit.data.video import Video
from vadkit.problems import fail


class StoredFeatures:
    """Reads the features of a store by stream of the store. Nothing is kept but folder listings."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._packed = {name: Packed(store.root / file, store.dims[name]) for name, file in store.packed.items()}
        self._listed: dict[Path, frozenset[str]] = {}

    def paths(self, video: Video, stream: str) -> tuple[Path, ...]:
        """Return the files of a video's stream, one per crop or one for all."""
        if stream in self._packed:
            return (self._packed[stream].path,)
        if stream in video.files:
            return tuple(self.store.base / file for file in video.files[stream])
        return (self.store.root / stream / f"{video.name}.npy",)

    def read(self, video: Video, stream: str) -> np.ndarray:
        """Return (crops, t, dim), memory-mapped where one file holds all crops.

        Raises VadkitError, naming file and cause, for what cannot be used.
        """
        if stream in self._packed:
            return self._packed[stream].read(video.name)
        paths = self.paths(video, stream)
        if len(paths) == 1:
            return self._open(paths[0], video, stream)
        crops = [self._open(path, video, stream) for path in paths]
        for path, crop in zip(paths, crops):
            if crop.shape != crops[0].shape or len(crop) != 1:
                fail(
                    f"{path}: has shape {crop.shape[1:]}, but crop 0 of the same video {crops[0].shape[1:]}",
                    hint="is it of another video, or made in another way?",
                )
        return np.concatenate(crops)

    def read_crop(self, video: Video, stream: str, crop: int) -> np.ndarray:
        """Return one crop (t, dim), memory-mapped; the only crop of a stream stands for every crop."""
        if stream in self._packed:
            return _crop(self._packed[stream].read(video.name), crop)
        paths = self.paths(video, stream)
        if len(paths) == 1:
            return _crop(self._open(paths[0], video, stream), crop)
        return np.asarray(self._open(paths[crop], video, stream)[0])

    def shape(self, video: Video, stream: str) -> tuple[int, int, int]:
        """Return (crops, t, dim) by the first file's header."""
        if stream in self._packed:
            return self._packed[stream].shape(video.name)
        paths = self.paths(video, stream)
        if paths[0].suffix == ".txt":
            return len(paths), *text_shape(paths[0])
        crops, t, dim = self._open(paths[0], video, stream).shape
        return max(crops, len(paths)), t, dim

    def missing(self, video: Video, stream: str) -> list[Path]:
        """Return the files that are not there."""
        if stream in self._packed:
            return [] if video.name in self._packed[stream] else [self._packed[stream].path]
        return [path for path in self.paths(video, stream) if path.name not in self.listed(path.parent)]

    def listed(self, folder: Path) -> frozenset[str]:
        """Return the names in a folder, looked up once; none if it cannot be read."""
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(entry.name for entry in os.scandir(folder))
            except OSError:
                self._listed[folder] = frozenset()
        return self._listed[folder]

    def is_elsewhere(self, stream: str, videos: Iterable[Video]) -> bool:
        """Tell whether the stream of these videos lies outside the store's own folder of it."""
        return stream in self._packed or any(stream in video.files for video in videos)

    def _open(self, path: Path, video: Video, stream: str) -> np.ndarray:
        dim, told_by = self.store.dims.get(stream), f"stream '{stream}' of store.json"
        if path.suffix == ".txt":
            return open_text(path, dim, told_by)
        features = open_features(path, dim, told_by)
        axes = self.store.axes.get(stream, {}).get(video.split)
        return features.swapaxes(0, 1) if axes == AXES[1] else features


def _crop(features: np.ndarray, crop: int) -> np.ndarray:
    return np.asarray(features[crop if len(features) > 1 else 0])
