"""What is watched: video files, folders of them, USB devices and RTSP addresses, each a camera with a name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from vadkit.extract.open_file import check_file, is_live
from vadkit.problems import Place, Problem, VadkitError
from vadkit.video import VIDEO_SUFFIXES
from vadkit.watch.secrets import hide, revealed_address

Kind = Literal["file", "folder", "usb", "rtsp"]
Transport = Literal["tcp", "udp"]
NAMED = re.compile(r"([A-Za-z0-9_-]{1,64})=(.+)", re.DOTALL)
SCHEMES = ("rtsp", "rtsps")


@dataclass(frozen=True)
class Camera:
    """One source.

    Attributes:
        name: in events, topics and file names; letters, digits, "_" and "-".
        source: as it was written, with names in braces instead of secrets.
        url: what is opened; secret.
        files: the recordings of a file or folder, in order.
        sound: False leaves out its sound.
    """

    name: str
    source: str
    kind: Kind
    url: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    files: tuple[Path, ...] = ()
    sound: bool = True
    transport: Transport = "tcp"

    @property
    def is_live(self) -> bool:
        return self.kind in ("usb", "rtsp")

    @property
    def shown(self) -> str:
        """The source without secrets."""
        return self.hide(self.source)

    def hide(self, text: str) -> str:
        """Return a text without this camera's secrets."""
        return hide(text, self.secrets)


@dataclass(frozen=True)
class Entry:
    """A source as a user gives it, and where."""

    source: str
    name: str | None = None
    sound: bool = True
    transport: Transport = "tcp"
    place: Place | None = None


def entry_of(text: str) -> Entry:
    """Return the entry of SOURCE or NAME=SOURCE."""
    named = NAMED.fullmatch(text)
    if named and not Path(text).exists():
        return Entry(named[2], named[1])
    return Entry(text)


def find_cameras(entries: Sequence[Entry]) -> list[Camera]:
    """Return the cameras of the entries, with names that differ. Raises VadkitError with all that is wrong."""
    cameras: list[Camera] = []
    problems: list[Problem] = []
    taken: set[str] = set()
    for entry in entries:
        try:
            camera = _camera(entry)
        except VadkitError as error:
            problems += [replace(p, place=p.place or entry.place) for p in error.problems]
            continue
        if camera.name in taken and entry.name:
            problems.append(Problem(f"two cameras have the name '{camera.name}'", entry.place, "name them apart"))
        name = _free(camera.name, taken)
        taken.add(name)
        cameras.append(Camera(**{**vars(camera), "name": name}))
    if problems:
        raise VadkitError(problems)
    return cameras


def _free(name: str, taken: Iterable[str]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _camera(entry: Entry) -> Camera:
    source = entry.source
    common = {"sound": entry.sound, "transport": entry.transport}
    if source.isdecimal() or source.startswith("/dev/"):
        return _usb(entry, f"/dev/video{source}" if source.isdecimal() else source)
    if "://" in source:
        url, secrets = revealed_address(source)
        parts = _check_address(url, source, secrets, entry.place)
        default = f"{parts.hostname}{parts.path}".strip("/")
        return Camera(_name(entry.name or default), source, "rtsp", url, secrets, (), **common)  # type: ignore[arg-type]
    path = Path(source)
    videos = _videos(path, entry)
    kind: Kind = "folder" if path.is_dir() else "file"
    default = path.resolve().name if kind == "folder" else path.stem
    return Camera(_name(entry.name or default), source, kind, files=videos, sound=entry.sound)


def _usb(entry: Entry, device: str) -> Camera:
    if not Path(device).exists():
        text = f"there is no device {device}"
        raise VadkitError([Problem(text, entry.place, "see ls /dev/video*; in a container pass it on with --device")])
    return Camera(_name(entry.name or Path(device).name), entry.source, "usb", device, sound=False)


def _check_address(url: str, source: str, secrets: tuple[str, ...], place: Place | None):  # type: ignore[no-untyped-def]
    shown = hide(source, secrets)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise VadkitError([Problem(f"{shown} is not an address", place, "rtsp://HOST:PORT/PATH")]) from None
    if parts.scheme.lower() not in SCHEMES:
        hint = "give the camera's RTSP address (rtsp:// or rtsps://), a file, a folder or a device such as /dev/video0"
        raise VadkitError([Problem(f"{shown}: {parts.scheme} addresses cannot be watched", place, hint)])
    if not parts.hostname or port == 0:
        raise VadkitError([Problem(f"{shown} names no host", place, "rtsp://HOST:PORT/PATH")])
    return parts


def _videos(path: Path, entry: Entry) -> tuple[Path, ...]:
    if not path.is_dir():
        if is_live(path):
            text = f"{hide(str(path))} is neither a file nor an address that can be watched"
            raise VadkitError([Problem(text, entry.place, "write rtsp://HOST/PATH, a device's number, or a file")])
        check_file(path)
        return (path,)
    videos = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file())
    if not videos:
        raise VadkitError([Problem(f"the folder {path} holds no video", entry.place)])
    return tuple(videos)


def _name(text: str) -> str:
    """Return a name that is safe in a topic and in a file's name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_")[:64] or "camera"
