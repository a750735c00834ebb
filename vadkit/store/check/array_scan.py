"""Read every feature file of a store once: its shape, what is wrong with it, and a fingerprint of its content.

A file is compared with its line of the manifest, if there is one: length, shape and SHA-256. Two passes over the
numbers, largest and smallest of each row, find NaN, infinity and constant rows, and together with the first and last
row make a fingerprint. Files are read in threads: numpy and hashing release the interpreter.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from vadkit.files import sha256, unreadable
from vadkit.presence import present_rows
from vadkit.problems import VadkitError
from vadkit.store.check.finding import Finding
from vadkit.store.manifest import Array
from vadkit.store.reader import StoredFeatures
from vadkit.store.text_file import text_shape
from vadkit.video import Video

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much
Arrays = Mapping[tuple[str, str], Array]  # by video and stream, as in the manifest
AT_ONCE = 2**14  # rows read together; more would not stay in the processor's cache
AGAIN = "extract or download the file again"
RERUN = "delete the file and rerun the original 'vadkit extract' command"
BACK = "put it back, or rerun the original command, 'vadkit extract' or 'vadkit store import'"


@dataclass
class Scanned:
    """One stream of one video. ``lengths`` are t by file, or by crop of a file that holds all crops.

    ``size`` is in bytes. ``unusable`` counts the files without a length, ``missing`` those that do not exist.
    ``prints`` has a fingerprint per crop, none if only headers were read or all rows are the same.
    """

    video: Video
    stream: str
    paths: tuple[Path, ...]
    array: Array | None = None
    unusable: int = 0
    missing: int = 0
    size: int = 0
    lengths: list[int] = field(default_factory=list)
    prints: list[bytes] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def t(self) -> int | None:
        """Snippets of the first crop; None if no file could be read."""
        return self.lengths[0] if self.lengths else None

    def add(self, kind: str, what: str, path: Path, todo: str = "", fault: bool = True) -> None:
        """Add a finding about one of the files."""
        todo = todo or (AGAIN if self.array is None else RERUN)
        self.findings.append(Finding(kind, what, todo, self.video.name, str(path), fault))


def scan(
    stored: StoredFeatures,
    videos: Sequence[Video],
    arrays: Arrays,
    content: bool = True,
    progress: Progress | None = None,
) -> list[Scanned]:
    """Scan every stream of the videos.

    Args:
        stored: reads the features.
        videos: those of the store, and those of its manifest.
        arrays: what the manifest says; empty if there is none. A stream of a video that it lacks is left out.
        content: read the numbers, not only headers.
        progress: called with how much is done.
    """
    jobs = [
        (video, stream)
        for video in videos
        for stream in stored.store.dims
        if (not arrays or (video.name, stream) in arrays) and not stored.is_left_out(video, stream)
    ]
    scanned: list[Scanned] = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        todo = iter(jobs)
        # A few at a time, so that an interrupt ends it soon.
        while batch := list(islice(todo, 64)):
            scanned += pool.map(lambda job: _scan(stored, job[0], job[1], arrays, content), batch)
            if progress:
                progress("reading features" if content else "reading headers", len(scanned), len(jobs))
    return scanned


def _scan(stored: StoredFeatures, video: Video, stream: str, arrays: Arrays, content: bool) -> Scanned:
    found = Scanned(video, stream, (), arrays.get((video.name, stream)))
    try:
        found.paths = stored.paths(video, stream)
    except VadkitError as error:  # a link that leads out of the store
        found.unusable += 1
        found.add("file-broken", error.problems[0].message, stored.store.root, error.problems[0].hint or "")
        return found
    if stored.is_packed(stream):
        _scan_packed(stored, found, content)
        return found
    for number, path in enumerate(found.paths):
        before = len(found.lengths)
        _scan_file(stored, found, path, number if len(found.paths) > 1 else None, content)
        found.unusable += len(found.lengths) == before
    return found


def _scan_packed(stored: StoredFeatures, found: Scanned, content: bool) -> None:
    found.array = None  # which describes the file that the stream was packed from
    try:
        features = stored.read(found.video, found.stream)
    except VadkitError as error:
        found.unusable += 1
        found.add("file-broken", error.problems[0].message, found.paths[0])
        return
    found.size = features.nbytes
    _take(found, features, found.paths[0], None, content)


def _scan_file(stored: StoredFeatures, found: Scanned, path: Path, crop: int | None, content: bool) -> None:
    """Add what is wrong with a file; ``crop`` is its number where there is a file per crop."""
    array = found.array
    if not _exists(found, path):
        return
    try:
        if not content and path.suffix == ".txt":
            found.lengths.append(text_shape(path)[0])
            return
        features = stored.open_file(path, found.video, found.stream)
    except VadkitError as error:
        found.add("file-broken", error.problems[0].message.removeprefix(f"{path}: "), path)
        return
    before = len(found.findings)
    _take(found, features, path, crop, content)
    if array is None:
        return
    if features.shape != (1, *array.shape)[-3:]:
        shape = features.shape[3 - len(array.shape) :]
        found.add("file-changed", f"has shape {[*shape]}, {array.shape} by the manifest", path)
    elif features.dtype != np.float32:
        found.add("file-changed", f"holds {features.dtype}; a store has float32", path)
    elif content and not any(finding.fault for finding in found.findings[before:]):
        digest = sha256(path)
        if digest != array.sha256:
            what = f"was changed: its SHA-256 is {digest[:16]}..., {array.sha256[:16]}... by the manifest"
            found.add("file-changed", what, path)


def _exists(found: Scanned, path: Path) -> bool:
    """Return whether there is a file of the length that the manifest says; add a finding if not."""
    array = found.array
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        found.missing += 1
        what = f"is missing; it should hold stream '{found.stream}'"
        found.add("file-missing", what, path, BACK)
        return False
    except OSError as error:
        found.add("file-broken", f"cannot be read: {unreadable(error)}", path)
        return False
    found.size += size
    if array is not None and size != array.bytes:
        how = "cut off" if size < array.bytes else "longer than it was"
        found.add("file-changed", f"is {how}: {size} bytes, {array.bytes} by the manifest", path)
        return False
    return True


def _take(found: Scanned, features: np.ndarray, path: Path, crop: int | None, content: bool) -> None:
    """Add what (crops, t, dim) ``features`` are; ``crop`` is their number where a file holds one."""
    for number, rows in enumerate(features):
        found.lengths.append(len(rows))
        if not content:
            continue
        high, low = extremes(rows)
        which = crop if crop is not None else number if len(features) > 1 else None
        if not _check_rows(found, path, which, high, low, rows):
            found.prints.append(_print(rows, high, low))


def extremes(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest and the smallest number of each row of (t, dim); NaN if one is in it."""
    parts = [rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)]
    with np.errstate(invalid="ignore"):
        pairs = [(part.max(axis=1), part.min(axis=1)) for part in parts]
    return np.concatenate([high for high, _ in pairs]), np.concatenate([low for _, low in pairs])


