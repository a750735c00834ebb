"""The only place where media files are opened: a name is a local file, never an address or a list of other files.

FFmpeg takes ``http:x.mp4`` or ``concat:a.mp4`` for protocols, and playlists for the files that they name. Here every
name is an absolute path of the protocol "file", and only formats that hold their own pictures and sound are read.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import av

from vadkit.problems import fail

# Formats that read no other file; a list of what is allowed, because new versions of FFmpeg add more that do.
FORMATS = (
    *("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "mpegts", "mpegtsraw", "mpeg", "mpegvideo"),
    *("flv", "kux", "live_flv", "asf", "asf_o", "mxf", "ogg", "rm", "nut", "nsv", "nuv", "gxf", "dv", "wtv", "ty"),
    *("h261", "h263", "h264", "hevc", "vvc", "evc", "m4v", "av1", "obu", "ivf", "avs", "avs2", "avs3", "cavsvideo"),
    *("vc1", "vc1test", "dirac", "dnxhd", "mjpeg", "mjpeg_2000", "mpjpeg", "ipu", "apv", "yuv4mpegpipe", "smjpeg"),
    *("dhav", "lmlm4", "lvf", "pva", "ifv", "mgsts", "lxf", "ingenient", "swf", "amv", "4xm", "bink", "smk", "flic"),
    *("roq", "rl2", "vivo", "vmd", "thp", "ea", "film_cpk", "usm", "cine", "ser", "filmstrip", "gif", "apng"),
    *("jpegxl_anim", "webp_pipe", "png_pipe", "jpeg_pipe", "bmp_pipe", "tiff_pipe", "j2k_pipe", "jpegxl_pipe"),
    # Sound alone is read to be able to say so.
    *("wav", "mp3", "aac", "flac", "ac3", "eac3", "dts", "aiff", "au", "caf", "amr", "w64", "wv", "ape", "tta"),
)
OPTIONS = {"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS)}
# How lists of other files begin.
LISTS = {
    b"#EXTM3U": "an HLS playlist",
    b"ffconcat": "an FFmpeg list of files",
    b"<MPD": "a DASH manifest",
    b"v=0": "an SDP session",
    b"[Reference]": "an ASX list",
    b"<asx": "an ASX list",
    b"<CompositionPlaylist": "an IMF playlist",
    b"<AssetMap": "an IMF asset map",
}
ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
SERIES = re.compile(r"%0?\d*d|[*?\[{]")


def open_input(path: str | Path) -> Any:
    """Open a local media file for reading.

    Raises VadkitError if it is missing, no file, or cannot be read.
    """
    path = Path(path)
    check_file(path)
    try:
        return av.open(_url(path), container_options=OPTIONS, metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        _refuse(path, error)


def open_output(path: str | Path, format: str = "mp4", options: dict[str, str] | None = None) -> Any:
    """Open a local file for writing. Raises av.FFmpegError or OSError if it cannot be written."""
    return av.open(_url(Path(path)), "w", format=format, options=options or {})


def check_file(path: str | Path) -> None:
    """Raise VadkitError, with the way on, unless ``path`` is a regular file that is not empty."""
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        if is_live(path):
            _refuse_live(path)
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        fail(f"{path}: there is no such file" if missing else f"{path} cannot be read: {reason(error)}")
    if stat.S_ISDIR(found.st_mode):
        fail(f"{path} is a folder, not a video")
    if not stat.S_ISREG(found.st_mode):
        _refuse_live(path)
    if found.st_size == 0:
        fail(f"{path} is empty (0 bytes)")


def is_live(path: str | Path) -> bool:
    """Return whether a name that is no file is an address, a camera's number, or standard input."""
    text = str(path)
    return bool(ADDRESS.match(text)) or text == "-" or text.isdecimal() or text.startswith(("/dev/", "pipe:"))


def live_problem(path: str | Path) -> tuple[str, str | None]:
    """Return what is wrong with a camera or an address as input, and what to do instead."""
    source = {"-": "pipe:0"}.get(str(path), str(path))
    if ADDRESS.match(source) and "://" not in source:  # a Path folds the two slashes of an address
        source = source.replace(":/", "://", 1)
    device = f"-f v4l2 -i /dev/video{source}" if source.isdecimal() else f"-i {source}"
    device = device.replace("-i /dev/", "-f v4l2 -i /dev/") if "-f" not in device else device
    return (
        f"{source} is not a file; only files are read, no cameras, streams or addresses",
        f"record it first, e.g. ffmpeg {device} -t 60 clip.mp4, and give clip.mp4",
    )


def reason(error: Exception) -> str:
    """Return an error's own words."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


def _url(path: Path) -> str:
    return "file:" + os.path.abspath(path)


def _refuse_live(path: str | Path) -> None:
    fail(*live_problem(path))


def _refuse(path: Path, error: Exception) -> None:
    kind = _kind_of_list(path)
    if kind is not None:
        fail(
            f"{path} is {kind}, which names other files or addresses; it is not followed",
            hint="give the files that it names, or join them first: ffmpeg -i LIST -c copy clip.mp4",
        )
    if SERIES.search(path.name) and path.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"):
        fail(f"{path}: FFmpeg takes this name for a series of pictures", hint="rename it without % * ? [ {")
    fail(
        f"{path} cannot be read as a video: {reason(error)}",
        hint="it may be cut short (an mp4 without its end has no index) or not be a video at all",
    )


def _kind_of_list(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            head = file.read(2048).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError:
        return None
    starts = {mark: kind for mark, kind in LISTS.items() if head.lower().startswith(mark.lower())}
    inside = {mark: kind for mark, kind in LISTS.items() if mark.startswith(b"<") and mark in head}
    return next(iter({**starts, **inside}.values()), None)
