"""One thing that is wrong with a store, for somebody who has to fix it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vadkit.problems import Problem

# What a check can find. Notes are worth knowing, but nothing is wrong with the data.
KINDS = {
    "index": "store.json or videos.json that is broken or contradicts itself",
    "manifest": "a manifest that is broken or contradicts the other files",
    "recipe": "a recipe that contradicts itself or another stream's",
    "pack": "a packed stream that differs from its files",
    "source": "a video file that is missing or has changed",
    "video-missing": "a video of the published data set that is not in the store",
    "video-unknown": "a video that is not in the published data set",
    "label": "label other than annotated",
    "split": "split other than published",
    "classes": "classes other than annotated",
    "intervals": "intervals other than annotated",
    "intervals-none": "an abnormal test video without intervals",
    "intervals-outside": "an interval after the end of the features",
    "balance": "too few videos of a label or class",
    "file-missing": "a missing file of the store",
    "file-broken": "a file that cannot be read",
    "file-changed": "a file that is not as the manifest says",
    "file-extra": "an unlisted feature file",
    "crops": "another number of crops than other videos",
    "length-crops": "crops of one video differ in length",
    "length-streams": "streams of one video differ in length",
    "length-frames": "features longer or shorter than the video",
    "nan": "rows with NaN or infinity",
    "constant": "rows of one number",
    "frozen": "all rows are the same",
    "duplicate-split": "a training and a test video with the same features",
    "source-overlap": "test videos of a film, channel or camera that training has, too",
    "duplicate": "two videos with the same features",
    "crops-same": "crops of one video with the same features",
    "truth-values": "labels other than 0 and 1",
    "truth-length": "a label file of another length than the features",
    "truth-shift": "labels shifted by some frames",
    "truth-order": "labels in another order of videos",
    "truth-rule": "intervals read by another rule",
    "truth-class": "a class whose labels are all 0",
    "truth-name": "labels lost because of a stray .mp4 in a name",
    "truth-video": "labels of a video that differ",
    "list-name": "a name in a list that is not exactly a video's",
    "list-video": "a list with videos too many or too few",
    "list-order": "lines that code which counts lines misreads",
}


@dataclass(frozen=True)
class Finding:
    """``kind`` is one of ``KINDS``; ``fault`` is False for a note. ``video``, ``file`` are empty if there is none."""

    kind: str
    what: str
    todo: str = ""
    video: str = ""
    file: str = ""
    fault: bool = True

    def __post_init__(self) -> None:
        assert self.kind in KINDS, self.kind

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def from_problems(kind: str, path: Path, problems: Iterable[Problem], todo: str, video: str = "") -> list[Finding]:
    """Return the problems as findings of a file, without its name in front of each. ``todo`` is for those without."""
    found = []
    for problem in problems:
        where = f"line {problem.place.line}, column {problem.place.column}: " if problem.place else ""
        text = problem.message.removeprefix(f"{path}: ").removeprefix(f"{path} ")
        found.append(Finding(kind, where + text, problem.hint or todo, video, str(path)))
    return found


def kinds(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many faults there are of each kind, in the order of ``KINDS``."""
    counts = Counter(finding.kind for finding in findings if finding.fault)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def first_of_each(findings: Sequence[Finding], count: int) -> list[Finding]:
    """Return the first ``count`` of each kind, in the order of ``KINDS``, faults first."""
    shown = []
    for fault in (True, False):
        for kind in KINDS:
            shown += [f for f in findings if f.kind == kind and f.fault == fault][:count]
    return shown
