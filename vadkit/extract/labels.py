"""Which videos to extract, and their labels: from a list, a table of labels, or a published data set."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vadkit.datasets.annotations import DATA_SETS, FPS, read_annotations
from vadkit.datasets.delimited import Line, cells_of, head_of, read_lines, separator_of
from vadkit.datasets.importing.table import COLUMNS, Table, base_name, read_table
from vadkit.problems import Problem, VadkitError, did_you_mean, fail
from vadkit.store.listing import VideoEntry
from vadkit.video import VIDEO_SUFFIXES, Video, same_name


@dataclass(frozen=True)
class Labels:
    """Videos with labels, by name; ``classes`` has the normal class first. ``source`` is for messages."""

    videos: Mapping[str, Video]
    classes: tuple[str, ...]
    source: str
    notes: tuple[str, ...] = ()

    def of(self, entry: VideoEntry) -> Video | None:
        """Return the video that an entry's name means, or the name of its file; None if there is none."""
        names = entry["name"], base_name(entry["file"])
        return next((self.videos[name] for name in map(same_name, names) if name in self.videos), None)


def read_labels(what: str) -> Labels:
    """Return the labels of a published data set, or of a table (see ``vadkit.datasets.importing.table``)."""
    if what in DATA_SETS:
        known = read_annotations(what)
        videos = [replace(video.as_video(), num_frames=None, fps=FPS[what]) for video in known.videos]
        return Labels({video.name: video for video in videos}, known.classes, what)
    path = Path(what)
    if not path.suffix and not path.exists():
        hint = f"there are {', '.join(DATA_SETS)}, or a CSV file"
        fail(f"--labels {what}: no such data set or file", hint)
    table = read_table(path)
    return Labels(table.by_name(), _classes(table.videos), what, tuple(table.notes))


def _classes(videos: Iterable[Video]) -> tuple[str, ...]:
    return "normal", *sorted({name for video in videos for name in video.classes})


def label(entries: Sequence[VideoEntry], labels: Labels) -> tuple[list[VideoEntry], list[str]]:
    """Return the videos that the labels name, with their labels, and the names of the others.

    A label may be unknown. Raises VadkitError if no video is named.
    """
    known = [(entry, video) for entry in entries if (video := labels.of(entry)) is not None]
    if not known:
        name = entries[0]["name"]
        hint = did_you_mean(name, labels.videos) or "a video's name is that of its file, without the suffix"
        fail(f"{labels.source} labels no video of this store; the first is '{name}'", hint=hint)
    unlabelled = [entry["name"] for entry in entries if labels.of(entry) is None]
    return [_labelled(entry, video) for entry, video in known], unlabelled


def _labelled(entry: VideoEntry, video: Video) -> VideoEntry:
    labelled: VideoEntry = {
        **entry,
        "split": video.split,
        "label": video.label,
        "classes": list(video.classes),
        "spans": [list(span) for span in video.spans],
    }
    if video.clicks:
        labelled["clicks"] = list(video.clicks)
    if video.tags:
        labelled["tags"] = dict(video.tags)
    return labelled if video.fps is None else {**labelled, "fps": video.fps}


# -- lists -----------------------------------------------------------------------------------------
def read_list(path: Path) -> tuple[list[VideoEntry], Labels | None]:
    """Return the videos of a list, and their labels if it has a column for them.

    A list has one path per line; or a first line with the column ``file`` (or ``video``) and optionally ``name`` and
    the columns of a table of labels. Paths are relative to the folder of the list. Raises VadkitError.
    """
    columns = [COLUMNS.get(name) for name in head_of(path)]
    if "file" in columns or ("video" in columns and None not in columns):
        return _of_table(path, read_table(path, needs=()))
    if columns and None not in columns:
        fail(f"{path}: the first line has no column 'file', for the paths of the videos")
    lines = read_lines(path)
    if not lines:
        fail(f"{path}: lists no video")
    entries, problems = [], []
    first: dict[str, tuple[int, str]] = {}  # line and path of each name
    for line in lines:
        try:
            entry = _entry(path, file := _path_of(line, path.parent), "")
        except VadkitError as error:
            problems += error.problems
            continue
        entries.append(entry)
        number, other = first.setdefault(entry["name"], (line.place.line, file))
        if number != line.place.line:
            what = f"video '{entry['name']}' is in line {number} already, as {other}"
            hint = "a first line name,file and a name for each tell them apart"
            problems.append(Problem(what, line.place, hint=hint))
    if problems:
        raise VadkitError(problems)
    return entries, None


def _of_table(path: Path, table: Table) -> tuple[list[VideoEntry], Labels | None]:
    problems = [Problem("the line has no file", row.place) for row in table.rows if not row.file]
    if problems:
        raise VadkitError(problems)
    entries = [_entry(path, row.file, row.video.name) for row in table.rows]
    if "label" not in table.columns and "classes" not in table.columns:
        return entries, None
    videos = table.videos
    return entries, Labels({video.name: video for video in videos}, _classes(videos), str(path), tuple(table.notes))


def _path_of(line: Line, folder: Path) -> str:
    """Return the path of a line without columns. It may hold commas itself, so cells are refused only after it."""
    if os.path.lexists(folder / line.text):
        return line.text
    cells = cells_of(line, separator_of(line.text))
    if len(cells) < 2 or Path(line.text.strip('"')).suffix.lower() in VIDEO_SUFFIXES:
        return cells[0] if len(cells) == 1 else line.text.strip('"')
    if not cells[0] or any(cells[1:]):
        hint = "begin the list with a line that names the columns, such as file,label"
        fail("the line holds more than a path", hint, line.place)
    return cells[0]


def _entry(listed: Path, file: str, name: str) -> VideoEntry:
    return {"name": name or Path(file).stem, "file": str(listed.parent / file)}
