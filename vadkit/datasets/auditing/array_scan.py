"""Look at every feature file of a store once: its shape, what is wrong with its rows, and a fingerprint.

Two passes over the numbers, largest and smallest of each row, tell NaN, infinity and constant rows, and
together with the first and last row make a fingerprint of the content. Files are looked at in threads: numpy
lets go of the interpreter meanwhile.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from vadkit.datasets.auditing.finding import Finding
from vadkit.problems import VadkitError
from vadkit.store.index import Store
from vadkit.store.reader import StoredFeatures
from vadkit.store.text_file import text_shape
from vadkit.video import Video

Progress = Callable[[str, int, int], None]
AT_ONCE = 2**14  # rows of a look; more would not stay in the cache
AGAIN = "make the file again, or get it again"


@dataclass
class Looked:
    """One stream of one video. ``lengths`` are t by file, or by crop of a file that holds all crops."""

    video: Video
    stream: str
    paths: tuple[Path, ...]
    missing: list[Path] = field(default_factory=list)
    broken: list[tuple[Path, str]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    prints: list[bytes] = field(default_factory=list)  # one per crop; empty if only headers were read
    rows: list[Finding] = field(default_factory=list)

    @property
    def t(self) -> int | None:
        """Snippets of the first crop; None if no file could be read."""
        return self.lengths[0] if self.lengths else None


def look(store: Store, content: bool = True, progress: Progress | None = None) -> list[Looked]:
    """Look at every stream of every video.

    Args:
        store: what to look at.
        content: read the numbers, not only headers.
        progress: is told how far it is.
    """
    stored = StoredFeatures(store)
    jobs = [(video, stream) for video in store.videos for stream in store.dims]
    looked: list[Looked] = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        todo = iter(jobs)
        # A few at a time, so that an interrupt ends it soon.
        while batch := list(islice(todo, 64)):
            looked += pool.map(lambda job: _look(stored, job[0], job[1], content), batch)
            if progress:
                progress("reading features" if content else "reading headers", len(looked), len(jobs))
    return looked


def _look(stored: StoredFeatures, video: Video, stream: str, content: bool) -> Looked:
    found = Looked(video, stream, stored.paths(video, stream))
    if stream in stored.store.packed:
        _look_packed(stored, found, content)
        return found
    for number, path in enumerate(found.paths):
        if not path.exists():
            found.missing.append(path)
            continue
        try:
            if not content and path.suffix == ".txt":
                found.lengths.append(text_shape(path)[0])
                continue
            features = stored.open_file(path, video, stream)
        except VadkitError as error:
            found.broken.append((path, error.problems[0].message))
            continue
        _take(found, features, path, number if len(found.paths) > 1 else None, content)
    return found


def _look_packed(stored: StoredFeatures, found: Looked, content: bool) -> None:
    try:
        features = stored.read(found.video, found.stream)
    except VadkitError as error:
        found.broken.append((found.paths[0], error.problems[0].message))
        return
    _take(found, features, found.paths[0], None, content)


def _take(found: Looked, features: np.ndarray, path: Path, crop: int | None, content: bool) -> None:
    """Add what (crops, t, dim) ``features`` are; ``crop`` is their number where a file holds one."""
    for number, rows in enumerate(features):
        found.lengths.append(len(rows))
        if not content:
            continue
        high, low = extremes(rows)
        found.prints.append(_print(rows, high, low))
        which = crop if crop is not None else number if len(features) > 1 else None
        found.rows += _odd_rows(found, path, which, high, low, rows)


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


def _odd_rows(
    found: Looked, path: Path, crop: int | None, high: np.ndarray, low: np.ndarray, rows: np.ndarray
) -> list[Finding]:
    where = f"stream '{found.stream}'" + ("" if crop is None else f", crop {crop}")
    finite = np.isfinite(high) & np.isfinite(low)
    odd = []
    if not finite.all():
        kind = "NaN" if np.isnan(high).any() else "infinity"
        odd.append(Finding("nan", f"{where}: {kind} in {_rows(~finite)}", AGAIN, found.video.name, str(path)))
    constant = finite & (high == low)
    if constant.any():
        number = high[np.flatnonzero(constant)[0]]
        what = f"{where}: one number, {number:g}, fills {_rows(constant)}"
        todo = "was padding or a failed clip stored? " + AGAIN
        odd.append(Finding("constant", what, todo, found.video.name, str(path)))
    elif len(rows) > 1 and finite.all() and np.ptp(high) == np.ptp(low) == 0 and (rows == rows[0]).all():
        what = f"{where}: all {len(rows)} rows are the same"
        todo = "was one frame read again and again? " + AGAIN
        odd.append(Finding("frozen", what, todo, found.video.name, str(path)))
    return odd


def _rows(marked: np.ndarray) -> str:
    """Say which rows are marked."""
    rows = np.flatnonzero(marked)
    if len(rows) == len(marked):
        return f"all {len(rows)} rows"
    return f"row {rows[0]}" if len(rows) == 1 else f"{len(rows)} of {len(marked)} rows, the first is {rows[0]}"


def by_video(looked: Sequence[Looked]) -> dict[str, list[Looked]]:
    """Return what was found by video, streams in the order of the store."""
    found: dict[str, list[Looked]] = {}
    for one in looked:
        found.setdefault(one.video.name, []).append(one)
    return found
