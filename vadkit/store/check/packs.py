"""Hold the packed cache of a store up to the files it was packed from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from vadkit.problems import VadkitError
from vadkit.store.array_file import check_finite
from vadkit.store.check.findings import Finding, from_problems
from vadkit.store.index import Store
from vadkit.store.packed import AGAIN, Packed
from vadkit.store.reader import StoredFeatures


def check_packs(store: Store, alone: set[str]) -> Iterator[Finding]:
    """Yield what is wrong with packed streams. ``alone`` are those whose original files are gone."""
    plain = StoredFeatures(replace(store, packed={}))
    for stream, file in store.packed.items():
        try:
            packed = Packed(store.root / file, store.dims[stream])
        except VadkitError as error:
            yield from from_problems(store.root, file, error.problems)
            continue
        if packed.recipe is not None and dict(packed.recipe) != dict(store.recipes[stream]):
            yield Finding(file, f"was packed when store.json told another recipe of stream '{stream}'", AGAIN)
        for video in store.videos:
            try:
                found = packed.read(video.name)
                check_finite(found, f"video '{video.name}'", AGAIN)
                true = found if stream in alone else plain.read(video, stream)
            except VadkitError as error:
                known = video.name in packed  # an original that cannot be read is told elsewhere
                yield from from_problems(store.root, file, error.problems if not known else [])
                continue
            if found.shape != true.shape or not np.array_equal(found, true.astype(found.dtype)):
                yield Finding(file, f"video '{video.name}' is not as in the file it was packed from", AGAIN)
