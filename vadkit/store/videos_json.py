"""videos.json: the videos of a store, a list of {"name", "split", "label", "classes", "num_frames", "fps", "spans",
"clicks", "file", "tags", "files", "absent"}.

In an index of published features, "files" is {STREAM: FILE or [FILE of crop 0, ...]}. "absent" is {STREAM: true} for a
video that lacks the stream, and {STREAM: [[start, end], ...]} for one that lacks it in spans [start, end) of snippets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from vadkit import json_file
from vadkit.labels import label_word, read_label
from vadkit.presence import from_json
from vadkit.problems import Problem, VadkitError, did_you_mean, fail, plural, some
from vadkit.store.names import VIDEOS, is_path, is_path_below, is_plain_name
from vadkit.store.store_json import STORE, Absent, Frames, Name
from vadkit.video import SPLITS, Video

HINTS = {
    "label": "a label is 0 (normal), 1 (something abnormal in it) or null (unknown)",
    "spans": "spans are a list of [start, end) in whole frames",
    "clicks": "clicks are a list of frames, one in each event of an abnormal video",
    "classes": "classes are a list of names",
    "file": "the path of the video file, or absent",
    "files": "files map streams to a file, or to a list with a file per crop",
    "tags": "tags are a mapping of your own",
    "absent": "absent maps streams to true, or to a list of [start, end) in whole snippets",
}


class VideoJson(msgspec.Struct):
    """One video of videos.json. What is None is unknown."""

    name: str
    split: str
    label: Annotated[int, Meta(ge=0, le=1)] | None
    classes: list[str] | None = None
    num_frames: Frames | None = None
    fps: Annotated[float, Meta(gt=0, lt=1e6)] | None = None
    spans: list[tuple[int, int]] | None = None
    clicks: list[Annotated[int, Meta(ge=0)]] | None = None
    file: str | None = None
    tags: dict[str, Any] | None = None
    files: dict[str, Name | Annotated[list[Name], Meta(min_length=1)]] | None = None
    absent: dict[str, Absent] | None = None


KEYS = [field.name for field in msgspec.structs.fields(VideoJson)]


def load_videos(root: Path) -> list[dict[str, Any]]:
    """Return videos.json as plain data whose types are right, to change it and write it back. Raises VadkitError."""
    entries = _load(root)
    _read_entries(root / VIDEOS, entries)
    return [{**entry, **_label(entry, str(root / VIDEOS))} for entry in entries]


def read_videos(
    root: Path, classes: Sequence[str] | None, streams: Iterable[str], segments: int | None = None
) -> tuple[tuple[Video, ...], tuple[str, ...], list[str]]:
    """Return the videos of the store in ``root``, the class names, normal first, and warnings.

    Args:
        classes: those of store.json; None is those that the videos use.
        streams: those of store.json.
        segments: as in store.json.

    Raises VadkitError with everything that is wrong.
    """
    path, entries = root / VIDEOS, _load(root)
    if not entries:
        fail(f"{path}: names no video")
    videos = _read_entries(path, entries)
    names = tuple(classes) if classes is not None else _used_classes(videos)
    problems = [problem for video in videos for problem in _check(path, video, names, tuple(streams))]
    if problems:
        raise VadkitError(problems)
    bare = [video.name for video in videos if video.label == 1 and not video.spans and video.split == "test"]
    warnings = [
        f"{path}: {plural(len(bare), 'abnormal test video')} without spans ({some(bare)}): which frames are abnormal "
        "is unknown, so only figures of whole videos count them"
    ]
    return tuple(_video(video, segments) for video in videos), names, warnings if bare else []


def _load(root: Path) -> list[Any]:
    path = root / VIDEOS
    plain = json_file.load(path, STORE)
    if not isinstance(plain, list):
        fail(f"{path}: must hold a list of videos, got {json_file.shown(plain)}", hint=STORE)
    return plain


def _read_entries(path: Path, entries: list[Any]) -> list[VideoJson]:
    """Return the entries with their types. Raises VadkitError with a problem for each that has a wrong one."""
    videos, problems, seen = [], [], set()
    for number, entry in enumerate(entries, 1):
        try:
            video = _read_entry(path, number, entry)
        except VadkitError as error:
            problems += error.problems
            continue
        if video.name in seen:
            problems.append(
                Problem(
                    f"{path}: two videos are called '{video.name}'", hint="names must be unique: they are file names"
                )
            )
        problems += _check_paths(path, video)
        seen.add(video.name)
        videos.append(video)
    if problems:
        raise VadkitError(problems)
    return videos


def _read_entry(path: Path, number: int, entry: Any) -> VideoJson:
    where = f"{path}: video number {number}"
    if not isinstance(entry, dict):
        fail(f"{where}: must be a mapping with a name, split and label, got {json_file.shown(entry)}")
    name = entry.get("name")
    if not is_plain_name(name):
        fail(
            f"{where}: has the name {json_file.shown(name)}",
            hint="a name is a plain file name: no slash, no leading dot",
        )
    where = f"{path}: video '{name}'"
    problems = []
    for key in entry:
        if key not in KEYS:
            hint = did_you_mean(key, KEYS) or "put your own keys under 'tags'"
            problems.append(Problem(f"{where}: has an unknown key '{key}'", hint=hint))
    if problems:
        raise VadkitError(problems)
    return json_file.typed({**entry, **_label(entry, where)}, VideoJson, where, hint=HINTS)


def _label(entry: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the label of an entry as a number or null, where it is written in another way."""
    value = entry.get("label")
    if isinstance(value, bool):
        return {"label": int(value)}
    if not isinstance(value, str):
        return {}
    try:
        label = read_label(value)
    except VadkitError as error:
        fail(f"{where}: {error.problems[0].message}", hint=HINTS["label"])
    if label.classes:
        fail(f"{where}: label '{value}' is a class", hint="set label 1, and write the class into 'classes'")
    return {"label": label.label}


