"""The mark of a stand-in: the file that says that the features in its folder are made up."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import msgspec

from vadkit import json_file
from vadkit.problems import VadkitError

MARK = "stand-in.json"


class Mark(msgspec.Struct):
    """What the mark of an existing stand-in says that must be as wanted."""

    of: str
    seed: int = 0
    width: int | None = None
    crops_are_links: bool = False
    fraction: float = 1.0
    streams: list[str] = []


def made_up(file: Path) -> str | None:
    """Return what a feature file is a stand-in of; None for features that are not in the folder of a stand-in."""
    return _of_folder(file.parent) or _of_folder(file.resolve().parent)


@lru_cache(maxsize=4096)
def _of_folder(folder: Path) -> str | None:
    for above in (folder.absolute(), *folder.absolute().parents):
        if (above / MARK).is_file():
            return _origin(above / MARK)
    return None


def _origin(path: Path) -> str:
    try:
        mark = json_file.read(path, Mark)
    except VadkitError:  # damaged, but there is no other reason for a file of that name
        return "a stand-in"
    return f"stand-in of {mark.of}, seed {mark.seed}"
