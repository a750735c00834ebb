"""The manifest of a feature store: what became of each video, one JSON line each, appended as videos get finished.

A line is written after the features it describes, so a run that is killed loses only videos that have
none. Of several lines about one video the last one counts. A last line that was cut off (the process
was killed, the disk was full, the file was copied in part) is dropped, and its video is extracted again.
When a run ends, the lines are sorted, so that stores extracted in different ways are equal byte by byte.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from vadkit import json_file
from vadkit.files import cannot_read, open_file, open_to_append, read_bytes, write_atomically
from vadkit.problems import VadkitError, fail
from vadkit.store.names import MANIFEST, is_plain_name, is_stream_name
from vadkit.store.store_json import Absent, Frames

SAMPLE = 1 << 16  # bytes looked at of the beginning, the middle and the end of a file
LONGEST_LINE = 16 << 20  # bytes; one with a thousand warnings takes a hundredth of it
Bytes = Annotated[int, Meta(ge=0, lt=2**53)]


class Source(msgspec.Struct, frozen=True):
    """What distinguishes a video file from another version of it: its length, and the SHA-256 of parts of it."""

    bytes: Bytes
    sample: str


class Array(msgspec.Struct, frozen=True):
    """An array file: its shape, length and SHA-256."""

    shape: Annotated[list[Frames], Meta(min_length=2, max_length=3)]
    bytes: Bytes
    sha256: str


class Line(msgspec.Struct, omit_defaults=True):
    """What is known of one video. If its state is done, it has features; if it is broken, ``cause`` says why.

    Snippet j begins ``clip_start`` + j * ``clip_step`` seconds after the first picture, and ends where the next begins
    or the video ends. ``fps`` and ``num_frames`` are those of the clock that snippets were cut by, ``native_fps`` is
    the file's own rate, ``size`` the height and width of the pictures. ``absent`` says by stream for which snippets the
    file has nothing, as in videos.json; a list is of streams that it has nothing for throughout. ``unknown`` are the
    keys of a newer version, or of somebody else's program, which are kept.
    """

    name: str
    state: Literal["done", "broken"]
    source: Source | None
    cause: str = ""
    fps: Annotated[float, Meta(ge=0, lt=1e6)] = 0.0
    native_fps: Annotated[float, Meta(ge=0, lt=1e6)] | None = None
    num_frames: Annotated[int, Meta(ge=0, le=10**9)] = 0
    duration: Annotated[float, Meta(ge=0, lt=1e10)] | None = None
    size: list[Bytes] | None = None
    has_sound: bool | None = None
    absent: dict[str, Absent] | list[str] | None = None
    snippets: Frames | None = None
    clip_start: Annotated[float, Meta(gt=-1e10, lt=1e10)] | None = None
    clip_step: Annotated[float, Meta(gt=0, lt=1e10)] | None = None
    arrays: dict[str, Array] = {}
    warnings: list[str] | None = None
    unknown: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if not is_plain_name(self.name):
            raise ValueError("a video's name that is not a plain file name")
        if not all(map(is_stream_name, self.arrays)):
            raise ValueError("a stream's name that is not a plain folder name")
        if self.state == "broken" and not self.cause:
            raise ValueError("a broken video without its cause")
        if self.state == "done" and not (self.fps and self.num_frames):
            raise ValueError("a video without fps and num_frames")

    @property
    def gaps(self) -> dict[str, Absent]:
        """What the file has nothing for, by stream."""
        absent = self.absent or {}
        return absent if isinstance(absent, dict) else dict.fromkeys(absent, True)


KEYS = {field.name for field in msgspec.structs.fields(Line)} - {"unknown"}


def source_of(path: str | Path) -> Source | None:
    """Return what distinguishes the file from another version of it, or None if it cannot be read.

    Times do not count: a copy of a data set is the same data set.
    """
    try:
        with open_file(path) as file:
            length = os.fstat(file.fileno()).st_size
            found = hashlib.sha256()
            for start in sorted({0, max(0, (length - SAMPLE) // 2), max(0, length - SAMPLE)}):
                file.seek(start)
                found.update(file.read(SAMPLE))
    except OSError:
        return None
    return Source(length, found.hexdigest())


def read_manifest(root: Path) -> tuple[dict[str, Line], list[str]]:
    """Return the last line of each video by name, in the file's order, and sentences about what is wrong.

    An absent manifest has no lines. Raises VadkitError if it cannot be read.
    """
    path = root / MANIFEST
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        cannot_read(path, error)
    lines: dict[str, Line] = {}
    wrong = []
    for number, text in enumerate(content.split(b"\n"), 1):
        if not text.strip():
            continue
        try:
            line = _parse(text, f"{path}: line {number}")
        except VadkitError as error:
            wrong.append(f"{error.problems[0].message}; its video counts as not extracted yet")
            continue
        lines.pop(line.name, None)
        lines[line.name] = line
    return lines, wrong


def _parse(text: bytes, where: str) -> Line:
    """Return one line with its unknown keys. Raises VadkitError."""
    if len(text) > LONGEST_LINE:
        fail(f"{where}: has {len(text)} bytes, the limit is {LONGEST_LINE}")
    plain = json_file.from_bytes(text, dict[str, Any], where)
    unknown = {key: value for key, value in plain.items() if key not in KEYS}
    line = json_file.typed({key: value for key, value in plain.items() if key in KEYS}, Line, where)
    return msgspec.structs.replace(line, unknown=unknown) if unknown else line


def _as_line(line: Line) -> bytes:
    known = msgspec.to_builtins(msgspec.structs.replace(line, unknown={}))
    return json_file.as_line({**known, **line.unknown})


def append_line(root: Path, line: Line) -> None:
    """Add a line after the existing whole ones and flush it to the disk. Raises VadkitError.

    Of several processes only one at a time may do this.
    """
    path = root / MANIFEST
    try:
        with open_to_append(path) as file:
            file.seek(0)
            whole = _length_of_whole_lines(file)
            file.truncate(whole)  # a part of a line would spoil the one after it
            try:
                file.write(_as_line(line))
                file.flush()
                os.fsync(file.fileno())
            except OSError:  # a full disk: leave no part of a line
                os.ftruncate(file.fileno(), whole)
                raise
    except OSError as error:
        fail(
            f"cannot write {path}: {error.strerror or error}",
            "what is finished is kept; free some space and rerun the same command",
        )


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
    """Sort the manifest by name; leave it alone if that changes nothing. Raises VadkitError."""
    path = root / MANIFEST
    ordered = b"".join(_as_line(line) for line in sorted(lines, key=lambda line: line.name))
    if not path.exists() or read_bytes(path) != ordered:
        write_atomically(path, ordered)
