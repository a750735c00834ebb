"""A table of your own videos: which are abnormal, when, and what else you know.

    video,label,split,classes,intervals,frames,fps
    shop_door,abnormal,test,theft,120-180 300-365,900,25
    car_park,normal,train,,,,
    lift,1,test,,4.5-7s,,25

Only ``video`` and ``label`` are required. A label is 0 or normal, 1 or abnormal, or a class. Intervals are
START-END in frames, or in seconds with an s, which needs ``fps``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from vadkit.files import cannot_read
from vadkit.problems import Place, Problem, VadkitError, did_you_mean, fail
from vadkit.store.names import is_plain_name
from vadkit.tables import original
from vadkit.video import SPLITS, Video

# Names that a column may have -> ours.
COLUMNS = {
    "video": "video",
    "name": "video",
    "file": "video",
    "label": "label",
    "split": "split",
    "class": "classes",
    "classes": "classes",
    "intervals": "intervals",
    "spans": "intervals",
    "frames": "frames",
    "num_frames": "frames",
    "fps": "fps",
}
NORMAL = ("0", "normal", "negative")
ABNORMAL = ("1", "abnormal", "anomaly", "anomalous", "positive")
INTERVAL = re.compile(r"(?P<start>\d+(?:\.\d+)?)-(?P<end>\d+(?:\.\d+)?)(?P<seconds>s?)")
MEDIA = re.compile(r"\.(mp4|avi|mkv|mov|webm|npy|txt)$", re.IGNORECASE)


def read_table(path: Path, closed: bool = False) -> list[Video]:
    """Return the videos of a table, in its order. ``split`` is "train" where the table does not say.

    Args:
        path: of a file with commas, semicolons or tabs between the cells.
        closed: the end of an interval belongs to it.

    Raises VadkitError with every line that cannot be understood, at its place.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        cannot_read(path, error)
    except UnicodeDecodeError as error:
        fail(f"{path}: is not UTF-8 text (byte {error.start})", hint="save it as CSV in UTF-8")
    if not text.strip():
        fail(f"{path}: is empty", hint="its first line names columns: video,label,...")
    head = text.splitlines()[0]
    separator = max(",;\t", key=head.count)
    columns = _columns(path, head, separator)
    table = _Table(path, text.splitlines(), closed)
    videos = [table.video(number, dict(zip(columns, row))) for number, row in _rows(text, separator)]
    if table.problems:
        raise VadkitError(table.problems)
    if not videos:
        fail(f"{path}: lists no video")
    return [video for video in videos if video is not None]


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) below the head, without empty lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    next(reader)
    for row in reader:
        if any(cell.strip() for cell in row):
            yield reader.line_num, [original(cell.strip()) for cell in row]


def _columns(path: Path, head: str, separator: str) -> list[str]:
    names = [name.strip().strip('"').lower() for name in head.split(separator)]
    place, problems = Place(str(path), 1, 1, head, max(1, len(head))), []
    for name in names:
        if name not in COLUMNS:
            hint = did_you_mean(name, COLUMNS) or f"there are {', '.join(sorted(set(COLUMNS.values())))}"
            problems.append(Problem(f"there is no column '{name}'", place, hint=hint))
    ours = [COLUMNS.get(name, name) for name in names]
    for needed in ("video", "label"):
        if needed not in ours and not problems:
            problems.append(Problem(f"the first line has no column '{needed}'", place))
    if problems:
        raise VadkitError(problems)
    return ours


class _Table:
    """Reads rows one by one and collects problems."""

    def __init__(self, path: Path, lines: list[str], closed: bool) -> None:
        self.path, self.lines, self.closed = path, lines, closed
        self.problems: list[Problem] = []
        self.place = Place(str(path), 1, 1)
        self.first: dict[str, int] = {}

    def _report(self, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(message, self.place, hint=hint))

    def video(self, line: int, cell: dict[str, str]) -> Video | None:
        source = self.lines[line - 1] if line <= len(self.lines) else ""
        self.place = Place(str(self.path), line, 1, source, max(1, len(source)))
        before = len(self.problems)
        name = MEDIA.sub("", PurePosixPath(cell.get("video", "").replace("\\", "/")).name)
        if not is_plain_name(name):
            self._report("the line has no video name")
        elif name in self.first:
            self._report(f"video '{name}' is in line {self.first[name]} already")
        self.first.setdefault(name, line)
        label, classes = self._label(cell.get("label", "")), _parts(cell.get("classes", ""))
        if label is None:
            label, classes = 1, classes or (cell["label"],)
        fps, frames = self._number(cell, "fps"), self._number(cell, "frames")
        spans = self._spans(cell.get("intervals", ""), fps, frames)
        split = cell.get("split", "").lower() or "train"
        if split not in SPLITS:
            self._report(f"split '{split}' is none of {', '.join(SPLITS)}")
        if label == 0 and (spans or classes):
            self._report(f"video '{name}' is normal, but has {'intervals' if spans else 'a class'}")
        if len(self.problems) > before:
            return None
        return Video(name, split, label, classes, None if frames is None else int(frames), fps, spans)

    def _label(self, text: str) -> int | None:
        """Return the label; None for a class."""
        if not text:
            self._report("the line has no label", hint="a label is normal, abnormal or a class")
            return 0
        if text.lower() in NORMAL:
            return 0
        if text.lower() in ABNORMAL:
            return 1
        if re.fullmatch(r"-?[\d.]+", text):
            self._report(f"label {text} is neither 0 (normal) nor 1 (abnormal)")
            return 0
        return None

    def _number(self, cell: dict[str, str], key: str) -> float | None:
        text = cell.get(key, "")
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 < value < 1e9 or (key == "frames" and value != int(value)):
            self._report(f"{key} '{text}' is not a {'whole ' if key == 'frames' else ''}number above 0")
            return None
        return value

    def _spans(self, text: str, fps: float | None, frames: float | None) -> tuple[tuple[int, int], ...]:
        spans = []
        for part in re.split(r"[\s;,]+", text.strip()) if text.strip() else []:
            match = INTERVAL.fullmatch(part)
            if match is None:
                self._report(f"interval '{part}' is not START-END", hint="for example 120-180, or 4.5-7s in seconds")
                continue
            if match["seconds"] and fps is None:
                self._report(f"interval '{part}' is in seconds, which needs the column fps")
                continue
            rate = fps if match["seconds"] and fps else 1.0
            start, end = round(float(match["start"]) * rate), round(float(match["end"]) * rate) + int(self.closed)
            if frames is not None and end > frames:
                if start >= frames or end > frames + 1:
                    self._report(f"interval '{part}' ends after the last of {int(frames)} frames")
                    continue
                end = int(frames)
            if start >= end:
                self._report(f"interval '{part}' ends before it has begun")
                continue
            spans.append((start, end))
        return tuple(spans)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[;,|]\s*", text.strip()) if part)
