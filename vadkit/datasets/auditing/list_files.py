"""List files and files of intervals, as published code reads them: by exact name and by number of line.

``vadkit`` reads names as they are meant; such code does not, so a stray suffix or a missing line loses videos
silently.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vadkit.datasets.annotations import Annotated, Intervals, Spans
from vadkit.datasets.delimited import read_lines
from vadkit.datasets.importing.file_names import read_name
from vadkit.datasets.importing.list_files import read_list_file
from vadkit.problems import Problem, VadkitError, fail
from vadkit.store.check.finding import Finding
from vadkit.video import without_suffix

FRAME = re.compile(r"-?\d{1,12}", re.ASCII)


@dataclass(frozen=True)
class Line:
    """A line of a list: the video it means, whether its name carries a suffix of a video file, and its crop."""

    number: int
    video: str
    stray: str
    crop: int | None


def check_list(path: Path, known: Mapping[str, Annotated]) -> tuple[list[Finding], list[str]]:
    """Return what is wrong with a list file, and the videos it names, in order.

    Raises VadkitError if it cannot be read or names no video of ``known``.
    """
    lines, found = [], []
    for listed in read_list_file(path):
        name = re.split(r"[\\/]+", listed.path)[-1][:-4]
        reading = read_name(name, known)
        if reading is None:
            what = f"line {listed.place.line} names '{name}', which is no video of the data set"
            found.append(Finding("list-video", what, "delete the line, or correct it", name, str(path)))
            continue
        rest = name[len(reading.name) :] if name.startswith(reading.name) else ""
        stray = ".mp4" if re.search(r"\.mp4", rest) else ""
        lines.append(Line(listed.place.line, reading.name, stray, reading.crop))
    if not lines:
        fail(f"{path}: names no video of the data set", hint="is it a list of another data set?")
    videos = [*dict.fromkeys(line.video for line in lines)]
    found += [*_stray(path, [(line.number, line.video, line.stray) for line in lines]), *_apart(path, lines)]
    found += _complete(path, videos, known)
    return found, videos


def _stray(path: Path, named: Sequence[tuple[int, str, str]]) -> Iterator[Finding]:
    """Names that carry a suffix which the others do not."""
    carrying = {name: (number, suffix) for number, name, suffix in named if suffix}
    if len(carrying) == len({name for _, name, _ in named}):
        return
    for name, (number, suffix) in carrying.items():
        yield Finding(
            "list-name",
            f"line {number} names it with a stray '{suffix}', as {len(carrying)} videos are named: an "
            "exact join loses them",
            f"remove '{suffix}' from the name",
            name,
            str(path),
        )


def _apart(path: Path, lines: Sequence[Line]) -> Iterator[Finding]:
    """Crops of a video that are not on consecutive lines, or unequal in number: code takes line // crops."""
    runs: dict[str, list[int]] = {}
    for before, line in zip([None, *lines], lines):
        if before is None or before.video != line.video:
            runs.setdefault(line.video, []).append(line.number)
    for name, starts in runs.items():
        if len(starts) > 1:
            yield Finding(
                "list-order",
                f"its lines are not together (lines {starts[0]} and {starts[1]}): sound, which is taken "
                "by line number // crops, goes to other videos",
                "sort the list by video",
                name,
                str(path),
            )
    counts = Counter(line.video for line in lines)
    usual = Counter(counts.values()).most_common(1)[0][0]
    for name, count in counts.items():
        if count != usual:
            yield Finding(
                "list-order",
                f"it has {count} lines, most videos {usual}: after it line number // {usual} is wrong",
                "complete the list",
                name,
                str(path),
            )


def _complete(path: Path, videos: Sequence[str], known: Mapping[str, Annotated]) -> Iterator[Finding]:
    """A list is of one split, and of all of it, abnormal videos first: labels are taken from line numbers."""
    splits = [known[name].split for name in videos]
    split = max(set(splits), key=splits.count)
    for name in videos:
        if known[name].split != split:
            what = f"a {known[name].split} video in a list of {split} videos"
            yield Finding("list-video", what, "delete its lines", name, str(path))
    there = set(videos)
    for video in known.values():
        if video.split == split and video.name not in there:
            what = f"a {split} video that the list lacks: labels and sound taken by line number are wrong from here on"
            yield Finding("list-video", what, "add its lines", video.name, str(path))
    labels = [known[name].label for name in videos]
    if labels != sorted(labels, reverse=True):
        first = videos[next(i for i in range(1, len(labels)) if labels[i] > labels[i - 1])]
        yield Finding(
            "list-order",
            "an abnormal video after a normal one: code that takes labels from line numbers is wrong",
            "abnormal videos first",
            first,
            str(path),
        )


# -- intervals -----------------------------------------------------------------------------------
def check_intervals(path: Path, known: Mapping[str, Annotated], rule: Intervals) -> list[Finding]:
    """Return what is wrong with a text file of intervals: a line is NAME [CLASS] START END [START END ...].

    Raises VadkitError with every line that cannot be understood.
    """
    found, lines = [], _read_intervals(path)
    there, stray = set(), []
    for number, name, spans in lines:
        bare = without_suffix(name)
        video = known.get(name) or known.get(bare)
        if video is None:
            what = f"line {number} names '{name}', which is no video of the data set"
            found.append(Finding("list-name", what, "correct the name", name, str(path)))
            continue
        there.add(video.name)
        stray.append((number, video.name, "" if name == video.name else name[len(bare) :]))
        if video.split == "test" and spans not in (video.intervals(rule), video.spans):
            found.append(
                Finding(
                    "intervals",
                    f"line {number} says {_say(spans)}, the annotation {_say(video.spans)}",
                    "correct the line",
                    video.name,
                    str(path),
                )
            )
    found += _stray(path, stray)
    for video in known.values():
        if video.split == "test" and video.label and video.name not in there:
            what = "an abnormal test video without a line: its labels will be 0"
            found.append(Finding("intervals-none", what, "add its line", video.name, str(path)))
    return found


def _read_intervals(path: Path) -> list[tuple[int, str, Spans]]:
    found, problems = [], []
    for line in read_lines(path):
        parts = line.text.split()
        numbers = parts[2:] if len(parts) > 1 and not FRAME.fullmatch(parts[1]) else parts[1:]
        if not numbers or len(numbers) % 2 or not all(map(FRAME.fullmatch, numbers)):
            hint = "START and END are frames, of at most 12 digits"
            problems.append(Problem("the line is not NAME [CLASS] START END [START END ...]", line.place, hint))
            continue
        pairs = zip(map(int, numbers[::2]), map(int, numbers[1::2]))
        found.append((line.place.line, parts[0], tuple(pair for pair in pairs if pair != (-1, -1))))
    if problems:
        raise VadkitError(problems)
    if not found:
        fail(f"{path}: names no video")
    return found


def _say(spans: Spans) -> str:
    return " ".join(f"{start}-{end}" for start, end in spans[:4]) + (" ..." if len(spans) > 4 else "") or "none"
