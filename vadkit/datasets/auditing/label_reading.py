"""A flat vector of frame labels, and how to read it: whose snippets, in which order of videos, by which rule.

Such a vector says none of that. The ways that people have used are tried, and the one is taken by which most
abnormal videos agree with their intervals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vadkit.datasets.annotations import Annotated, Intervals
from vadkit.datasets.auditing.label_grids import Grid
from vadkit.files import cannot_read
from vadkit.npy_header import open_array
from vadkit.problems import fail

RULES: Mapping[Intervals, str] = {
    "half_open": "without their last frame",
    "closed": "with their last frame",
    "umil": "as the authors of UMIL changed them",
}
MOST = 10**9  # labels: a year of frames
OF_LIST, OFFICIAL = "as in the list", "as in the official lists"


@dataclass(frozen=True)
class Reading:
    """A way to read a vector. ``agree`` is the number of abnormal videos whose labels are their intervals."""

    grid: Grid
    order: str
    videos: tuple[Annotated, ...]
    rule: Intervals
    agree: int = 0

    def parts(self) -> Iterator[tuple[Annotated, int, int]]:
        """Give (video, first label, label after the last)."""
        start = 0
        for video in self.videos:
            end = start + self.grid.frames[video.name]
            yield video, start, end
            start = end

    def expected(self) -> np.ndarray:
        """Return the labels that intervals make, int8."""
        return np.concatenate([vector(video, self.rule, end - start) for video, start, end in self.parts()])

    def agreeing(self, labels: np.ndarray) -> int:
        """Return how many abnormal videos agree."""
        return sum(agrees(labels[s:e], video, self.rule) for video, s, e in self.parts() if video.label)


def read_labels(path: Path) -> np.ndarray:
    """Return the labels (frames,). Raises VadkitError for what is no .npy of numbers."""
    try:
        labels = open_array(path)
    except OSError as error:
        cannot_read(path, error)
    except Exception:  # noqa: BLE001 - a damaged header raises a dozen kinds
        fail(f"{path}: is not a .npy file of numbers", hint="pickled objects are never loaded")
    if labels.dtype.kind not in "biuf" or labels.size == 0:
        fail(f"{path}: holds {labels.dtype}, not one number per frame")
    if labels.size > MOST:
        fail(f"{path}: holds {labels.size} labels; a data set has at most {MOST} frames")
    return labels.reshape(-1)


def vector(video: Annotated, rule: Intervals, frames: int) -> np.ndarray:
    """Return the labels of one video, int8 (frames,)."""
    labels = np.zeros(frames, np.int8)
    for start, end in video.intervals(rule):
        labels[start:end] = 1
    return labels


def agrees(labels: np.ndarray, video: Annotated, rule: Intervals) -> bool:
    """Return whether the labels of one video are those of its intervals. Labels after its last frame do not count:
    a filled-up last snippet repeats the last label in some files."""
    real = len(labels) if video.frames is None else min(len(labels), video.frames)
    return bool(np.array_equal(labels[:real], vector(video, rule, real)))


def orders(videos: Sequence[Annotated], listed: Sequence[str] | None) -> dict[str, tuple[Annotated, ...]]:
    """Return the orders that people have used, that of the list first if there is one."""
    found = {}
    if listed is not None:
        named = {video.name: video for video in videos}
        found[OF_LIST] = tuple(named[name] for name in listed if name in named)
    found[OFFICIAL] = tuple(videos)
    found["in order of name"] = tuple(sorted(videos, key=lambda video: video.name))
    found["normal videos first"] = tuple(sorted(videos, key=lambda video: video.label))
    return found


def best_reading(
    labels: np.ndarray, tried: Sequence[Grid], videos: Sequence[Annotated], listed: Sequence[str] | None
) -> Reading | None:
    """Return the reading by which most videos agree, of equals the first; None if no grid is as long."""
    best: Reading | None = None
    for grid in tried:
        for order, own in orders(videos, listed).items():
            if sum(grid.frames[video.name] for video in own) != len(labels):
                continue
            for rule in RULES:
                reading = Reading(grid, order, own, rule)
                agree = reading.agreeing(labels)
                if best is None or agree > best.agree:
                    best = replace(reading, agree=agree)
    return best


def from_both_ends(labels: np.ndarray, tried: Sequence[Grid], videos: Sequence[Annotated]) -> tuple[int, int]:
    """Return how many videos agree from the first on, and from the last back, by the best grid and rule."""
    counts = [
        (_run(labels, grid, videos, rule, True), _run(labels, grid, videos, rule, False))
        for grid in tried
        for rule in RULES
    ]
    return max(counts, key=sum)


def _run(labels: np.ndarray, grid: Grid, videos: Sequence[Annotated], rule: Intervals, forward: bool) -> int:
    place, count = 0, 0
    for video in videos if forward else reversed(videos):
        frames = grid.frames[video.name]
        start = place if forward else len(labels) - place - frames
        if start < 0 or start + frames > len(labels) or not agrees(labels[start : start + frames], video, rule):
            break
        place, count = place + frames, count + 1
    return count


def shift_of(labels: np.ndarray, reading: Reading) -> int:
    """Return by how many frames all labels come too late (below 0, too early); 0 if that is not what is wrong."""
    ones = np.flatnonzero(labels > 0.5)
    if not len(ones) or reading.agree > sum(video.label for video in reading.videos) // 2:
        return 0
    for rule in RULES:
        expected = replace(reading, rule=rule).expected()
        first = int(expected.argmax())
        # By the first edge, or by the second if the first was pushed out.
        for by in (int(ones[0]) - first, _second_edge(ones) - first):
            late, early = max(by, 0), max(-by, 0)
            same = labels[late : len(labels) - early] == expected[early : len(labels) - late]
            if by and late + early < len(labels) // 2 and np.mean(same) > 0.9999:
                return by
    return 0


def _second_edge(ones: np.ndarray) -> int:
    gaps = np.flatnonzero(np.diff(ones) > 1)
    return int(ones[gaps[0] + 1]) if len(gaps) else int(ones[0])


def runs(labels: np.ndarray) -> str:
    """Return where labels are 1, as intervals."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels > 0.5, [0]]).astype(np.int8)))
    spans = [f"{start}-{end}" for start, end in edges.reshape(-1, 2)]
    return " ".join(spans[:4]) + (" ..." if len(spans) > 4 else "") or "nothing"
