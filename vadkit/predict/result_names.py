"""Choose the names of the results of each video in a folder that may hold those of earlier calls."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from vadkit.predict.inputs import identity, same_text

LONGEST = 180  # bytes of a name; with suffixes it must not exceed 255 on most file systems
NAMED = 4  # videos of one name that a note lists
RESERVED = ("index", "summary")  # the page and the file over all videos


def result_names(videos: Sequence[Path], earlier: Mapping[str, Path] | None = None) -> list[str]:
    """Return for each video the stem of its results: its own, or with -2, -3 if another video has that.

    Args:
        earlier: the videos that have results already, by name. One that has gone gives its name up.

    Names that differ only in case or in how an accent is composed count as equal, as on some file systems.
    """
    owners: dict[str, tuple[str, Path | None]] = {
        same_text(name): (name, path) for name, path in (earlier or {}).items()
    }
    taken = set(RESERVED)
    return [_free(video, owners, taken) for video in videos]


def _free(video: Path, owners: Mapping[str, tuple[str, Path | None]], taken: set[str]) -> str:
    stem, number = _safe(video.stem), 1
    while True:
        name = stem if number == 1 else f"{stem}-{number}"
        key = same_text(name)
        name, owner = owners.get(key, (name, None))
        if key not in taken and (owner is None or owner == identity(video) or not owner.exists()):
            taken.add(key)
            return name
        number += 1


def _safe(stem: str) -> str:
    """Return a stem without characters that some file systems refuse, and not too long."""
    text = stem.encode("utf-8", "replace").decode()  # unpaired surrogates of names that are not UTF-8
    text = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", text).strip().rstrip(".")
    return text.encode()[:LONGEST].decode(errors="ignore") or "video"


def shared_names(videos: Sequence[Path], names: Sequence[str]) -> list[str]:
    """Return a sentence for every file name that several of the videos have, with the names of their results."""
    groups: dict[str, list[int]] = {}
    for number, video in enumerate(videos):
        groups.setdefault(same_text(video.stem), []).append(number)
    return [
        f"{len(group)} videos are called {videos[group[0]].stem}: their results are "
        + ", ".join(f"{names[i]} (of {videos[i]})" for i in group[:NAMED])
        + (", ..." if len(group) > NAMED else "")
        for group in groups.values()
        if len(group) > 1
    ]