def _print(rows: np.ndarray, high: np.ndarray, low: np.ndarray) -> bytes:
    """Return a fingerprint; the same features in another file, or with another kind of header, have the same."""
    digest = hashlib.blake2b(repr((rows.shape, rows.dtype.str)).encode(), digest_size=16)
    for part in (high, low, rows[0], rows[-1]):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.digest()


def _check_rows(
    found: Scanned, path: Path, crop: int | None, high: np.ndarray, low: np.ndarray, rows: np.ndarray
) -> bool:
    """Add what is wrong with the numbers; return whether all rows are the same.

    Constant rows of a file that is as it was extracted are no fault: silence sounds the same everywhere. Those that the
    video is known to lack are nothing to speak of.
    """
    where = f"stream '{found.stream}'" + ("" if crop is None else f", crop {crop}")
    finite = np.isfinite(high) & np.isfinite(low)
    fault = found.array is None
    if not finite.all():
        kind = "NaN" if np.isnan(high).any() else "infinity"
        found.add("nan", f"{where}: {kind} in {_rows(~finite)}", path)
    there = present_rows(found.video.absent.get(found.stream, ()), len(rows)) > 0
    constant = finite & there & (high == low)
    same = len(rows) > 1 and bool(finite.all()) and bool(np.ptp(high) == np.ptp(low) == 0 and (rows == rows[0]).all())
    if constant.any():
        number = high[np.flatnonzero(constant)[0]]
        what = f"{where}: one number, {number:g}, fills {_rows(constant)}"
        found.add("constant", what, path, f"was padding or a failed clip stored? {AGAIN}", fault)
    elif same and there.any():
        what = f"{where}: all {len(rows)} rows are the same"
        found.add("frozen", what, path, f"was one frame read again and again? {AGAIN}", fault)
    return same


def _rows(marked: np.ndarray) -> str:
    """Say which rows are marked."""
    rows = np.flatnonzero(marked)
    if len(rows) == len(marked):
        return f"all {len(rows)} rows"
    return f"row {rows[0]}" if len(rows) == 1 else f"{len(rows)} of {len(marked)} rows, the first is {rows[0]}"


def by_video(scanned: Sequence[Scanned]) -> dict[str, list[Scanned]]:
    """Return what was found by video, streams in the order of the store."""
    found: dict[str, list[Scanned]] = {}
    for one in scanned:
        found.setdefault(one.video.name, []).append(one)
    return found
