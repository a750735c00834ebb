"""The mark of a rendered set: what it is, and that features of its videos are not of real ones."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import msgspec

from vadkit import json_file
from vadkit.store.store_json import load_head, write_head

MARK = "rendered.json"
VERSION = 1  # of what a seed gives; another one renders other videos
NOTICE = (
    "the features are of videos that 'vadkit store generate rendered' has rendered: on real videos, scores and events "
    "mean little"
)


class Mark(msgspec.Struct):
    """rendered.json: which set a folder holds, and whether all of it is there."""

    rendered: int
    hours: float
    scenes: int
    seed: int
    complete: bool = False
    what: str = "rendered videos, for trying and comparing systems; no figure on them says how good one is on real ones"


def mark_store(store: Path, files: Iterable[str]) -> None:
    """Write the notice into a store whose features are of rendered videos, if one of ``files`` is such a video."""
    if any(_is_marked(Path(file).parent) for file in files):
        head = load_head(store)
        if head.get("notice") != NOTICE:
            write_head(store, {**head, "notice": NOTICE})


@lru_cache(maxsize=4096)
def _is_marked(folder: Path) -> bool:
    """Return whether a folder, or the one above it, is that of a rendered set."""
    real = folder.resolve()
    return any((place / MARK).is_file() for place in (real, real.parent))


def read_mark(folder: Path) -> Mark:
    """Return the mark of a folder. Raises VadkitError."""
    return json_file.read(folder / MARK, Mark, "the mark of a rendered set", "delete the folder and generate it again")
