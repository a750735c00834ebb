"""videos.json of a store that is being extracted: what is known of the videos whose features are finished.

Names, labels and intervals come from the caller of an extraction, numbers of frames from the extraction. What
was written into the file by hand stays, unless a later extraction gives another value for it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from vadkit import json_file
from vadkit.labels import label_word
from vadkit.problems import Problem, VadkitError
from vadkit.store.manifest import Line
from vadkit.store.names import VIDEOS, is_plain_name, is_stream_name
from vadkit.store.videos_json import load_videos

UNKNOWN: dict[str, Any] = {"split": "test", "label": None, "classes": [], "spans": [], "tags": {}}


class VideoEntry(TypedDict):
    """One video to extract. ``file`` is its path; the rest is copied to videos.json.

    ``spans`` are [start, end) in frames at ``fps``, or at the file's own rate without it, and ``clicks`` are such
    frames; they are converted to the clock that snippets are cut by. ``num_frames`` is filled in from the file where
    it is missing.
    """

    name: str
    file: str
    split: NotRequired[str]
    label: NotRequired[int | None]
    classes: NotRequired[list[str]]
    spans: NotRequired[list[list[int]]]
    clicks: NotRequired[list[int]]
    num_frames: NotRequired[int]
    fps: NotRequired[float]
    tags: NotRequired[dict[str, Any]]


def check_names(videos: Sequence[VideoEntry], streams: Sequence[str]) -> None:
    """Raise VadkitError for names that cannot be file names, or that two videos have."""
    problems = []
    files: dict[str, str] = {}
    for stream in streams:
        if not is_stream_name(stream):
            problems.append(Problem(f"'{stream}' cannot be a stream's name: it must be a plain file name"))
    for video in videos:
        name = video["name"]
        if not is_plain_name(name):
            problems.append(Problem(f"'{name}' cannot be a video's name: it must be a plain file name"))
        if name in files:
            problems.append(
                Problem(
                    f"two videos are called '{name}': {files[name]} and {video['file']}",
                    hint="names must be unique: give them in a column 'name' of --list",
                )
            )
        files.setdefault(name, video["file"])
    if problems:
        raise VadkitError(problems)


def read_listing(root: Path) -> list[dict[str, Any]]:
    """Return the entries of videos.json, none if there is no such file. Raises VadkitError if one is wrong."""
    return load_videos(root) if (root / VIDEOS).exists() else []


def write_listing(
    root: Path, videos: Sequence[VideoEntry], lines: Mapping[str, Line], left_out: Collection[str] = ()
) -> list[str]:
    """Write videos.json: the given videos first, then those of earlier runs; none that is broken or ``left_out``.

    Leaves the file alone if nothing changes. Return what the user should know. Raises VadkitError if it cannot be
    read or written.
    """
    existing = read_listing(root)
    before = {entry["name"]: entry for entry in existing}
    entries = []
    notes: list[str] = []
    for video in videos:
        line, old = lines.get(video["name"]), before.pop(video["name"], {})
        if line is not None and line.state == "done":
            entries.append(_entry(root, video, line, old, notes))
    entries += [
        entry
        for name, entry in before.items()
        if name not in left_out and (name not in lines or lines[name].state == "done")
    ]
    notes += [
        f"video '{name}' was {label_word(before[name]['label'])} in {VIDEOS} and is no longer listed; its features stay"
        for name in left_out
        if name in before
    ]
    if entries != existing and (entries or existing):
        json_file.write(root / VIDEOS, entries)
    return notes


def _entry(root: Path, video: VideoEntry, line: Line, old: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return what is given, where that lacks something the old entry, and where that does the defaults."""
    clock: dict[str, Any] = {"num_frames": line.num_frames, "fps": line.fps}
    entry = {**UNKNOWN, **old, **clock, **video}
    entry["file"] = os.path.relpath(video["file"], root)
    rate = video.get("fps") or line.native_fps or line.fps
    ratio = line.fps / rate
    if math.isclose(ratio, 1, rel_tol=1e-6):
        ratio = 1.0
    else:
        entry |= clock
    if "spans" in video:
        entry["spans"] = _spans(video, ratio, entry["num_frames"], notes)
    if absent := _absent(entry.pop("absent", {}), line):
        entry["absent"] = absent
    if "clicks" in video:
        entry["clicks"] = [min(int(frame * ratio), entry["num_frames"] - 1) for frame in video["clicks"]]
    # In one order, whatever was given first.
    keys = ("name", "file", *UNKNOWN, *clock)
    return {key: entry[key] for key in (*keys, *(k for k in entry if k not in keys))}


def _absent(before: Mapping[str, Any], line: Line) -> dict[str, Any]:
    """Return what a video lacks: what its file has nothing for, and what was written by hand of other streams.

    A stream that has features does not lack all of them.
    """
    by_hand = {stream: value for stream, value in before.items() if value is not True or stream not in line.arrays}
    gaps = {s: value if isinstance(value, bool) else [list(span) for span in value] for s, value in line.gaps.items()}
    return {stream: value for stream, value in (by_hand | gaps).items() if value}


def _spans(video: VideoEntry, ratio: float, num_frames: int, notes: list[str]) -> list[list[int]]:
    """Return the intervals on a clock that is ``ratio`` times as fast, up to the end of the video."""
    spans = [to_clock(span, ratio) for span in video["spans"]]
    inside = [[start, min(end, num_frames)] for start, end in spans if start < num_frames]
    if len(inside) < len(spans):
        notes.append(
            f"video '{video['name']}': {len(inside)} of {len(spans)} intervals begin before its last frame "
            f"({num_frames}) and were kept: is it the file that was annotated?"
        )
    return inside


def to_clock(span: Sequence[int], ratio: float) -> list[int]:
    """Return [start, end) in frames of a clock that is ``ratio`` times as fast: every frame that it touches."""
    slack = 1e-6  # 30 frames at 30 a second are 25 at 25, whatever the last digit says
    start, end = math.floor(span[0] * ratio + slack), math.ceil(span[1] * ratio - slack)
    return [start, max(end, start + 1)]
