"""All checks of a store, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vadkit.datasets.annotations import SNIPPET_FRAMES, Annotated, interval_rule, read_annotations
from vadkit.datasets.auditing.against_annotation import check_counts, count_table
from vadkit.datasets.auditing.array_scan import Looked, Progress, look
from vadkit.datasets.auditing.content import check_content
from vadkit.datasets.auditing.files import check_files, check_lengths
from vadkit.datasets.auditing.finding import Finding, kinds
from vadkit.datasets.auditing.label_vector import check_truth
from vadkit.datasets.auditing.list_files import check_intervals, check_list
from vadkit.problems import VadkitError
from vadkit.store.index import Store, read_store
from vadkit.store.reader import StoredFeatures


@dataclass
class Audit:
    """What an audit found. ``videos`` counts by split and class; ``snippets`` are totals by split and stream."""

    store: Path
    data_set: str | None
    findings: list[Finding] = field(default_factory=list)
    videos: list[dict[str, Any]] = field(default_factory=list)
    snippets: list[dict[str, Any]] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """How many findings are faults."""
        return sum(finding.fault for finding in self.findings)

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "store": str(self.store),
            "data_set": self.data_set,
            "faults": self.faults,
            "kinds": kinds(self.findings),
            "findings": [finding.plain() for finding in self.findings],
            "videos": self.videos,
            "streams": self.snippets,
        }


def audit(
    root: Path,
    *,
    data_set: str | None = None,
    content: bool = True,
    legacy_truth: Path | None = None,
    legacy_lists: Sequence[Path] = (),
    legacy_intervals: Path | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Check the store in ``root``.

    Args:
        root: a store, or the index of an import.
        data_set: the published one it should be; None is what the store says.
        content: read all numbers, for NaN, constant rows and duplicates; otherwise only headers.
        legacy_truth: a flat vector of frame labels of the test videos, .npy.
        legacy_lists: list files; that of test videos gives the order of ``legacy_truth``.
        legacy_intervals: a text file of intervals.
        progress: is told how far it is.

    Raises VadkitError for a store or a file that cannot be read at all.
    """
    store = read_store(root)
    name = data_set or store.data_set
    annotations = read_annotations(name) if name else None
    result = Audit(root, name, videos=count_table(store, annotations))
    # The intervals of your own videos were read by their rule when they were imported.
    rule = interval_rule(store.intervals) if annotations else "half_open"
    known = annotations.named() if annotations else {video.name: video for video in _own(store)}
    order: list[str] | None = None
    for path in legacy_lists:
        wrong, videos = check_list(path, known)
        result.findings += wrong
        if known[videos[0]].split == "test":
            order = videos
    if legacy_intervals is not None:
        result.findings += check_intervals(legacy_intervals, known, rule)
    store, found = _usable_packs(store)
    result.findings += found
    looked = look(store, content, progress)
    result.snippets = _snippets(store, looked)
    if legacy_truth is not None:
        tests = [video for video in known.values() if video.split == "test"]
        result.findings += check_truth(legacy_truth, tests, rule, _lengths(store, looked), order)
    result.findings += check_counts(store, annotations)
    result.findings += check_files(store, looked, annotations)
    result.findings += check_lengths(store, looked, annotations)
    result.findings += check_content(looked)
    return result


def _usable_packs(store: Store) -> tuple[Store, list[Finding]]:
    """Return the store without packed streams if they do not belong to its files any more, and what is wrong."""
    try:
        StoredFeatures(store)
    except VadkitError as error:
        todo = "pack the store again: vadkit features pack STORE"
        found = [Finding("file-broken", problem.message, todo, file=str(store.root)) for problem in error.problems]
        return replace(store, packed={}), found
    return store, []


def _own(store: Store) -> list[Annotated]:
    """Return the store's own videos as annotated ones. Its intervals are read already."""
    return [
        Annotated(video.name, video.split, video.label, video.classes, video.num_frames, None, video.spans)
        for video in store.videos
    ]


def _lengths(store: Store, looked: Sequence[Looked]) -> list[dict[str, int]]:
    """Return snippets by video, for each stream; nothing if features are not of snippets of 16 frames."""
    if store.segments is not None or store.snippet_frames != SNIPPET_FRAMES:
        return []
    lengths: dict[str, dict[str, int]] = {stream: {} for stream in store.dims}
    for one in looked:
        if one.t is not None:
            lengths[one.stream][one.video.name] = one.t
    return [*lengths.values()]


def _snippets(store: Store, looked: Sequence[Looked]) -> list[dict[str, Any]]:
    rows = []
    for split in ("train", "val", "test"):
        for stream, dim in store.dims.items():
            own = [one for one in looked if one.stream == stream and one.video.split == split]
            lengths = [one.t for one in own if one.t is not None]
            if own:
                rows.append(
                    {
                        "split": split,
                        "stream": stream,
                        "videos": len(lengths),
                        "of": len(own),
                        "width": dim,
                        "files": sum(len(one.paths) - len(one.missing) for one in own),
                        "snippets": sum(lengths),
                        "shortest": min(lengths, default=0),
                        "longest": max(lengths, default=0),
                    }
                )
    return rows
