"""Run all checks of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadkit.datasets.annotations import SNIPPET_FRAMES, Annotated, Annotations, interval_rule, read_annotations
from vadkit.datasets.auditing.against_annotation import check_counts, count_table
from vadkit.datasets.auditing.content import check_content
from vadkit.datasets.auditing.files import check_files, check_lengths
from vadkit.datasets.auditing.label_vector import check_truth
from vadkit.datasets.auditing.list_files import check_intervals, check_list
from vadkit.datasets.auditing.source_overlap import check_sources
from vadkit.files import cannot_read, open_file
from vadkit.problems import fail
from vadkit.store.check.array_scan import Progress, Scanned
from vadkit.store.check.finding import Finding, kinds
from vadkit.store.check.verify import verify
from vadkit.store.index import Store
from vadkit.store.sources import source_rule


@dataclass(frozen=True)
class LabelFiles:
    """Published label files. ``labels`` is a flat vector of frame labels of the test videos, .npy, in the order
    of the list of test videos in ``lists``; ``intervals`` is a text file."""

    labels: Path | None = None
    lists: Sequence[Path] = ()
    intervals: Path | None = None

    def __bool__(self) -> bool:
        return bool(self.paths())

    def paths(self) -> list[Path]:
        """Return the files that are given."""
        return [path for path in (self.labels, *self.lists, self.intervals) if path is not None]


@dataclass
class Checked:
    """What a check found. ``videos`` counts by split and class; ``streams`` are totals by split and stream.

    ``sources`` counts test videos that share their film or camera with training; None if names do not show them.
    """

    root: Path
    data_set: str | None = None
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)
    videos: list[dict[str, Any]] = field(default_factory=list)
    streams: list[dict[str, Any]] = field(default_factory=list)
    sources: dict[str, Any] | None = None

    @property
    def faults(self) -> int:
        """How many findings are faults."""
        return sum(finding.fault for finding in self.findings)

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "store": str(self.root),
            "data_set": self.data_set,
            "faults": self.faults,
            "bytes": self.bytes,
            "kinds": kinds(self.findings),
            "findings": [finding.plain() for finding in self.findings],
            "videos": self.videos,
            "streams": self.streams,
            "sources": self.sources,
        }


def check(
    root: Path | str,
    *,
    annotation: str | None = None,
    content: bool = True,
    videos: bool = False,
    label_files: LabelFiles | None = None,
    sources: str | None = None,
    progress: Progress | None = None,
) -> Checked:
    """Check the store in ``root``.

    Args:
        root: a store, or the index of an import.
        annotation: the published data set to check against; None is the one named in the store.
        content: read all numbers and hash the files; otherwise only headers and lengths.
        videos: also check whether the video files are those that the features were extracted from.
        label_files: published label files to check as well.
        sources: how names show which videos are of one film or camera; None is what the store or the data set says.
        progress: called with how much is done.

    Raises VadkitError if there is no store, and for a label file that cannot be read at all.
    """
    if sources is not None:
        source_rule(sources, "--sources")
    for path in label_files.paths() if label_files else ():  # before the arrays are read, which takes long
        try:
            open_file(path).close()
        except OSError as error:
            cannot_read(path, error)
    verified = verify(root, videos, content, progress)
    store, scanned = verified.store, verified.scanned
    result = Checked(verified.root, annotation, verified.bytes, verified.findings)
    if store is None:
        if label_files:
            fail(f"{root}: label files can only be checked if the store can be read", "fix the store first")
        return result
    result.data_set = annotation or store.data_set
    annotations = read_annotations(result.data_set) if result.data_set else None
    result.videos, result.streams = count_table(store, annotations), _streams(store, scanned)
    if label_files:
        result.findings += _check_label_files(label_files, store, scanned, annotations)
    result.findings += check_counts(store, annotations)
    result.findings += check_files(store, scanned, annotations)
    result.findings += check_lengths(store, scanned, annotations)
    result.findings += check_content(scanned)
    notes, result.sources = check_sources(store, annotations, sources)
    result.findings += notes
    return result


def _check_label_files(
    files: LabelFiles, store: Store, scanned: Sequence[Scanned], annotations: Annotations | None
) -> list[Finding]:
    # The intervals of your own videos were read by their rule when they were imported.
    rule = interval_rule(store.intervals) if annotations else "half_open"
    known = annotations.named() if annotations else {video.name: video for video in _own(store)}
    found: list[Finding] = []
    order: list[str] | None = None
    for path in files.lists:
        wrong, names = check_list(path, known)
        found += wrong
        if known[names[0]].split == "test":
            order = names
    if files.intervals is not None:
        found += check_intervals(files.intervals, known, rule)
    if files.labels is not None:
        tests = [video for video in known.values() if video.split == "test"]
        found += check_truth(files.labels, tests, rule, _lengths(store, scanned), order)
    return found


def _own(store: Store) -> list[Annotated]:
    """Return the store's own videos as annotated ones; the rule of intervals is already applied."""
    return [
        Annotated(video.name, video.split, video.label, video.classes, video.num_frames, None, video.spans)
        for video in store.videos
        if video.label is not None
    ]


def _lengths(store: Store, scanned: Sequence[Scanned]) -> list[dict[str, int]]:
    """Return snippets by video, for each stream; nothing if features are not of snippets of 16 frames."""
    if store.segments is not None or store.snippet_frames != SNIPPET_FRAMES:
        return []
    lengths: dict[str, dict[str, int]] = {stream: {} for stream in store.dims}
    for one in scanned:
        if one.t is not None:
            lengths[one.stream][one.video.name] = one.t
    return [*lengths.values()]


def _streams(store: Store, scanned: Sequence[Scanned]) -> list[dict[str, Any]]:
    rows = []
    for split in ("train", "val", "test"):
        for stream, dim in store.dims.items():
            own = [one for one in scanned if one.stream == stream and one.video.split == split]
            lengths = [one.t for one in own if one.t is not None]
            if own:
                rows.append(
                    {
                        "split": split,
                        "stream": stream,
                        "videos": len(lengths),
                        "of": len(own),
                        "width": dim,
                        "files": sum(len(one.paths) - one.missing for one in own),
                        "snippets": sum(lengths),
                        "shortest": min(lengths, default=0),
                        "longest": max(lengths, default=0),
                    }
                )
    return rows
