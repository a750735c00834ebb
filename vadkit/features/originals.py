"""Read a store by the files that its features were first written to, and not by its packed cache."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from vadkit.data.store_index import Store
from vadkit.data.stored import StoredFeatures


def without_originals(store: Store) -> set[str]:
    """Return the packed streams whose original files are gone: the pack is all there is."""
    plain = StoredFeatures(replace(store, packed={}))
    return {
        stream
        for stream in store.packed
        if all(not path.exists() for video in store.videos for path in plain.paths(video, stream))
    }


def originals(store: Store, only_packed: Iterable[str] | None = None) -> StoredFeatures:
    """Return a reader of the original files; of packed ones for streams that have no others.

    Raises VadkitError for a pack that is needed and cannot be used.
    """
    kept = without_originals(store) if only_packed is None else set(only_packed)
    return StoredFeatures(replace(store, packed={s: file for s, file in store.packed.items() if s in kept}))
