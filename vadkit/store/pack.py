"""Pack the streams of a store: one file for each, from which a video is a slice. See ``vadkit.store.packed``.

The original files stay. What is packed belongs to exactly these files; ``Packed.check`` finds one that has changed.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal, get_args

import numpy as np

from vadkit import json_file
from vadkit.files import alone_in, in_bytes, remove_leftovers, replacing
from vadkit.problems import Problem, VadkitError, did_you_mean, fail, plural
from vadkit.store.array_file import check_finite
from vadkit.store.fingerprints import Fingerprint, fingerprint
from vadkit.store.index import Store, read_store
from vadkit.store.names import VIDEOS, Below, is_pack_name
from vadkit.store.packed import VERSION, Packed, PackJson
from vadkit.store.reader import StoredFeatures
from vadkit.store.store_json import load_head, write_head
from vadkit.video import Video

DType = Literal["float32", "float16"]
SPARE = 256 << 20  # bytes that are left free on the disk; a quarter of the pack if that is less
Progress = Callable[[str, int, int], None]  # the stream, its bytes done, its bytes in all


@dataclass(frozen=True)
class Result:
    """One stream: its packed file, of so many bytes; ``is_new`` if the store has not used it before."""

    stream: str
    path: Path
    videos: int
    size: int
    is_new: bool


def pack(
    root: Path | str, dtype: str = "float32", streams: Sequence[str] = (), progress: Progress | None = None
) -> list[Result]:
    """Pack streams of a store, or all; one that is packed already, from the same files, stays as it is.

    If it is killed, the same call goes on with the stream that was not finished, and removes what was left.

    Args:
        root: the store.
        dtype: float32, or float16: half the size, and rounded to 11 bits.
        streams: names of the streams; () is all.
        progress: called with how much is done.

    Raises VadkitError for features that cannot be used, do not fit into float16 or are not finite, and for a disk
    without enough space.
    """
    if dtype not in get_args(DType):
        fail(f"a store is packed as {' or '.join(get_args(DType))}, not {dtype!r}")
    with _alone(root) as store:
        return [_packed(store, stream, dtype, progress) for stream in _known(store, streams)]


def unpack(root: Path | str, streams: Sequence[str] = ()) -> list[Path]:
    """Delete the packed files of streams, or of all; the store reads the original ones again. Return their paths.

    Raises VadkitError if an original file is gone: the pack is then all there is.
    """
    with _alone(root) as store:
        plain = StoredFeatures(replace(store, packed={}))
        packed = [stream for stream in _known(store, streams) if stream in store.packed]
        deleted = [Below(store.root).pack(stream, store.packed[stream]) for stream in packed]
        for stream, path in zip(packed, deleted):
            if path.exists():
                _refuse_loss(store, plain, stream, path)
        for stream in packed:
            _set_packed(store, stream, None)
            _delete_others(store, stream, None)
        return deleted


@contextmanager
def _alone(root: Path | str) -> Iterator[Store]:
    """Give the store as it is once no other process packs it."""
    with alone_in(read_store(root).root):
        yield read_store(root)


def _packed(store: Store, stream: str, dtype: str, progress: Progress | None) -> Result:
    job = _Pack(replace(store, packed={}), stream, dtype, progress)
    whole = job.is_up_to_date()
    if not whole:
        job.write()
    is_new = not whole or store.packed.get(stream) != job.path.name  # a killed process may have written it
    if is_new:
        _set_packed(store, stream, job.path.name)
    _delete_others(store, stream, job.path.name)
    return job.result(is_new)


def _refuse_loss(store: Store, plain: StoredFeatures, stream: str, path: Path) -> None:
    videos = [video for video in store.videos if not plain.is_left_out(video, stream)]
    gone = [name for video in videos for name in plain.missing(video, stream)]
    if gone:
        fail(
            f"{path}: is all there is of {plural(len(gone), 'file')} of stream '{stream}', such as {gone[0]}",
            hint="put the files back first, or delete the pack by hand if you want to lose them",
        )


class _Pack:
    """Packs one stream of a store."""

    def __init__(self, store: Store, stream: str, dtype: str, progress: Progress | None) -> None:
        self.store, self.stream, self.progress = store, stream, progress
        self.features = StoredFeatures(store)
        self.dim, self.dtype = store.dims[stream], np.dtype(dtype)
        self.videos = _with_features(store, self.features, stream)
        self.index = self._index()
        self.rows = sum(crops * t for _, crops, t in self.index.values())
        self.path = Below(store.root).pack(stream, f"{stream}-{dtype}-{self._mark()}.npy")

    @property
    def size(self) -> int:
        return self.rows * self.dim * self.dtype.itemsize

    def is_up_to_date(self) -> bool:
        """Return whether it was packed before, completely and from the same files."""
        try:
            Packed(self.path, self.dim).check(self.store.recipes[self.stream], self._paths_of())
        except VadkitError:
            return False
        return True

    def result(self, is_new: bool) -> Result:
        return Result(self.stream, self.path, len(self.videos), self.size, is_new)

    def write(self) -> None:
        free = shutil.disk_usage(self.store.root).free
        spare = min(SPARE, self.size // 4)
        if self.size + spare > free:
            fail(
                f"{self.store.root}: stream '{self.stream}' takes {in_bytes(self.size)} when packed, and "
                f"{in_bytes(spare)} are left free, but the disk has {in_bytes(free)} free",
                hint="pack it as float16, or free some space",
            )
        sources: dict[str, list[Fingerprint]] = {}
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.rows, self.dim)}
            np.lib.format.write_array_header_1_0(file, header)
            done = 0
            for video in self.videos:
                # First, so that a file that changes while it is read counts as changed.
                sources[video.name] = [fingerprint(p) for p in self.features.paths(video, self.stream)]
                done += self._write_video(file, video)
                if self.progress is not None:
                    self.progress(self.stream, done, self.size)
        about = PackJson(VERSION, self.dim, self.store.recipes[self.stream], self.index, sources)
        json_file.write(self.path.with_suffix(".json"), about, indent=None)

    def _write_video(self, file: BinaryIO, video: Video) -> int:
        features = self.features.read(video, self.stream)
        where = f"stream '{self.stream}' of video '{video.name}'"
        if features.shape != (*self.index[video.name][1:], self.dim):
            fail(f"{where} changed while it was packed", hint="wait until nothing writes to the store")
        check_finite(features, where)
        with np.errstate(over="ignore"):
            packed = np.ascontiguousarray(features, self.dtype)
        if not np.isfinite(packed).all():
            fail(
                f"{where} holds {float(np.abs(features).max()):g}, beyond the largest float16",
                hint="pack it as float32",
            )
        file.write(packed.data)
        return packed.nbytes

    def _index(self) -> dict[str, tuple[int, int, int]]:
        index, first = {}, 0
        for video in self.videos:
            crops, t, _ = self.features.shape(video, self.stream)
            index[video.name] = (first, crops, t)
            first += crops * t
        return index

    def _mark(self) -> str:
        """Return a name for exactly these files, by their sizes and times."""
        about = [(path.stat().st_size, path.stat().st_mtime_ns) for v in self.videos for path in self._paths(v)]
        described = json.dumps([self.index, about, self.store.recipes[self.stream]], sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()[:8]

    def _paths(self, video: Video) -> tuple[Path, ...]:
        return self.features.paths(video, self.stream)

    def _paths_of(self) -> Callable[[str], Sequence[Path]]:
        by_name = {video.name: video for video in self.videos}
        return lambda name: self._paths(by_name[name]) if name in by_name else ()


def _known(store: Store, streams: Sequence[str]) -> list[str]:
    problems = []
    for name in streams:
        if name not in store.dims:
            hint = did_you_mean(name, store.dims) or f"it has {', '.join(store.dims)}"
            problems.append(Problem(f"{store.root}: the store has no stream '{name}'", hint=hint))
    if problems:
        raise VadkitError(problems)
    return [name for name in store.dims if not streams or name in streams]


def _with_features(store: Store, features: StoredFeatures, stream: str) -> tuple[Video, ...]:
    """Return the videos, but those that are declared to lack the stream. Raises VadkitError for others without it."""
    videos = tuple(video for video in store.videos if not features.is_left_out(video, stream))
    problems = [
        Problem(
            f"{path}: is missing; it should hold stream '{stream}' of video '{video.name}'",
            hint=f"put it back, or take the video out of {store.root / VIDEOS}",
        )
        for video in videos
        for path in features.missing(video, stream)[:1]
    ]
    if problems:
        raise VadkitError(problems)
    return videos


def _set_packed(store: Store, stream: str, packed: str | None) -> None:
    """Write into store.json which file a stream is packed in."""
    head = load_head(store.root)
    stream_head = {key: value for key, value in head["streams"][stream].items() if key != "packed"}
    head["streams"][stream] = stream_head if packed is None else {**stream_head, "packed": packed}
    write_head(store.root, head)


def _delete_others(store: Store, stream: str, kept: str | None) -> None:
    """Delete the packed files of a stream but one: the ones before, and what a killed process left.

    Only while no other process packs the store, and if the original files are all there.
    """
    for entry in sorted(os.scandir(store.root), key=lambda entry: entry.name):
        pack = Path(entry.path).with_suffix(".npy")
        if entry.name.endswith((".npy", ".json")) and pack.name != kept and is_pack_name(pack.name, stream):
            Path(entry.path).unlink(missing_ok=True)
    remove_leftovers(store.root)
