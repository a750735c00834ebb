"""The feature store, a folder on disk, independent of what fills or reads it.

Dataset plugins build on what is named here; loaded when first used, so that importing is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vadkit.lazy import lazily

if TYPE_CHECKING:
    from vadkit.store.array_file import open_features
    from vadkit.store.index import Store, read_store
    from vadkit.store.reader import StoredFeatures
    from vadkit.store.recipes import meaningless_warnings
    from vadkit.store.sources import Overlap, overlap, source_rule

__all__ = [
    "Overlap",
    "Store",
    "StoredFeatures",
    "meaningless_warnings",
    "open_features",
    "overlap",
    "read_store",
    "source_rule",
]

__getattr__ = lazily(
    "vadkit.store",
    {
        "vadkit.store.array_file": ("open_features",),
        "vadkit.store.index": ("Store", "read_store"),
        "vadkit.store.reader": ("StoredFeatures",),
        "vadkit.store.recipes": ("meaningless_warnings",),
        "vadkit.store.sources": ("Overlap", "overlap", "source_rule"),
    },
)
