"""Videos, their features and labels; training batches and test videos made of them.

Dataset plugins build on what is named here; loaded when first used, so that importing is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOMES = {
    "Video": "vadkit.data.video",
    "VideoDataset": "vadkit.data.video",
    "open_features": "vadkit.data.arrays",
    "read_store": "vadkit.data.store_index",
    "StoredFeatures": "vadkit.data.stored",
    "TrainBatches": "vadkit.data.batches",
    "iterate": "vadkit.data.test",
    "open_dataset": "vadkit.data.build",
}

if TYPE_CHECKING:
    from vadkit.data.arrays import open_features
    from vadkit.data.batches import TrainBatches
    from vadkit.data.build import open_dataset
    from vadkit.data.store_index import read_store
    from vadkit.data.stored import StoredFeatures
    from vadkit.data.test import iterate
    from vadkit.data.video import Video, VideoDataset

__all__ = [
    "StoredFeatures",
    "TrainBatches",
    "Video",
    "VideoDataset",
    "iterate",
    "open_dataset",
    "open_features",
    "read_store",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vadkit.data' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
