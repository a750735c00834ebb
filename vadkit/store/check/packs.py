"""Compare the packed streams of a store with the files they were packed from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from vadkit.problems import VadkitError
from vadkit.store.array_file import check_finite
from vadkit.store.check.finding import Finding, from_problems
from vadkit.store.index import Store
from vadkit.store.names import Below
from vadkit.store.packed import AGAIN, Packed
from vadkit.store.reader import StoredFeatures
from vadkit.video import Video


def check_packs(store: Store, alone: set[str], content: bool) -> Iterator[Finding]:
    """Yield what is wrong with packed streams.

    Args:
        alone: the streams whose original files are gone.
        content: compare the numbers, too.
    """
    plain = StoredFeatures(replace(store, packed={}))
    videos = {video.name: video for video in store.videos}
    below = Below(store.root)
    for stream, file in store.packed.items():
        try:
            packed = Packed(below.pack(stream, file), store.dims[stream])
            packed.check(store.recipes[stream], partial(_files, plain, videos, stream))
        except VadkitError as error:
            yield from from_problems("pack", Path(f"{store.root}/{file}"), error.problems, AGAIN)
            continue
        for video in store.videos if content else ():
            yield from _compare(packed, video, stream, None if stream in alone else plain)


def _files(plain: StoredFeatures, videos: Mapping[str, Video], stream: str, name: str) -> tuple[Path, ...]:
    return plain.paths(videos[name], stream) if name in videos else ()


def _compare(packed: Packed, video: Video, stream: str, plain: StoredFeatures | None) -> Iterator[Finding]:
    """Yield whether the features of one video differ from those in ``plain``."""
    name = video.name
    try:
        found = packed.read(name)
        check_finite(found, f"video '{name}'", AGAIN)
        true = found if plain is None else plain.read(video, stream)
    except VadkitError as error:
        known = name in packed  # an original that cannot be read is reported by the scan
        yield from from_problems("pack", packed.path, error.problems if not known else [], AGAIN, name)
        return
    if found.shape != true.shape or not np.array_equal(found, true.astype(found.dtype)):
        what = f"video '{name}' differs from the file it was packed from"
        yield Finding("pack", what, AGAIN, name, str(packed.path))
