"""Which videos to extract, and their labels: from a list, a table of labels, or a published data set."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vadkit.datasets.annotations import DATA_SETS, FPS, read_annotations
from vadkit.datasets.importing.table import read_table
from vadkit.files import cannot_read
from vadkit.problems import fail
from vadkit.store.listing import VideoEntry
from vadkit.tables import original
from vadkit.video import Video

PATH, NAME, LABEL = "file", "name", "label"  # columns of a list


@dataclass(frozen=True)
class Labels:
    """Videos with labels, by name; ``classes`` has the normal class first. ``source`` is for messages."""

    videos: Mapping[str, Video]
    classes: tuple[str, ...]
    source: str


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
    return _of(read_table(path), what)


def _of(videos: Sequence[Video], source: str) -> Labels:
    classes = ("normal", *sorted({name for video in videos for name in video.classes}))
    return Labels({video.name: video for video in videos}, classes, source)


def label(entries: Sequence[VideoEntry], labels: Labels) -> tuple[list[VideoEntry], list[str]]:
    """Return the videos that have labels, with them, and the names of those that have none.

    Raises VadkitError if none has.
    """
    known = [entry for entry in entries if entry["name"] in labels.videos]
    if not known:
        fail(
            f"{labels.source} labels no video of this store; the first is '{entries[0]['name']}'",
            hint="a video's name is that of its file, without the suffix",
        )
    unlabelled = [entry["name"] for entry in entries if entry["name"] not in labels.videos]
    return [_labelled(entry, labels.videos[entry["name"]]) for entry in known], unlabelled


def _labelled(entry: VideoEntry, video: Video) -> VideoEntry:
    labelled: VideoEntry = {
        **entry,
        "split": video.split,
        "label": video.label,
        "classes": list(video.classes),
        "spans": [list(span) for span in video.spans],
    }
    return labelled if video.fps is None else {**labelled, "fps": video.fps}


def read_list(path: Path) -> tuple[list[VideoEntry], Labels | None]:
    """Return the videos of a list, and their labels if it has a column for them.

    A list has one path per line; or a first line with the column ``file`` and optionally ``name`` and the columns
    of a table of labels. Paths are relative to the folder of the list. Raises VadkitError.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except OSError as error:
        cannot_read(path, error)
    except UnicodeDecodeError as error:
        fail(f"{path}: is not UTF-8 text (byte {error.start})")
    if not lines:
        fail(f"{path}: lists no video")
    separator = max(",;\t", key=lines[0].count)
    columns = [name.strip().strip('"').lower() for name in lines[0].split(separator)]
    if PATH not in columns:
        if NAME in columns or LABEL in columns:
            fail(f"{path}: the first line has no column '{PATH}', for the paths of the videos")
        return [_entry(path, line.strip(), "") for line in lines], None
    rows = [dict(zip(columns, row)) for row in csv.reader(lines[1:], delimiter=separator)]
    entries = [_entry(path, original(row.get(PATH, "").strip()), original(row.get(NAME, "").strip())) for row in rows]
    if not entries:
        fail(f"{path}: lists no video")
    if LABEL not in columns:
        return entries, None
    videos = read_table(path)
    return entries, _of([replace(video, name=entry["name"]) for video, entry in zip(videos, entries)], str(path))


def _entry(listed: Path, file: str, name: str) -> VideoEntry:
    if not file:
        fail(f"{listed}: a line has no file")
    return {"name": name or Path(file).stem, "file": str(listed.parent / file)}
