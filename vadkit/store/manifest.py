"""The manifest of a feature store: what became of each video, one JSON line each, appended as videos get finished.

A line is written after the features it tells of, so a run that is killed loses only videos that have
none. Of several lines about one video the last one counts. A last line that was cut off (the process
was killed, the disk was full, the file was copied in part) is dropped, and its video is made again.
When a run ends, the lines are put in order, so that stores made in different ways are equal byte by byte.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from vadkit.files import write_atomically
from vadkit.problems import fail
from vadkit.store.index import MANIFEST

SAMPLE = 1 << 16  # bytes looked at of the beginning, the middle and the end of a file


class Source(TypedDict):
    """What tells a video file from another version of it: its length, and the SHA-256 of parts of it."""

    bytes: int
    sample: str


class Array(TypedDict):
    """An array file: its shape, length and SHA-256."""

    shape: list[int]
    bytes: int
    sha256: str


class Line(TypedDict):
    """What is known of one video. Without ``cause`` its features are there; with it there is nothing else.

    Snippet j begins ``clip_start`` + j * ``clip_step`` seconds after the first picture, and ends where the
    next begins or the video ends. ``fps`` and ``num_frames`` are those of the clock that snippets were cut
    by, ``native_fps`` is the file's own rate, ``size`` the height and width of the pictures.
    """

    name: str
    state: Literal["done", "broken"]
    source: Source | None
    cause: NotRequired[str]
    fps: NotRequired[float]
    native_fps: NotRequired[float]
    num_frames: NotRequired[int]
    duration: NotRequired[float]
    size: NotRequired[list[int]]
    has_sound: NotRequired[bool]
    snippets: NotRequired[int]
    clip_start: NotRequired[float]
    clip_step: NotRequired[float]
    arrays: NotRequired[dict[str, Array]]
    warnings: NotRequired[list[str]]


def source_of(path: str | Path) -> Source | None:
    """Return what tells the file from another version of it, or None if it cannot be read.

    Times are not looked at: a copy of a data set is the same data set.
    """
    try:
        with open(path, "rb") as file:
            length = os.fstat(file.fileno()).st_size
            found = hashlib.sha256()
            for start in sorted({0, max(0, (length - SAMPLE) // 2), max(0, length - SAMPLE)}):
                file.seek(start)
                found.update(file.read(SAMPLE))
    except (OSError, ValueError):  # a name with a zero byte is a ValueError
        return None
    return {"bytes": length, "sample": found.hexdigest()}


def read_manifest(root: Path) -> tuple[dict[str, Line], list[str]]:
    """Return the last line of each video by name, in the file's order, and what was wrong in plain words.

    An absent manifest has no lines. Raises VadkitError if it cannot be read.
    """
    path = root / MANIFEST
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        fail(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}")
    lines: dict[str, Line] = {}
    wrong = []
    for number, text in enumerate(content.split(b"\n"), 1):
        line = _parse(text)
        if line is not None:
            lines.pop(line["name"], None)
            lines[line["name"]] = line
        elif text.strip():
            wrong.append(f"{path}: line {number} is cut off or damaged; its video is taken as not made yet")
    return lines, wrong


def _parse(text: bytes) -> Line | None:
    """Return the line, or None if it is not a whole one. Only what others rely on is looked at."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        return None
    if not isinstance(found.get("source"), dict | None):
        return None
    if found.get("state") == "broken":
        return found if isinstance(found.get("cause"), str) else None  # type: ignore[return-value]
    arrays = found.get("arrays")
    whole = (
        found.get("state") == "done"
        and isinstance(arrays, dict)
        and all(map(_is_array, arrays.values()))
        and isinstance(found.get("num_frames"), int)
        and isinstance(found.get("fps"), int | float)
    )
    return found if whole else None  # type: ignore[return-value]


def _is_array(told: Any) -> bool:
    return (
        isinstance(told, dict)
        and isinstance(told.get("shape"), list)
        and isinstance(told.get("bytes"), int)
        and isinstance(told.get("sha256"), str)
    )


def _as_text(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line).encode() + b"\n"


def append_line(root: Path, line: Line) -> None:
    """Add a line and see it on the disk, behind whatever whole lines are there. Raises VadkitError.

    Of several processes only one at a time may do this.
    """
    path = root / MANIFEST
    try:
        with path.open("ab+") as file:
            file.seek(0)
            whole = _length_of_whole_lines(file)
            file.truncate(whole)  # a part of a line would spoil the one behind it
            try:
                file.write(_as_text(line))
                file.flush()
                os.fsync(file.fileno())
            except OSError:  # a full disk: leave no part of a line
                os.truncate(path, whole)
                raise
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror or error}", "what is finished is kept; make room and start again")


def _length_of_whole_lines(file: Any) -> int:
    """Return where the last whole line ends, looking from the end."""
    position = file.seek(0, os.SEEK_END)
    while position > 0:
        start = max(0, position - (1 << 16))
        file.seek(start)
        found = file.read(position - start).rfind(b"\n")
        if found >= 0:
            return int(start + found + 1)
        position = start
    return 0


def put_in_order(root: Path, lines: Iterable[Line]) -> None:
    """Write the manifest anew, ordered by name; leave it alone if that changes nothing. Raises VadkitError."""
    path = root / MANIFEST
    ordered = b"".join(_as_text(line) for line in sorted(lines, key=lambda line: line["name"]))
    if not path.exists() or path.read_bytes() != ordered:
        write_atomically(path, ordered)
