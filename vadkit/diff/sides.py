"""The two sides of a comparison, each a store, a folder of feature files in any published layout, or a file.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vadkit.datasets.importing.file_names import read_name
from vadkit.datasets.importing.scan import Found, find_files
from vadkit.datasets.importing.streams import WIDTHS, stream_of
from vadkit.problems import VadkitError, did_you_mean, fail
from vadkit.store.array_file import open_features
from vadkit.store.index import Store, read_store
from vadkit.store.names import HEAD
from vadkit.store.reader import originals
from vadkit.store.text_file import open_text

FEATURES = "features"  # a stream without a name
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
        known: names of videos, if known, which help to read the names of files.

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
        fail(f"{path}: is neither .npy nor .txt", hint="convert other feature files to .npy")
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
    assert read is not None  # without known names, every name can be read
    stream = stream_of(folders, read.stream) or WIDTHS.get(_width(path), FEATURES)
    return stream, read.name, read.crop or 0


def _width(path: Path) -> int:
    try:
        return int(_open(path).shape[-1])
    except VadkitError:  # reported when it is read
        return 0


def _stacked(paths: list[Path]) -> np.ndarray:
    arrays = [_open(path) for path in paths]
    if len(arrays) == 1:
        return arrays[0]
    if len({array.shape for array in arrays}) > 1 or len(arrays[0]) > 1:
        shapes = ", ".join(str(array.shape[1:]) for array in arrays)
        fail(f"{paths[0]}: the {len(paths)} crops of its video have different shapes ({shapes})")
    return np.concatenate(arrays)


# -- which belong together ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class StreamPair:
    """A stream of A and one of B, with the readers of the videos that both have, and the names of the others."""

    a: str
    b: str
    videos: dict[str, tuple[Read, Read]]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    @property
    def title(self) -> str:
        return self.a if self.a == self.b else f"{self.a} of A, {self.b} of B"


def pair_streams(a: Side, b: Side, wanted: Iterable[str] = ()) -> tuple[list[StreamPair], list[str], list[str]]:
    """Return the streams that belong together, and the names of those that only A and only B has.

    Streams of one name belong together. If there are none, and each side has one stream, those two do.

    Args:
        wanted: what to compare, as STREAM, or STREAM:STREAM where the names differ. None means all.

    Raises VadkitError for an unknown stream, and if nothing belongs together.
    """
    chosen = [_chosen(a, b, text) for text in wanted]
    if not chosen:
        chosen = [(stream, stream) for stream in a.streams if stream in b.streams]
        if not chosen and len(a.streams) == len(b.streams) == 1:
            chosen = [(next(iter(a.streams)), next(iter(b.streams)))]
        if not chosen:
            fail(
                f"A has {_listed(a.streams)}, B has {_listed(b.streams)}: no stream is in both",
                hint="pair them, for example --stream rgb:features",
            )
    pairs = [_pair(a, b, *streams) for streams in chosen]
    if not any(pair.videos for pair in pairs):
        some_a, some_b = next(iter(a.streams[chosen[0][0]])), next(iter(b.streams[chosen[0][1]]))
        fail(f"A and B have no video in common: A has '{some_a}', B has '{some_b}', for example")
    all_streams = not wanted and "file" not in (a.kind, b.kind)
    left_a = [s for s in a.streams if all_streams and s not in {x for x, _ in chosen}]
    left_b = [s for s in b.streams if all_streams and s not in {y for _, y in chosen}]
    return pairs, left_a, left_b


def _chosen(a: Side, b: Side, text: str) -> tuple[str, str]:
    first, _, second = text.partition(":")
    for name, side, letter in ((first, a, "A"), (second or first, b, "B")):
        if name not in side.streams:
            hint = did_you_mean(name, side.streams)
            fail(f"--stream {text}: {letter} ({side.path}) has {_listed(side.streams)}", hint)
    return first, second or first


def _pair(a: Side, b: Side, stream_a: str, stream_b: str) -> StreamPair:
    ours, theirs = a.streams[stream_a], b.streams[stream_b]
    if a.kind == b.kind == "file":  # two files are compared whatever their names are
        (name, first), (_, second) = next(iter(ours.items())), next(iter(theirs.items()))
        return StreamPair(stream_a, stream_b, {name: (first, second)}, (), ())
    both = {name: (read, theirs[name]) for name, read in ours.items() if name in theirs}
    only = tuple(n for n in ours if n not in theirs), tuple(n for n in theirs if n not in ours)
    if "file" in (a.kind, b.kind) and both:  # one file is compared with one video; the others are not missing
        only = (), ()
    return StreamPair(stream_a, stream_b, both, *only)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
