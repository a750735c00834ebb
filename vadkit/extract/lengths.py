"""How long videos are, by what their files state, for intervals that are shares of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from vadkit.datasets.importing.interval_shares import Length
from vadkit.extract.media import open_media
from vadkit.problems import VadkitError, fail
from vadkit.video import same_name, without_suffix

Progress = Callable[[str, int, int], None]


def lengths_of(
    names: Collection[str], files: Iterable[Path], beside: Path, progress: Progress | None = None
) -> tuple[dict[str, Length], list[str]]:
    """Return the length of each named video that is among the files, and a sentence for each that has none.

    Args:
        files: videos, in order; two of one name are refused.
        beside: a folder; paths are relative to it where that is possible.
        progress: called with what is done, how much of it, of how much.
    """
    wanted, found, notes = set(names), dict[str, Path](), []
    for path in files:
        name = same_name(without_suffix(path.name))
        if name not in wanted:
            continue
        if name in found:
            fail(f"two files are '{name}': {found[name]} and {path}", "give a folder that holds one of them")
        found[name] = path
    lengths: dict[str, Length] = {}
    for number, (name, path) in enumerate(found.items(), 1):
        try:
            lengths[name] = _length(path, beside)
        except VadkitError as error:
            notes.append(error.first)
        if progress is not None:
            progress("videos", number, len(found))
    return lengths, notes


def _length(path: Path, beside: Path) -> Length:
    with open_media(path) as media:
        if media.duration is None or not media.duration > 0:
            fail(f"{path} does not state how long it is")
        return Length(os.path.relpath(path, beside), media.duration, media.fps)
