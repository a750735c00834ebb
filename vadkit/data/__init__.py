"""From a store to tensors: training batches and whole videos. Loaded when first used, so that importing is cheap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vadkit.lazy import lazily

if TYPE_CHECKING:
    from vadkit.data.batches import TrainBatches
    from vadkit.data.from_config import build_sampler, open_dataset
    from vadkit.data.whole_videos import iterate

__all__ = ["TrainBatches", "build_sampler", "iterate", "open_dataset"]

__getattr__ = lazily(
    "vadkit.data",
    {
        "vadkit.data.batches": ("TrainBatches",),
        "vadkit.data.whole_videos": ("iterate",),
        "vadkit.data.from_config": ("build_sampler", "open_dataset"),
    },
)
