"""From a name in a file to a path: the only way.

A store, its manifest and its packs may come from anybody. What they call a stream, a video or a pack is a plain name,
what they call a feature file a path below one folder; nothing else becomes a path, and no link leads out. A test of the
source looks for paths that are joined elsewhere.

Two kinds of paths in an index may be anywhere, because they are only read and a user writes them: the folder of
published features (``base_folder``) and the video files (``video_file``).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from vadkit.problems import fail

HEAD, VIDEOS, MANIFEST, LOCK = "store.json", "videos.json", "manifest.jsonl", ".lock"
OWN = (HEAD, VIDEOS, MANIFEST, LOCK)
LONGEST = 240  # bytes of a name; a file system takes 255, and suffixes are added
LONGEST_STREAM = 200  # a pack adds more
LONGEST_PART = 255  # bytes of a part of a path
PACK = r"-(float32|float16)-[0-9a-f]{8}\.npy"
PLAIN = "a plain file name: no slash, no leading dot"


# -- what a name may be ----------------------------------------------------------------------------
def is_plain_name(name: object) -> bool:
    """Return whether ``name`` is a file name that cannot leave its folder or hide in it, on any system."""
    if not isinstance(name, str) or not name or name.startswith(".") or re.match(r"[A-Za-z]:", name):
        return False
    return "\\" not in name and "/" not in name and _is_part(name, LONGEST)


def is_stream_name(name: object) -> bool:
    """Return whether ``name`` can be a stream's: a plain name that no file of a store has or may get."""
    if not is_plain_name(name) or not _is_part(str(name), LONGEST_STREAM):
        return False
    text = str(name).casefold()  # some file systems take Store.json for store.json
    return text not in OWN and not text.endswith((".npy", ".json"))


def is_pack_name(name: str, stream: str) -> bool:
    """Return whether ``name`` is one that packed files of the stream get."""
    return re.fullmatch(re.escape(stream) + PACK, name) is not None


def is_path_below(text: object) -> bool:
    """Return whether ``text`` is a relative path with slashes that stays below the folder it is relative to."""
    if not isinstance(text, str) or not text or "\\" in text or re.match(r"[A-Za-z]:", text):
        return False
    parts = [part for part in text.split("/") if part not in ("", ".")]
    return bool(parts) and text[0] != "/" and ".." not in parts and all(_is_part(part, LONGEST_PART) for part in parts)


def is_path(text: str) -> bool:
    """Return whether ``text`` can be a path at all."""
    return all(_is_part(part, LONGEST_PART) for part in text.split("/") if part)


def _is_part(text: str, longest: int) -> bool:
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        return False
    try:
        return len(os.fsencode(text)) <= longest
    except UnicodeEncodeError:  # surrogates that no file name has
        return False


# -- paths -----------------------------------------------------------------------------------------
class Below:
    """Gives the paths below a folder that files name, and refuses those that lead out of it, by their name or by a
    link. Folders on the way are looked at once.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._real = os.path.realpath(folder)
        self._sound: set[str] = set()

    def stream(self, stream: str) -> Path:
        """Return the folder of a stream of the store in this folder. Raises VadkitError."""
        if not is_stream_name(stream):
            fail(f"{self.folder}: {stream!r} cannot be the name of a stream", hint=PLAIN)
        return self._inside(self.folder / stream, is_folder=True)

    def array(self, stream: str, video: str) -> Path:
        """Return the file of a video's stream in the store's own folder of it. Raises VadkitError."""
        return self._inside(self.stream(stream) / array_name(video))

    def pack(self, stream: str, name: str) -> Path:
        """Return a packed file of the stream. Raises VadkitError for a name that packed files of it do not get."""
        if not is_pack_name(name, stream):
            fail(f"{self.folder}: {name!r} is no packed file of stream '{stream}'")
        return self._inside(self.folder / name)

    def file(self, file: str) -> Path:
        """Return a file that is given relative to this folder, such as published features. Raises VadkitError."""
        if not is_path_below(file):
            fail(f"{self.folder}: {file!r} is not the path of a file below it")
        return self._inside(self.folder / file)

    def _inside(self, path: Path, is_folder: bool = False) -> Path:
        above = str(path if is_folder else path.parent)
        if above not in self._sound:
            self._check(above)
            self._sound.add(above)
        if not is_folder and os.path.islink(path):
            self._check(str(path))
        return path

    def _check(self, path: str) -> None:
        real = os.path.realpath(path)
        if real != self._real and not real.startswith(self._real.rstrip("/") + "/"):
            fail(f"{path}: leads out of {self.folder}, to {real}", hint="copy what it leads to, in place of the link")


def stream_folder(root: Path, stream: str) -> Path:
    """Return the folder of a stream of the store in ``root``. Raises VadkitError."""
    return Below(root).stream(stream)


def array_path(root: Path, stream: str, video: str) -> Path:
    """Return the file of a video's stream in the store's own folder of it. Raises VadkitError."""
    return Below(root).array(stream, video)


def array_name(video: str) -> str:
    """Return the name of a video's array file. Raises VadkitError for a name that no video can have."""
    if not is_plain_name(video):
        fail(f"{video!r} cannot be the name of a video", hint=PLAIN)
    return f"{video}.npy"


def base_folder(root: Path, folder: str) -> Path:
    """Return the folder of published features, which may be anywhere. Raises VadkitError for what is no path."""
    return _anywhere(root, folder)


def video_file(root: Path, file: str) -> Path:
    """Return a video file, which may be anywhere. Raises VadkitError for what is no path."""
    return _anywhere(root, file)


def _anywhere(root: Path, text: str) -> Path:
    if not is_path(text):
        fail(f"{root}: {text[:60]!r} is not a path")
    return root / text
