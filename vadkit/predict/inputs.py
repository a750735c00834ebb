"""Find the videos in files and folders, and choose the name of each video's results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from vadkit.extract.open_file import is_live, live_problem
from vadkit.problems import Problem, VadkitError

SUFFIXES = frozenset(
    {
        ".3gp",
        ".asf",
        ".avi",
        ".dav",
        ".flv",
        ".m2ts",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".ogv",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
    }
)
PREVIEW = ".preview.mp4"  # suffix of a transcoded copy next to a page
LONGEST = 180  # bytes of a name; with suffixes it must not exceed 255 on most file systems


def find_videos(paths: Sequence[str | Path], out: Path) -> list[Path]:
    """Return the videos of files and folders (searched recursively), each once, in order.

    In folders only files with a video's suffix count, and nothing inside ``out``. Raises VadkitError
    for every path that does not exist and every folder without a video.
    """
    found: dict[Path, Path] = {}
    problems = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = list(_in_folder(path, out.resolve()))
            if not inside:
                problems.append(Problem(f"the folder {path} holds no video", hint=f"known: {_suffixes()}"))
            found |= {p.resolve(): p for p in inside if p.resolve() not in found}
        elif path.is_file():
            found.setdefault(path.resolve(), path)
        else:
            text, hint = live_problem(path) if is_live(path) else (f"there is no video {path}", None)
            problems.append(Problem(text, hint=hint))
    if problems:
        raise VadkitError(problems)
    return list(found.values())


def _in_folder(folder: Path, out: Path) -> Iterable[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix.lower() not in SUFFIXES or path.name.endswith(PREVIEW):
            continue
        # With --out inside the folder, copies of an earlier run must not count as videos.
        inside_out = out in path.resolve().parents and out != folder.resolve()
        if path.is_file() and not inside_out:
            yield path


def _suffixes() -> str:
    return " ".join(sorted(SUFFIXES))


def distinct_names(videos: Sequence[Path]) -> list[str]:
    """Return for each video the stem of its results: its own, or with -2, -3 if that is taken.

    Names that differ only in case count as equal, as on some file systems.
    """
    taken = {"index"}  # index.html is the page over all videos
    names = []
    for video in videos:
        stem = _safe(video.stem)
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _safe(stem: str) -> str:
    """Return a stem without characters that some file systems refuse, and not too long."""
    text = stem.encode("utf-8", "replace").decode()  # unpaired surrogates of names that are not UTF-8
    text = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", text).strip().rstrip(".")
    return text.encode()[:LONGEST].decode(errors="ignore") or "video"
