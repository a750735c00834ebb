"""One side of a comparison: a store, a folder of feature files in any published layout, or one file.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vadkit.datasets.importing.file_names import read_name
from vadkit.datasets.importing.scan import Found, find_files
from vadkit.datasets.importing.streams import WIDTHS, stream_of
from vadkit.problems import VadkitError, fail
from vadkit.store.array_file import open_features
from vadkit.store.index import Store, read_store
from vadkit.store.names import HEAD
from vadkit.store.reader import originals
from vadkit.store.text_file import open_text

FEATURES = "features"  # a stream that nothing names
Read = Callable[[], np.ndarray]  # gives (crops, t, dim); raises VadkitError


@dataclass(frozen=True)
class Side:
    """Features by stream and video name; ``recipes`` by stream where they are known.

    ``kind`` is "store", "folder" or "file".
    """

    path: Path
    kind: str
    streams: Mapping[str, Mapping[str, Read]]
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    store: Store | None = None


def open_side(path: Path | str, known: Container[str] | None = None) -> Side:
    """Return the features in ``path``: a store's folder, any other folder of .npy or .txt files, or one such file.

    Args:
        known: names of videos, if they are known, by which the names of files can be read.

    Raises VadkitError for a path without features.
    """
    path = Path(path)
    if path.is_file():
        stream, name, _ = _read(path, (path.absolute().parent.name,), known)
        return Side(path, "file", {stream: {name: partial(_open, path)}})
    if (path / HEAD).exists():
        store = read_store(path)
        stored = originals(store)
        streams = {
            stream: {video.name: partial(stored.read, video, stream) for video in store.videos} for stream in store.dims
        }
        return Side(path, "store", streams, {s: r for s, r in store.recipes.items() if r}, store)
    return Side(path, "folder", _grouped(find_files(path), known))


def _open(path: Path) -> np.ndarray:
    if path.suffix == ".txt":
        return open_text(path, None, "")
    if path.suffix != ".npy":
        fail(f"{path}: is neither .npy nor .txt", hint="other files of features must be written anew as .npy")
    return open_features(path)


def _grouped(files: list[Found], known: Container[str] | None) -> dict[str, dict[str, Read]]:
    """Return readers by stream and video; files of one video that name crops are its crops."""
    crops: dict[tuple[str, str], dict[int, Path]] = defaultdict(dict)
    for file in files:
        stream, name, crop = _read(file.path, file.below.parts[:-1], known)
        crops[stream, name][crop] = file.path
    streams: dict[str, dict[str, Read]] = defaultdict(dict)
    for (stream, name), paths in crops.items():
        streams[stream][name] = partial(_stacked, [paths[crop] for crop in sorted(paths)])
    return dict(streams)


def _read(path: Path, folders: Sequence[str], known: Container[str] | None) -> tuple[str, str, int]:
    """Return the stream, the video and the crop that a file is of, by its name, the folders above it and its width."""
    read = read_name(path.stem, known) or read_name(path.stem)
    assert read is not None  # of a name that nobody has to know, there is always a reading
    stream = stream_of(folders, read.stream) or WIDTHS.get(_width(path), FEATURES)
    return stream, read.name, read.crop or 0


def _width(path: Path) -> int:
    try:
        return int(_open(path).shape[-1])
    except VadkitError:  # told when its turn comes to be read
        return 0


def _stacked(paths: list[Path]) -> np.ndarray:
    arrays = [_open(path) for path in paths]
    if len(arrays) == 1:
        return arrays[0]
    if len({array.shape for array in arrays}) > 1 or len(arrays[0]) > 1:
        shapes = ", ".join(str(array.shape[1:]) for array in arrays)
        fail(f"{paths[0]}: the {len(paths)} crops of its video have different shapes ({shapes})")
    return np.concatenate(arrays)
