"""One thing that is wrong with a data set, for somebody who has to mend it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# What an audit can find. Notes are worth knowing, but nothing is wrong with the data.
KINDS = {
    "video-missing": "a video of the published data set that is not in the store",
    "video-unknown": "a video that the published data set has not got",
    "label": "label other than annotated",
    "split": "split other than published",
    "classes": "classes other than annotated",
    "intervals": "intervals other than annotated",
    "intervals-none": "an abnormal test video without intervals",
    "intervals-outside": "an interval behind the end of the features",
    "balance": "too few videos of a label or class",
    "file-missing": "a file of the store that is not there",
    "file-broken": "a file that cannot be read",
    "file-extra": "a feature file of no video",
    "crops": "another number of crops than other videos",
    "length-crops": "crops of one video differ in length",
    "length-streams": "streams of one video differ in length",
    "length-frames": "features longer or shorter than the video",
    "nan": "rows with NaN or infinity",
    "constant": "rows of one number",
    "frozen": "all rows are the same",
    "duplicate-split": "a training and a test video with the same features",
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
    "list-order": "lines that code which counts lines reads wrongly",
}


@dataclass(frozen=True)
class Finding:
    """``kind`` is one of ``KINDS``; ``fault`` is False for a note. ``video``, ``file`` are empty if it is of none."""

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
