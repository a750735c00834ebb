"""Look at every file of a store: is it there, whole, finite, of the right shape, and as the manifest says?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vadkit.problems import VadkitError
from vadkit.store.align import misaligned
from vadkit.store.array_file import check_finite
from vadkit.store.check.arrays import check_array
from vadkit.store.check.findings import Finding, Report, from_problems
from vadkit.store.check.indexes import Indexes, check_indexes, read_indexes, strangers
from vadkit.store.check.packs import check_packs
from vadkit.store.index import Store
from vadkit.store.manifest import source_of
from vadkit.store.names import VIDEOS
from vadkit.store.reader import originals, without_originals

Progress = Callable[[int, int], None]  # arrays done, arrays in all


def verify(root: Path | str, videos: bool = False, progress: Progress | None = None) -> Report:
    """Return what is wrong with the store in ``root``.

    Args:
        videos: also look whether the video files are those that the features were made of.
        progress: called after each array.

    Raises VadkitError if there is no store.
    """
    root = Path(root)
    indexes, findings = read_indexes(root)
    report = Report(root, findings=findings)
    report.findings += check_indexes(indexes)
    store = indexes.store
    alone = without_originals(store) if store is not None else set()
    if indexes.has_manifest:
        _by_manifest(indexes, alone, report, progress)
    elif store is not None:
        report.notes.append("there is no manifest, so nobody knows what the files held when they were made")
        _by_store(store, alone, report, progress)
    if store is not None:
        report.findings += check_packs(store, alone)
        report.notes += store.warnings
    report.notes += [f"stream '{stream}' is only in its pack: its own files are gone" for stream in sorted(alone)]
    broken = len(indexes.lines) - len(indexes.done)
    if broken:
        report.notes.append(f"{broken} videos could not be used when the store was made; the manifest says why")
    left = [path.name for path in (*root.glob(".vadkit-*"), *root.glob("*/.vadkit-*"))]
    if left:
        told = "temporary files of a run that was killed; the next 'vadkit extract' removes them"
        report.notes.append(f"{len(left)} {told}")
    if videos:
        report.findings += _sources(indexes)
    return report


def _by_manifest(indexes: Indexes, alone: set[str], report: Report, progress: Progress | None) -> None:
    wanted = [
        (f"{stream}/{name}.npy", indexes.dims.get(stream), array)
        for name, line in indexes.done.items()
        for stream, array in line.arrays.items()
        if stream not in alone
    ]
    report.videos = len(indexes.done)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashing and mapping let other threads run
        for findings, size in pool.map(lambda given: check_array(report.root, *given), wanted):
            report.findings += findings
            report.arrays, report.bytes = report.arrays + 1, report.bytes + size
            if progress:
                progress(report.arrays, len(wanted))
    report.findings += strangers(indexes)


def _by_store(store: Store, alone: set[str], report: Report, progress: Progress | None) -> None:
    """Look at what store.json and videos.json name, wherever it lies."""
    try:
        stored = originals(store, alone)
    except VadkitError:  # a pack without which there is nothing to look at; it is told with the packs
        return
    report.videos = len(store.videos)
    total = len(store.videos) * len(store.dims)
    for video in store.videos:
        counts = {}
        for stream in store.dims:
            try:
                features = stored.read(video, stream)
                check_finite(features, f"video '{video.name}', stream '{stream}'")
                counts[stream], report.bytes = features.shape[1], report.bytes + features.nbytes
            except VadkitError as error:
                file = os.path.relpath(stored.paths(video, stream)[0], store.root)
                report.findings += from_problems(store.root, file, error.problems)
            report.arrays += 1
            if progress:
                progress(report.arrays, total)
        if counts:
            report.findings += from_problems(store.root, VIDEOS, misaligned(video.name, counts))


def _sources(indexes: Indexes) -> Iterator[Finding]:
    """Yield the videos whose files are gone or others than the features were made of."""
    if indexes.store is None:
        return
    for video in indexes.store.videos:
        line = indexes.done.get(video.name)
        if line is None or video.file is None or line.source is None:
            continue
        found = source_of(indexes.root / video.file)
        if found is None:
            yield Finding(video.file, f"the video of '{video.name}' is not there any more")
        elif found != line.source:
            yield Finding(
                video.file,
                f"the video of '{video.name}' is another one than its features were made of",
                "extract again: changed videos are made anew",
            )
