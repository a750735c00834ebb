"""Find the videos in files and folders, and say what is left out."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vadkit.extract.open_file import is_live, live_problem
from vadkit.problems import Problem, VadkitError
from vadkit.video import VIDEO_SUFFIXES

PREVIEW = ".preview.mp4"  # suffix of a transcoded copy next to a page
EXAMPLES = 3  # named in a note; the others are counted
# What is left out of a folder: one of it, several, and whether their names are said.
LEFT_OUT = {
    "hidden": ("hidden entry", "hidden entries", False),
    "other": ("file without a video's suffix", "files without a video's suffix", False),
    "broken": ("broken link", "broken links", True),
    "above": ("link back to a folder above it", "links back to folders above them", True),
    "again": ("link to a folder that is searched anyway", "links to folders that are searched anyway", True),
    "refused": ("folder that cannot be read", "folders that cannot be read", True),
    "special": ("entry that is neither file nor folder", "entries that are neither files nor folders", True),
}


@dataclass
class Found:
    """What the given paths lead to.

    Attributes:
        entries: in order, a video with None, or a path that leads to no video with what is wrong.
        notes: what was left out, a sentence per folder.
    """

    entries: list[tuple[Path, Problem | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def videos(self) -> list[Path]:
        return [path for path, problem in self.entries if problem is None]

    @property
    def problems(self) -> list[Problem]:
        return [problem for _, problem in self.entries if problem is not None]


def find_videos(paths: Sequence[str | Path], out: Path, notes: list[str] | None = None) -> list[Path]:
    """Return the videos of files and folders, as ``search`` finds them; ``notes`` gets its notes.

    Raises VadkitError for every path that does not exist and every folder without a video.
    """
    found = search(paths, out)
    if found.problems:
        raise VadkitError(found.problems)
    if notes is not None:
        notes += found.notes
    return found.videos


def search(paths: Sequence[str | Path], out: Path) -> Found:
    """Return the videos of files and folders (searched recursively), each once, in order.

    In folders only files with a video's suffix count, and nothing inside ``out``. Links are followed, to files and to
    folders; but each folder is searched once, and no link back to a folder above it is followed. Two links to one file
    are two videos if their names differ.
    """
    found, known = Found(), _Known()
    for path in map(Path, paths):
        if not path.is_dir():
            problem = _problem(path)
            if problem or known.add(path):
                found.entries.append((path, problem))
            continue
        folder = _Folder(path, real(out))
        inside = sorted(folder)
        found.entries += [(video, None) for video in inside if known.add(video)]
        if not inside:
            hint = f"{folder.note()}; known: {_suffixes()}" if folder.note() else f"known: {_suffixes()}"
            found.entries.append((path, Problem(f"the folder {path} holds no video", hint=hint)))
        elif folder.note():
            found.notes.append(f"{path}: {folder.note()}")
    return found if not known.twice else Found(found.entries, [*found.notes, known.note()])


def _problem(path: Path) -> Problem | None:
    if path.is_file():
        return None
    if path.is_symlink():
        return Problem(f"{path} is a broken link to {os.readlink(path)}")
    if is_live(path):
        text, hint = live_problem(path)
        return Problem(text, hint=hint)
    return Problem(f"{path} is not a file" if path.exists() else f"there is no video {path}")


def _suffixes() -> str:
    return " ".join(sorted(VIDEO_SUFFIXES))


def identity(path: Path) -> Path:
    """Return the absolute path of a video. A link is not followed: its name is the video's."""
    return real(path.parent) / path.name


def real(path: Path) -> Path:
    """Return the absolute path without links; of links that go in a circle, the path itself."""
    return Path(os.path.realpath(path))


def same_text(name: str) -> str:
    """Return a name as file systems compare names: in no case, and with accents composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class _Known:
    """The videos found so far, and those that are one of them again."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()
        self.contents: dict[tuple[Path, str], Path] = {}
        self.twice: list[tuple[Path, Path]] = []

    def add(self, path: Path) -> bool:
        """Return whether the video is new: neither named twice, nor a link to another one of the same name."""
        where = identity(path)
        if where in self.paths:
            return False
        self.paths.add(where)
        first = self.contents.setdefault((real(path), same_text(path.stem)), path)
        if first is not path:
            self.twice.append((path, first))
        return first is path

    def note(self) -> str:
        path, first = self.twice[0]
        count = len(self.twice)
        links = "1 link to a video" if count == 1 else f"{count} links to videos"
        return f"left out {links} of the same name: {path} is {first}" + (" ..." if count > 1 else "")


class _Folder:
    """The videos below one folder; iterate it once, then ask what was left out."""

    def __init__(self, path: Path, out: Path) -> None:
        self.path, self.out = path, out
        self.searched: set[tuple[int, int]] = set()
        self.left_out: dict[str, list[str]] = {}

    def __iter__(self) -> Iterator[Path]:
        folders, links = [self.path], list[Path]()
        while folders or links:  # real folders first, so that a video is listed by its own path
            here = folders.pop() if folders else links.pop(0)
            for entry in self._entries(here):
                if entry.name.startswith("."):
                    self._skip("hidden", entry.path)
                elif os.path.isdir(entry.path):  # entry.is_dir() raises for links in a circle
                    (links if entry.is_symlink() else folders).append(Path(entry.path))
                elif self._is_video(entry):
                    yield Path(entry.path)

    def _entries(self, folder: Path) -> Iterable[os.DirEntry[str]]:
        target = real(folder)
        if folder.is_symlink() and folder != self.path and real(folder.parent).is_relative_to(target):
            self._skip("above", str(folder))
            return []
        if target == self.out and folder != self.path:  # copies of an earlier run must not count as videos
            return []
        try:
            about = folder.stat()
            if (about.st_dev, about.st_ino) in self.searched:
                self._skip("again", str(folder))
                return []
            self.searched.add((about.st_dev, about.st_ino))
            with os.scandir(folder) as entries:
                return list(entries)
        except OSError:
            self._skip("refused", str(folder))
            return []

    def _is_video(self, entry: os.DirEntry[str]) -> bool:
        if not os.path.isfile(entry.path):
            broken = entry.is_symlink() and not os.path.exists(entry.path)
            self._skip("broken" if broken else "special", entry.path)
        elif entry.name.endswith(PREVIEW):
            pass
        elif Path(entry.name).suffix.lower() not in VIDEO_SUFFIXES:
            self._skip("other", entry.path)
        else:
            return not self._is_result(entry)
        return False

    def _is_result(self, entry: os.DirEntry[str]) -> bool:
        return entry.is_symlink() and self.out != real(self.path) and self.out in real(Path(entry.path)).parents

    def _skip(self, what: str, path: str) -> None:
        self.left_out.setdefault(what, []).append(os.path.relpath(path, self.path))

    def note(self) -> str:
        """Return what was left out, as a part of a sentence; empty if nothing was."""
        return "left out " + ", ".join(map(self._counted, sorted(self.left_out))) if self.left_out else ""

    def _counted(self, what: str) -> str:
        names = sorted(self.left_out[what])
        one, several, named = LEFT_OUT[what]
        text = f"{len(names)} {one if len(names) == 1 else several}"
        more = ", ..." if len(names) > EXAMPLES else ""
        return f"{text} ({', '.join(names[:EXAMPLES])}{more})" if named else text