def _check_paths(path: Path, video: VideoJson) -> Iterator[Problem]:
    where = f"{path}: video '{video.name}'"
    if video.file is not None and not is_path(video.file):
        yield Problem(f"{where}: file is {json_file.shown(video.file)}, which is not a path", hint=HINTS["file"])
    for stream, files in (video.files or {}).items():
        for file in [files] if isinstance(files, str) else files:
            if not is_path_below(file):
                yield Problem(
                    f"{where}: files.{stream} has {json_file.shown(file)}, which is not a path below another folder",
                    hint="files are relative to 'root' of store.json: the folder that holds all of them",
                )


def _used_classes(videos: Sequence[VideoJson]) -> tuple[str, ...]:
    used = {name for video in videos for name in video.classes or ()}
    return ("normal", *sorted(used - {"normal"}))


def _video(video: VideoJson, segments: int | None) -> Video:
    files = {stream: (file,) if isinstance(file, str) else tuple(file) for stream, file in (video.files or {}).items()}
    return Video(
        video.name,
        video.split,
        video.label,
        tuple(video.classes or ()) if video.label else (),
        video.num_frames,
        video.fps,
        tuple(video.spans or ()),
        video.file,
        video.tags or {},
        files,
        segments,
        tuple(video.clicks or ()),
        {stream: spans for stream, value in (video.absent or {}).items() if (spans := from_json(value))},
    )


# -- what types do not say -----------------------------------------------------------------------
def _check(path: Path, video: VideoJson, classes: Sequence[str], streams: Sequence[str]) -> Iterator[Problem]:
    """Yield what is wrong with an entry whose types are right."""
    where = f"{path}: video '{video.name}'"
    if video.split not in SPLITS:
        yield Problem(f"{where}: has split '{video.split}'; it is one of {', '.join(SPLITS)}")
    for stream in video.files or ():
        if stream not in streams:
            yield Problem(f"{where}: has files of a stream '{stream}'", hint=f"store.json has {', '.join(streams)}")
    yield from _check_absent(where, video, streams)
    yield from _check_classes(where, video, classes)
    for span in video.spans or ():
        yield from _check_span(where, span, video.num_frames)
    for key, found in (("spans", video.spans), ("clicks", video.clicks)):
        if video.label != 1 and found:
            what = f"is {label_word(video.label)} (label {json_file.shown(video.label)})"
            yield Problem(f"{where}: {what} but has abnormal {key}", hint=f"set label 1, or remove the {key}")
    late = [frame for frame in video.clicks or () if video.num_frames is not None and frame >= video.num_frames]
    if late:
        yield Problem(
            f"{where}: has a click at frame {late[0]} outside of its {video.num_frames} frames",
            hint="clicks count frames from 0",
        )


def _check_absent(where: str, video: VideoJson, streams: Sequence[str]) -> Iterator[Problem]:
    for stream, value in (video.absent or {}).items():
        if stream not in streams:
            yield Problem(f"{where}: lacks a stream '{stream}'", hint=f"store.json has {', '.join(streams)}")
        for start, end in [] if isinstance(value, bool) else value:
            if start >= end:
                yield Problem(
                    f"{where}: absent.{stream} has a span [{start}, {end}] that ends before it begins",
                    hint="the end is the first snippet after it",
                )


def _check_classes(where: str, video: VideoJson, classes: Sequence[str]) -> Iterator[Problem]:
    for name in video.classes or ():
        if name not in classes:
            hint = did_you_mean(name, classes) or f"store.json has {', '.join(classes)}"
            yield Problem(f"{where}: is of class '{name}', which is unknown", hint=hint)
    abnormal = [name for name in video.classes or () if name != classes[0]]
    if video.label != 1 and abnormal:
        what = f"is {label_word(video.label)} (label {json_file.shown(video.label)})"
        yield Problem(f"{where}: {what} but of class '{abnormal[0]}'", hint="set label 1, or remove the class")
    if video.label == 1 and len(abnormal) < len(video.classes or ()):
        yield Problem(f"{where}: is abnormal (label 1) but of class '{classes[0]}'")


def _check_span(where: str, span: tuple[int, int], num_frames: int | None) -> Iterator[Problem]:
    start, end = span
    if start >= end:
        yield Problem(
            f"{where}: has a span [{start}, {end}] that ends before it begins",
            hint="the end is the first frame after it",
        )
    elif start < 0 or (num_frames is not None and end > num_frames):
        yield Problem(
            f"{where}: has a span [{start}, {end}] outside of its {num_frames or '?'} frames",
            hint="spans count frames from 0",
        )
