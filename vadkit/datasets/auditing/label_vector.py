"""What is wrong with a flat vector of frame labels, as published code reads it, and with which video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vadkit.datasets.annotations import Annotated, Intervals
from vadkit.datasets.auditing.label_grids import Grid, grids
from vadkit.datasets.auditing.label_reading import (
    OF_LIST,
    OFFICIAL,
    RULES,
    Reading,
    agrees,
    best_reading,
    from_both_ends,
    orders,
    read_labels,
    runs,
    shift_of,
    vector,
)
from vadkit.store.check.finding import Finding

# Names that carry a stray .mp4 in the published list of intervals of XD-Violence: an exact join loses them.
STRAY = frozenset(
    {
        "v=U6MC8JJJZSY__#1_label_G-0-0",
        "v=FW_qbiPH7UA__#1_label_B1-0-0",
        "v=aWPWHU8x6kE__#1_label_B4-0-0",
        "The.Fast.and.the.Furious.2001__#00-29-00_00-29-52_label_B2-G-0",
        "v=LJ0Pu5_Mefs__#1_label_G-0-0",
        "The.Fast.and.the.Furious.2001__#01-24-18_01-25-05_label_B6-0-0",
        "v=Y1hxr1MWLjM__#1_label_B1-0-0",
        "The.Fast.and.the.Furious.2001__#01-37-40_01-38-30_label_B6-0-0",
        "v=BpargJW29Wo__#00-00-50_00-01-30_label_B1-0-0",
        "v=UYFR-XbyZQc__#00-01-19_00-02-42_label_G-0-0",
        "v=Q9Re4CnFJRg__#00-01-21_00-01-47_label_G-0-0",
        "v=PRH5rYUHoVU__#00-00-25_00-02-50_label_B6-0-0",
        "v=qmsQ-obL1Z4__#00-03-26_00-04-04_label_B6-0-0",
        "v=f6j3YWgVBto__#00-06-16_00-06-51_label_B6-0-0",
    }
)
BUILD = "do not use the file: vadkit makes labels from intervals, on each feature file's own snippets"


def check_truth(
    path: Path,
    videos: Sequence[Annotated],
    rule: Intervals,
    snippets: Sequence[Mapping[str, int]] = (),
    listed: Sequence[str] | None = None,
) -> list[Finding]:
    """Return what is wrong with a label file.

    Args:
        path: .npy of one label, 0 or 1, per frame.
        videos: the test videos, in the official order.
        rule: how the store reads intervals.
        snippets: of the features at hand, by video, for each stream.
        listed: names in the order of the list file that goes with the labels; None is the official order.

    Raises VadkitError if the file cannot be read.
    """
    labels = read_labels(path)
    found = _values(path, labels)
    if found:
        labels = (labels > 0.5).astype(np.int8)
    tried = grids(videos, snippets)
    reading = best_reading(labels, tried, videos, listed)
    if reading is None or _is_longer(labels, reading, tried):
        return [*found, _other_length(path, labels, tried, videos, listed)]
    found += _length(path, reading, tried)
    shift = shift_of(labels, reading)
    if shift:
        what = f"all {len(labels)} labels come {abs(shift)} frames too {'late' if shift > 0 else 'early'}"
        return [*found, Finding("truth-shift", what, BUILD, reading.videos[0].name, str(path))]
    if reading.agree == 0:
        return [*found, _unknown(path, labels, reading)]
    return found + _order(path, reading, listed) + _rule(path, reading, rule) + _videos(path, labels, reading)


def _values(path: Path, labels: np.ndarray) -> list[Finding]:
    wrong = np.flatnonzero(~np.isin(labels, (0, 1)))
    if not len(wrong):
        return []
    what = f"{len(wrong)} labels are neither 0 nor 1, the first is label {wrong[0]}, {labels[wrong[0]]:g}"
    return [Finding("truth-values", what, "write 0 or 1 for every frame", file=str(path))]


# -- the vector as a whole -----------------------------------------------------------------------
def _length(path: Path, reading: Reading, tried: Sequence[Grid]) -> list[Finding]:
    """The vector fits some snippets; are they those of the features?"""
    own = next((grid for grid in tried if grid.own), None)
    if own is None or any(grid.own and grid.frames == reading.grid.frames for grid in tried):
        return []
    apart = [v.name for v in reading.videos if own.frames[v.name] != reading.grid.frames[v.name]]
    what = (
        f"{reading.grid.total} labels, but {own.what} make {own.total}{_more(reading.grid.total - own.total)}. They "
        f"are for {reading.grid.what}: {len(apart)} videos differ, and after this one labels belong to other frames"
    )
    return [Finding("truth-length", what, BUILD, apart[0], str(path))]


def _more(difference: int) -> str:
    return f", {abs(difference)} {'fewer' if difference > 0 else 'more'}" if difference else ", otherwise spread"


def _is_longer(labels: np.ndarray, reading: Reading, tried: Sequence[Grid]) -> bool:
    """Return whether the vector is as long as others' by chance: on the features' own snippets more videos agree."""
    own = [grid for grid in tried if grid.own]
    if reading.grid.own or not own or reading.agree == sum(video.label for video in reading.videos):
        return False
    return sum(from_both_ends(labels, own, reading.videos)) >= len(reading.videos) - 1


def _other_length(
    path: Path, labels: np.ndarray, tried: Sequence[Grid], videos: Sequence[Annotated], listed: Sequence[str] | None
) -> Finding:
    """The vector fits no known snippets. Where does it differ?"""
    if not tried:
        return Finding("truth-length", f"{len(labels)} labels, and no length to compare with", BUILD, file=str(path))
    ordered = next(iter(orders(videos, listed).values()))
    before, after = from_both_ends(labels, tried, ordered)
    first = ordered[min(before, len(ordered) - 1)].name
    if before == len(ordered):
        where = "the difference is at the end"
    elif after == len(ordered):
        where, first = "the difference is at the beginning", ordered[0].name
    else:
        where = f"the first {before} videos agree, counted from the end the last {after}; the difference is between"
    own = tried[0]
    others = "; ".join(f"{grid.total} would be {grid.what}" for grid in tried[1:])
    what = f"{len(labels)} labels, but {own.what} make {own.total}{_more(len(labels) - own.total)}; {where}"
    return Finding("truth-length", what + (f" ({others})" if others else ""), BUILD, first, str(path))


def _unknown(path: Path, labels: np.ndarray, reading: Reading) -> Finding:
    positive, expected = int((labels > 0.5).sum()), int(reading.expected().sum())
    what = f"no abnormal video agrees in any order, by any rule; {positive} labels are positive, not {expected}"
    todo = f"is it of this data set? name its list with --labels-list; else {BUILD}"
    return Finding("truth-order", what, todo, file=str(path))


def _order(path: Path, reading: Reading, listed: Sequence[str] | None) -> list[Finding]:
    right = OF_LIST if listed is not None else OFFICIAL
    if reading.order == right:
        return []
    what = f"labels are in another order of videos: {reading.order}, not {right}"
    todo = f"name the list they belong to (--labels-list); else {BUILD}"
    return [Finding("truth-order", what, todo, reading.videos[0].name, str(path))]


def _rule(path: Path, reading: Reading, rule: Intervals) -> list[Finding]:
    other = [v.name for v in reading.videos if v.intervals(rule) != v.intervals(reading.rule)]
    if reading.rule == rule or not other:
        return []
    what = (
        f"intervals are read {RULES[reading.rule]} ({reading.rule}), by the store {RULES[rule]} ({rule}); {len(other)} "
        "videos differ, this is the first"
    )
    todo = f"to compare with figures on this file, import with --intervals {reading.rule}; else {BUILD}"
    return [Finding("truth-rule", what, todo, other[0], str(path))]


# -- single videos -------------------------------------------------------------------------------
def _videos(path: Path, labels: np.ndarray, reading: Reading) -> list[Finding]:
    """Videos whose labels are not those of their intervals: lost classes, lost names, others."""
    wrong = {
        video.name: (video, labels[start:end])
        for video, start, end in reading.parts()
        if not agrees(labels[start:end], video, reading.rule)
    }
    lost = {name for name, (video, own) in wrong.items() if video.label and not own.any()}
    whole = f"whole file: {int((labels > 0.5).sum())} positive, intervals make {int(reading.expected().sum())}"
    found, reported = [], set()
    for name, videos in _lost_classes(reading, lost).items():
        reported |= {video.name for video in videos}
        frames = sum(int(vector(v, reading.rule, reading.grid.frames[v.name]).sum()) for v in videos)
        what = f"class {name}: labels of all {len(videos)} videos are 0, intervals make {frames} frames 1 ({whole})"
        found.append(Finding("truth-class", what, BUILD, videos[0].name, str(path)))
    stray = sorted((lost - reported) & STRAY)
    for name in stray:
        what = (
            f"labels are all 0: its name carries a stray .mp4 in the published intervals, as those of {len(stray)} "
            f"videos here, so an exact join lost them ({whole})"
        )
        found.append(Finding("truth-name", what, BUILD, name, str(path)))
    rest = [(video, own) for name, (video, own) in wrong.items() if name not in reported and name not in stray]
    return found + [_other_labels(path, video, own, reading.rule) for video, own in rest]


def _lost_classes(reading: Reading, lost: set[str]) -> dict[str, list[Annotated]]:
    """Return the classes of which every video, of two or more, lost its labels."""
    members: dict[str, list[Annotated]] = {}
    for video in reading.videos:
        if video.label and video.classes:
            members.setdefault(video.classes[0], []).append(video)
    return {
        name: videos
        for name, videos in members.items()
        if len(videos) > 1 and all(video.name in lost for video in videos)
    }


def _other_labels(path: Path, video: Annotated, own: np.ndarray, rule: Intervals) -> Finding:
    expected = vector(video, rule, len(own))
    differ = int((own != expected).sum())
    if not video.label:
        what = f"{differ} frames of a normal video are labelled abnormal"
    elif not own.any():
        what = f"labels are all 0, intervals make {int(expected.sum())} frames abnormal"
    else:
        what = f"{differ} of {len(expected)} labels differ: {runs(own)} instead of {runs(expected)}"
    return Finding("truth-video", what, BUILD, video.name, str(path))
