"""Where a store keeps the features of a video, and how they are read: its own folders, published files,
or one packed file per stream.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from vadkit.npy_header import SMALL
from vadkit.presence import THROUGHOUT, Spans, is_throughout
from vadkit.problems import fail
from vadkit.store.array_cache import ArrayCache
from vadkit.store.array_file import open_features
from vadkit.store.index import Store
from vadkit.store.names import Below
from vadkit.store.packed import Packed
from vadkit.store.store_json import AXES
from vadkit.store.text_file import open_text, text_shape
from vadkit.video import Video


class StoredFeatures:
    """Reads the features of a store by stream of the store.

    It caches folder listings and the small files that were read last. ``warnings`` are sentences for the user.
    Raises VadkitError for a packed stream that cannot be used, or whose files have changed since.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.warnings: list[str] = []
        self._listed: dict[Path, frozenset[str]] = {}
        self._cache = ArrayCache()
        self._root, self._base = Below(store.root), Below(store.base)
        self._found: dict[tuple[str, str, tuple[str, ...]], tuple[str, ...]] = {}
        self._absent: dict[tuple[str, str], Spans] = {}
        self._packed = {name: self._open_pack(name, self._root.pack(name, file)) for name, file in store.packed.items()}

    def _open_pack(self, stream: str, path: Path) -> Packed:
        packed = Packed(path, self.store.dims[stream])
        videos = {video.name: video for video in self.store.videos}

        def paths(name: str) -> tuple[Path, ...]:
            return self._files(videos[name], stream) if name in videos else ()

        self.warnings += packed.check(self.store.recipes[stream], paths)
        return packed

    def paths(self, video: Video, stream: str) -> tuple[Path, ...]:
        """Return the files of a video's stream, one per crop or one for all."""
        if stream in self._packed:
            return (self._packed[stream].path,)
        return self._files(video, stream)

    def _files(self, video: Video, stream: str) -> tuple[Path, ...]:
        return tuple(map(Path, self._texts(video, stream)))

    def _texts(self, video: Video, stream: str) -> tuple[str, ...]:
        """Return the original files of a video's stream as text: in training, a Path would be half of the cost."""
        files = video.files.get(stream, ())
        key = (stream, video.name, files)
        if key not in self._found:
            paths = [self._base.file(file) for file in files] or [self._root.array(stream, video.name)]
            self._found[key] = tuple(map(str, paths))
        return self._found[key]

    def read(self, video: Video, stream: str) -> np.ndarray:
        """Return (crops, t, dim), memory-mapped where one file holds all crops.

        Raises VadkitError, naming file and cause, for what cannot be used.
        """
        if stream in self._packed:
            return self._packed[stream].read(video.name)
        paths = self.paths(video, stream)
        if len(paths) == 1:
            return self.open_file(paths[0], video, stream)
        crops = [self.open_file(path, video, stream) for path in paths]
        for path, crop in zip(paths, crops):
            if crop.shape != crops[0].shape or len(crop) != 1:
                fail(
                    f"{path}: has shape {crop.shape[1:]}, but crop 0 of the same video {crops[0].shape[1:]}",
                    hint="is it of another video, or of another recipe?",
                )
        return np.concatenate(crops)

    def read_crop(self, video: Video, stream: str, crop: int) -> np.ndarray:
        """Return one crop (t, dim), memory-mapped; the only crop of a stream is every crop."""
        if stream in self._packed:
            return self._packed[stream].read_crop(video.name, crop)
        files = self._texts(video, stream)
        if len(files) < 2:
            features = self._opened(files[0], video, stream)
            crop = crop if len(features) > 1 else 0
        else:
            features, crop = self._opened(files[crop], video, stream), 0
        one: np.ndarray = features[crop]
        return one

    def open_file(self, path: Path, video: Video, stream: str) -> np.ndarray:
        """Return one file as (crops, t, dim); of a stream with a file per crop, a single crop.

        Raises VadkitError, naming file and cause.
        """
        return self._opened(str(path), video, stream)

    def _opened(self, path: str, video: Video, stream: str) -> np.ndarray:
        try:
            about = os.stat(path)
        except OSError:
            return self._open(Path(path), video, stream)  # which says why
        if about.st_size > SMALL and not path.endswith(".txt"):  # it is mapped, and a map takes an open file
            return self._open(Path(path), video, stream)
        key = (stream, path, about.st_ino, about.st_size, about.st_mtime_ns)
        return self._cache.get(key, lambda: self._open(Path(path), video, stream))

    def _open(self, path: Path, video: Video, stream: str) -> np.ndarray:
        dim, said_by = self.store.dims.get(stream), f"stream '{stream}' of store.json"
        if path.suffix == ".txt":
            return open_text(path, dim, said_by)
        features = open_features(path, dim, said_by)
        axes = self.store.axes.get(stream, {}).get(video.split)
        return features.swapaxes(0, 1) if axes == AXES[1] else features

    def shape(self, video: Video, stream: str) -> tuple[int, int, int]:
        """Return (crops, t, dim) by the first file's header."""
        if stream in self._packed:
            return self._packed[stream].shape(video.name)
        paths = self.paths(video, stream)
        if paths[0].suffix == ".txt":
            return len(paths), *text_shape(paths[0])
        crops, t, dim = self.open_file(paths[0], video, stream).shape
        return max(crops, len(paths)), t, dim

    def is_packed(self, stream: str) -> bool:
        """Return whether the stream is read from its pack."""
        return stream in self._packed

    def missing(self, video: Video, stream: str) -> list[Path]:
        """Return the missing files."""
        if stream in self._packed:
            return [] if video.name in self._packed[stream] else [self._packed[stream].path]
        return [path for path in self.paths(video, stream) if path.name not in self.listed(path.parent)]

    def absent(self, video: Video, stream: str) -> Spans:
        """Return the spans in which a video lacks a stream: those that videos.json states, or all if it has no file."""
        key = (video.name, stream)
        if key not in self._absent:
            gone = stream not in self.store.dims or bool(self.missing(video, stream))
            self._absent[key] = THROUGHOUT if gone else tuple(video.absent.get(stream, ()))
        return self._absent[key]

    def is_left_out(self, video: Video, stream: str) -> bool:
        """Return whether videos.json says that a video lacks the stream, and there is indeed no file of it."""
        return is_throughout(video.absent.get(stream, ())) and bool(self.missing(video, stream))

    def listed(self, folder: Path) -> frozenset[str]:
        """Return the names in a folder, looked up once; none if it cannot be read."""
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(entry.name for entry in os.scandir(folder))
            except OSError:
                self._listed[folder] = frozenset()
        return self._listed[folder]

    def is_elsewhere(self, stream: str, videos: Iterable[Video]) -> bool:
        """Return whether the stream of these videos is outside of the store's own folder of it."""
        return stream in self._packed or any(stream in video.files for video in videos)


def without_originals(store: Store) -> set[str]:
    """Return the packed streams whose original files are gone: the pack is all there is."""
    plain = StoredFeatures(replace(store, packed={}))
    return {
        stream
        for stream in store.packed
        if all(not path.exists() for video in store.videos for path in plain.paths(video, stream))
    }


def originals(store: Store, only_packed: Iterable[str] | None = None) -> StoredFeatures:
    """Return a reader of the original files; of packed ones for streams that have no others.

    Raises VadkitError for a pack that is needed and cannot be used.
    """
    kept = without_originals(store) if only_packed is None else set(only_packed)
    return StoredFeatures(replace(store, packed={s: file for s, file in store.packed.items() if s in kept}))
