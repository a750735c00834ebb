"""A table of your own videos: which are abnormal, when, and what else you know.

    video,label,split,classes,intervals,clicks,frames,fps,scene,camera
    shop_door,abnormal,test,theft,120-180 300-365,,900,25,shop,2
    car_park,normal,train,,,,,,,
    lift,1,train,,,4.5s 12s,,25,,

Only ``video`` and ``label`` are required, in any order. A label is 0 or normal, 1 or abnormal, or a class; an empty one
is unknown. Intervals are START-END in frames, or in seconds with an s, which needs ``fps``; clicks are one frame, or
time, of each event. A video may be written with folders and the suffix of its file; where two have one name, a column
``name`` tells them apart. What ``scene`` and ``camera`` say becomes tags of the video, by which a data set can select.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from vadkit.datasets.delimited import Row, read_rows
from vadkit.datasets.importing.clicks import CLICK
from vadkit.labels import WRITE, Label, one_spelling, read_classes, read_label, spelling_notes
from vadkit.problems import Place, Problem, VadkitError, fail
from vadkit.store.names import is_plain_name
from vadkit.video import SPLITS, Video, same_name, without_suffix

# Names that a column may have -> ours.
COLUMNS = {
    "video": "video",
    "name": "name",
    "video_name": "name",
    "file": "file",
    "path": "file",
    "filename": "file",
    "label": "label",
    "labels": "label",
    "split": "split",
    "class": "classes",
    "classes": "classes",
    "intervals": "intervals",
    "spans": "intervals",
    "clicks": "clicks",
    "frames": "frames",
    "num_frames": "frames",
    "fps": "fps",
    "scene": "scene",
    "camera": "camera",
}
TAGS = ("scene", "camera")
SPLIT_WORDS = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
DIGITS = r"\d{1,12}"  # more of them are no number of frames or seconds
NUMBER = re.compile(rf"{DIGITS}(?:[.,]{DIGITS})?")
WHOLE = re.compile(rf"{DIGITS}(?:[.,]0)?")
INTERVAL = re.compile(rf"(?P<start>{DIGITS}(?:[.,]{DIGITS})?)-(?P<end>{DIGITS}(?:[.,]{DIGITS})?)(?P<seconds>s?)")
FEATURES = re.compile(r"\.(npy|txt)$", re.IGNORECASE)
MOST = {"fps": 1e6, "frames": 1e9}


@dataclass(frozen=True)
class Listed:
    """A row: the video, the name as it is written (with a suffix, if it has one), the path of its file, the place."""

    video: Video
    written: str
    file: str
    place: Place


@dataclass(frozen=True)
class Table:
    """A table in its order. ``notes`` are what the user should know of it."""

    rows: list[Listed]
    columns: list[str]
    notes: list[str] = field(default_factory=list)

    @property
    def videos(self) -> list[Video]:
        """The videos, in the order of the rows."""
        return [row.video for row in self.rows]

    def by_name(self) -> dict[str, Video]:
        """Return the videos by every name that means them: with the suffix of their file, and without it."""
        bare = {row.video.name: row.video for row in self.rows}
        return bare | {row.written: row.video for row in self.rows if row.written not in bare}


def read_table(path: Path, closed: bool = False, needs: Sequence[str] = ("video", "label")) -> Table:
    """Return the videos of a table. ``split`` is "train" where the table does not say.

    Args:
        path: of a file with commas, semicolons, tabs or bars between the cells.
        closed: the end of an interval belongs to it.
        needs: columns that it must have; ``name`` and ``file`` stand in for ``video``, ``classes`` for ``label``.

    Raises VadkitError with every line that cannot be understood, at its place.
    """
    columns, rows = read_rows(path, COLUMNS)
    _need(path, columns, needs)
    reader, read = _Reader(closed, "label" in columns or "classes" in columns), []
    for row in rows:
        if isinstance(row, Problem):
            reader.problems.append(row)
        elif (listed := reader.row(row)) is not None:
            read.append(listed)
    if reader.problems:
        raise VadkitError(reader.problems)
    if not read:
        fail(f"{path}: lists no video")
    spellings = one_spelling(name for row in read for name in row.video.classes)
    read = [replace(row, video=_spelled(row.video, spellings)) for row in read]
    return Table(read, columns, [f"{path}: {note}" for note in spelling_notes(spellings)])


def _need(path: Path, columns: Sequence[str], needs: Sequence[str]) -> None:
    instead = {"video": ("video", "name", "file"), "label": ("label", "classes")}
    place = Place(str(path), 1, 1)
    problems = [
        Problem(f"the first line has no column '{column}'", place, hint="for example: video,label,split")
        for column in needs
        if not set(columns) & set(instead.get(column, (column,)))
    ]
    if problems:
        raise VadkitError(problems)


def _spelled(video: Video, spellings: Mapping[str, str]) -> Video:
    return replace(video, classes=tuple(dict.fromkeys(spellings[name] for name in video.classes)))


def base_name(text: str) -> str:
    """Return the last part of a path of any system."""
    return PurePosixPath(text.replace("\\", "/")).name


class _Reader:
    """Reads rows one by one and collects problems."""

    def __init__(self, closed: bool, labelled: bool) -> None:
        self.closed, self.labelled = closed, labelled
        self.problems: list[Problem] = []
        self.place = Place("", 1, 1)
        self.first: dict[str, tuple[int, str]] = {}  # line and text of the row that has a name

    def _report(self, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(message, self.place, hint=hint))

    def row(self, cell: Row) -> Listed | None:
        self.place = cell.place
        before = len(self.problems)
        written = same_name(base_name(cell["name"] or cell["video"] or cell["file"]))
        name = without_suffix(FEATURES.sub("", written))
        self._check_name(name, cell["name"] or cell["video"] or cell["file"])
        label = self._label(cell) if self.labelled else Label(None)
        fps, frames = self._number(cell, "fps"), self._number(cell, "frames")
        spans = self._spans(cell["intervals"], fps, frames)
        clicks = self._clicks(cell["clicks"], fps, frames)
        split = cell["split"].lower() or "train"
        split = SPLIT_WORDS.get(split, split)
        if split not in SPLITS:
            self._report(f"split '{split}' is none of {', '.join(SPLITS)}")
        for given, word in ((spans, "intervals"), (clicks, "clicks")):
            if label.label != 1 and given:
                what = "is normal" if label.label == 0 else "has no label"
                self._report(f"video '{name}' {what}, but has {word}", hint=f"{word} are abnormal: write abnormal")
        if len(self.problems) > before:
            return None
        count = None if frames is None else int(frames)
        tags = {tag: cell[tag] for tag in TAGS if cell[tag]}
        video = Video(name, split, label.label, label.classes, count, fps, spans, tags=tags, clicks=clicks)
        return Listed(video, written, cell["file"] or cell["video"], self.place)

    def _check_name(self, name: str, text: str) -> None:
        if not is_plain_name(name):
            self._report("the line has no video name")
        elif name in self.first:
            line, other = self.first[name]
            hint = None if other == text else "a column 'name' tells videos of one name in two folders apart"
            self._report(f"video '{name}' is in line {line} already" + (f", as {other}" if hint else ""), hint)
        self.first.setdefault(name, (self.place.line, text))

    def _label(self, cell: Row) -> Label:
        """Return the label and the classes, which may be in one cell or in two."""
        try:
            label = read_label(cell["label"] or cell["classes"], self.place)
            classes = read_classes(cell["classes"], self.place)
        except VadkitError as error:
            self.problems += error.problems
            return Label(None)
        if classes and label.label != 1:
            what = "is normal" if label.label == 0 else "has the label unknown"
            self._report(f"the video {what} ('{cell['label']}'), but has a class", hint=WRITE)
        return Label(label.label, tuple(dict.fromkeys((*label.classes, *classes))) if label.label else ())

    def _number(self, cell: Row, key: str) -> float | None:
        text = cell[key]
        if not text:
            return None
        pattern = WHOLE if key == "frames" else NUMBER
        value = _float(text) if pattern.fullmatch(text) else 0.0
        if not 0 < value < MOST[key]:
            self._report(f"{key} '{_short(text)}' is not a {'whole ' if key == 'frames' else ''}number above 0")
            return None
        return value

    def _spans(self, text: str, fps: float | None, frames: float | None) -> tuple[tuple[int, int], ...]:
        spans = []
        for part in _parts(text):
            match = INTERVAL.fullmatch(part)
            if match is None:
                hint = "for example 120-180, or 4.5-7s in seconds"
                self._report(f"interval '{_short(part)}' is not START-END", hint=hint)
                continue
            if match["seconds"] and fps is None:
                self._report(f"interval '{part}' is in seconds, which needs the column fps")
                continue
            start, end = _float(match["start"]), _float(match["end"])
            if not match["seconds"] and not (start.is_integer() and end.is_integer()):
                self._report(f"interval '{part}' is not in whole frames", hint="for seconds write an s after it")
                continue
            if (span := self._span(part, start, end, fps if match["seconds"] else None, frames)) is not None:
                spans.append(span)
        return tuple(spans)

    def _clicks(self, text: str, fps: float | None, frames: float | None) -> tuple[int, ...]:
        clicks = set()
        for part in re.split(r"[\s;,]+", text.strip()) if text.strip() else ():
            match = CLICK.fullmatch(part)
            if match is None or (not match["seconds"] and "." in match["number"]):
                self._report(f"click '{_short(part)}' is no frame", hint="for example 120, or 4.5s in seconds")
            elif match["seconds"] and fps is None:
                self._report(f"click '{part}' is in seconds, which needs the column fps")
            else:
                clicks.add(int(_float(match["number"]) * (fps if match["seconds"] and fps else 1.0)))
        if frames is not None and clicks and max(clicks) >= frames:
            self._report(f"click {max(clicks)} is after the last of {int(frames)} frames")
        return tuple(sorted(clicks))

    def _span(
        self, part: str, begin: float, finish: float, fps: float | None, frames: float | None
    ) -> tuple[int, int] | None:
        """Return [start, end) in frames; ``fps`` is given if the interval is in seconds."""
        start, end = round(begin * (fps or 1.0)), round(finish * (fps or 1.0)) + int(self.closed)
        if frames is not None and end > frames:
            if start >= frames or end > frames + 1:
                self._report(f"interval '{part}' ends after the last of {int(frames)} frames")
                return None
            end = int(frames)
        if start >= end:
            self._report(f"interval '{part}' ends before it has begun")
            return None
        if end > MOST["frames"]:
            self._report(f"interval '{part}' ends after frame {int(MOST['frames'])}")
            return None
        return start, end


def _parts(text: str) -> list[str]:
    """Return the intervals of a cell. A comma is between two, or in a number: 4,5-7s has one ``-``, so it is one."""
    text = re.sub(r"\s*[-\u2010-\u2013\u2212]\s*", "-", text.strip())
    parts: list[str] = []
    for part in re.split(r"[\s;]+", text):
        parts += [part] if INTERVAL.fullmatch(part) else part.split(",")
    return [part for part in parts if part not in ("", "-")]


def _float(text: str) -> float:
    return float(text.replace(",", "."))


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
