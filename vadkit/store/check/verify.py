"""Check every file of a store by itself: does it exist, is it whole, finite, of the right shape, and as the manifest
says?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vadkit.problems import VadkitError
from vadkit.store.check.array_scan import Progress, Scanned, scan
from vadkit.store.check.finding import Finding
from vadkit.store.check.indexes import Indexes, check_indexes, read_indexes
from vadkit.store.check.packs import check_packs
from vadkit.store.index import Store
from vadkit.store.manifest import source_of
from vadkit.store.names import array_name, stream_folder, video_file
from vadkit.store.reader import originals, without_originals
from vadkit.video import Video


@dataclass
class Verified:
    """What ``verify`` found. ``store`` is None if store.json or videos.json cannot be used."""

    root: Path
    store: Store | None = None
    scanned: list[Scanned] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not any(finding.fault for finding in self.findings)

    @property
    def notes(self) -> list[str]:
        return [finding.what for finding in self.findings if not finding.fault]

    @property
    def bytes(self) -> int:
        return sum(one.size for one in self.scanned)


def verify(root: Path | str, videos: bool = False, content: bool = True, progress: Progress | None = None) -> Verified:
    """Return what is wrong with the files of the store in ``root``.

    Args:
        videos: also check whether the video files are those that the features were extracted from.
        content: read all numbers and hash the files; otherwise only headers and lengths.
        progress: called with how much is done.

    Raises VadkitError if there is no store.
    """
    root = Path(root)
    indexes, findings = read_indexes(root)
    store = indexes.store
    alone = without_originals(store) if store is not None else set()
    result = Verified(root, store, _scan(indexes, alone, content, progress), findings)
    result.findings += check_indexes(indexes)
    result.findings += [finding for one in result.scanned for finding in one.findings]
    if indexes.has_manifest:
        result.findings += _unlisted(indexes)
    if store is not None:
        result.findings += check_packs(store, alone, content)
    if videos:
        result.findings += _sources(indexes)
    result.findings += _notes(indexes, alone)
    return result


def _scan(indexes: Indexes, alone: set[str], content: bool, progress: Progress | None) -> list[Scanned]:
    """Scan the files of the videos that videos.json or the manifest names."""
    store = indexes.store or indexes.by_manifest()
    try:
        stored = originals(store, alone)
    except VadkitError:  # a pack without which there is nothing to read; it is reported with the packs
        return []
    known = {video.name for video in store.videos}
    more = [_video(name, indexes) for name in indexes.done if name not in known]
    arrays = {(name, stream): array for name, line in indexes.done.items() for stream, array in line.arrays.items()}
    return scan(stored, [*store.videos, *more], arrays, content, progress)


def _video(name: str, indexes: Indexes) -> Video:
    line = indexes.done[name]
    return Video(name, "test", 0, num_frames=line.num_frames, fps=line.fps)


def _unlisted(indexes: Indexes) -> Iterator[Finding]:
    """Yield the array files that the manifest does not name."""
    for stream in indexes.dims:
        folder = stream_folder(indexes.root, stream)
        names = {array_name(name) for name, line in indexes.done.items() if stream in line.arrays}
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name) if folder.is_dir() else ():
            if entry.name not in names and not entry.name.startswith(".vadkit-"):
                what = "is not in the manifest: how it was extracted is unknown"
                yield Finding("file-extra", what, "delete it, or let 'vadkit extract' write it", file=entry.path)


def _sources(indexes: Indexes) -> Iterator[Finding]:
    """Yield the videos whose files are gone or have changed."""
    for video in indexes.store.videos if indexes.store is not None else ():
        line = indexes.done.get(video.name)
        if line is None or video.file is None or line.source is None:
            continue
        path = video_file(indexes.root, video.file)
        found = source_of(path)
        if found is None:
            what, todo = f"the video of '{video.name}' is missing", "put it back, or leave out --videos"
        elif found != line.source:
            what = f"the video of '{video.name}' differs from the file its features came from"
            todo = "rerun the original 'vadkit extract' command: changed videos are extracted again"
        else:
            continue
        yield Finding("source", what, todo, video.name, str(path))


def _notes(indexes: Indexes, alone: set[str]) -> Iterator[Finding]:
    """Yield what is no fault, but should be known."""
    root = indexes.root
    if not indexes.has_manifest:
        what = "there is no manifest: whether files have changed since they were written cannot be checked"
        yield Finding("manifest", what, fault=False)
    for stream in sorted(alone):
        yield Finding("pack", f"stream '{stream}' is only in its pack: its own files are gone", fault=False)
    broken = len(indexes.lines) - len(indexes.done)
    if broken:
        what = (
            f"{broken} video{'s' * (broken > 1)} could not be used when the store was extracted; the manifest says why"
        )
        yield Finding("manifest", what, fault=False)
    left = [*root.glob(".vadkit-*"), *root.glob("*/.vadkit-*")]
    if left:
        what = f"{len(left)} temporary files of a command that was killed; the next one that writes there "
        what += "removes them"
        yield Finding("file-extra", what, fault=False)
