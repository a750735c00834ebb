"""A table of clicks, one row for each: a video, and a frame of one of its events.

    video-id,glance                     video,click,fps
    Abuse001_x264,299                   lift,4.5s,25
    Abuse001_x264,1047                  lift,12s,25

On the left the form in which the authors of GlanceVAD publish theirs. A click is a whole frame, counted from 0, or in
seconds with an s, which needs the frame rate: of the table, or of the data set.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vadkit.datasets.delimited import Row, read_rows
from vadkit.problems import Place, Problem, VadkitError, fail, nearest, plural, some
from vadkit.video import Video, same_name, without_suffix

# Names that a column may have -> ours.
COLUMNS = {
    "video-id": "video",
    "video_id": "video",
    "video": "video",
    "name": "video",
    "glance": "click",
    "click": "click",
    "frame": "click",
    "fps": "fps",
}
EXAMPLE = "for example: video-id,glance"
CLICK = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,9})?)(?P<seconds>s?)")
LATE = 16  # frames after the end that a click may be: annotators saw a last snippet that was filled up
RATE = re.compile(r"\d{1,6}(?:\.\d{1,9})?")


@dataclass(frozen=True)
class Click:
    """A row: when, in frames or in seconds at ``fps``, where it is given, and the place."""

    at: float
    seconds: bool
    fps: float | None
    place: Place

    def frame(self, fps: float | None) -> int | None:
        """Return the frame; None if it is in seconds and no rate is known."""
        rate = self.fps or fps
        if not self.seconds:
            return int(self.at)
        return None if rate is None else int(self.at * rate)


def read_clicks(path: Path) -> dict[str, list[Click]]:
    """Return the clicks of each video. Raises VadkitError with every line that cannot be understood, at its place."""
    columns, rows = read_rows(path, COLUMNS)
    problems = [
        Problem(f"the first line has no column '{column}'", Place(str(path), 1, 1), hint=EXAMPLE)
        for column in ("video", "click")
        if column not in columns
    ]
    if problems:
        raise VadkitError(problems)
    found: dict[str, list[Click]] = {}
    for row in rows:
        read = row if isinstance(row, Problem) else _click(row)
        if isinstance(read, Problem):
            problems.append(read)
        elif not isinstance(row, Problem):
            found.setdefault(same_name(without_suffix(row["video"])), []).append(read)
    if problems:
        raise VadkitError(problems)
    if not found:
        fail(f"{path}: lists no click", EXAMPLE)
    return found


def _click(row: Row) -> Click | Problem:
    if not row["video"]:
        return Problem("the line has no video name", row.place)
    match = CLICK.fullmatch(row["click"])
    if match is None or (not match["seconds"] and "." in match["number"]):
        hint = "a click is a whole frame, such as 120, or a time with an s after it, such as 4.5s"
        return Problem(f"'{row['click'][:40]}' is no click", row.place, hint=hint)
    if row["fps"] and (RATE.fullmatch(row["fps"]) is None or not float(row["fps"])):
        return Problem(f"fps '{row['fps'][:40]}' is not a number above 0", row.place)
    fps = float(row["fps"]) if row["fps"] else None
    return Click(float(match["number"]), bool(match["seconds"]), fps, row.place)


def with_clicks(
    path: Path, found: Mapping[str, Sequence[Click]], videos: Sequence[Video], known: Collection[str] = ()
) -> tuple[list[Video], list[str]]:
    """Return the videos with their clicks, in order of time, and notes. ``known`` are videos that have no features.

    Raises VadkitError, with every problem, for a normal video, a click after the end, and seconds without a rate.
    """
    problems = [problem for video in videos for problem in _wrong(video, found.get(video.name, ()))]
    names = {video.name for video in videos}
    unknown = [name for name in found if name not in names and name not in known]
    if len(unknown) == len(found):
        close = nearest(unknown[0], names)
        hint = f"did you mean '{close}'?" if close else "names are those of the videos, with or without a suffix"
        problems.append(Problem(f"{path}: has clicks of no video of the store, e.g. of '{unknown[0]}'", hint=hint))
    if problems:
        raise VadkitError(problems)
    changed = [
        replace(video, clicks=_frames(video, found[video.name])) if video.name in found else video for video in videos
    ]
    notes = [f"{path}: has clicks of {plural(len(unknown), 'unknown video')}: {some(unknown)}"] if unknown else []
    return changed, notes


def _frames(video: Video, clicks: Sequence[Click]) -> tuple[int, ...]:
    frames = {int(click.frame(video.fps) or 0) for click in clicks}
    return tuple(sorted({frame if video.num_frames is None else min(frame, video.num_frames - 1) for frame in frames}))


def _wrong(video: Video, clicks: Sequence[Click]) -> list[Problem]:
    problems = []
    for click in clicks:
        frame = click.frame(video.fps)
        if video.label != 1:
            what = "is normal" if video.label == 0 else "has no label"
            problems.append(Problem(f"video '{video.name}' {what}, but has a click", click.place))
        elif frame is None:
            problems.append(Problem("the click is in seconds, which needs the column fps", click.place))
        elif video.num_frames is not None and frame >= video.num_frames + LATE:
            said = f"the click is at frame {frame}, after the last of {video.num_frames} frames of '{video.name}'"
            problems.append(Problem(said, click.place))
    return problems
