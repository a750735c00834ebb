"""The toolbox of backbone plugins: frozen networks, weight files, crops, optical flow.

Public, as ``vadkit.layers`` is; loaded when first used, so that importing is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vadkit.lazy import lazily

if TYPE_CHECKING:
    from vadkit.backbones.crops import Order, crop_places, cut_crops, num_crops, resize_short_side, to_grey
    from vadkit.backbones.fold_batch_norm import Pair, folded
    from vadkit.backbones.frozen import Frozen, Precision
    from vadkit.backbones.frozen_pictures import FrozenPictures
    from vadkit.backbones.weights import State, check_names, fill, randomise, read_weights, sha256
    from vadkit.opencv import load_opencv

__all__ = [
    "Frozen",
    "FrozenPictures",
    "Order",
    "Pair",
    "Precision",
    "State",
    "check_names",
    "crop_places",
    "cut_crops",
    "fill",
    "folded",
    "load_opencv",
    "num_crops",
    "randomise",
    "read_weights",
    "resize_short_side",
    "sha256",
    "to_grey",
]

__getattr__ = lazily(
    "vadkit.backbones",
    {
        "vadkit.backbones.crops": ("Order", "crop_places", "cut_crops", "num_crops", "resize_short_side", "to_grey"),
        "vadkit.backbones.fold_batch_norm": ("Pair", "folded"),
        "vadkit.backbones.frozen": ("Frozen", "Precision"),
        "vadkit.backbones.frozen_pictures": ("FrozenPictures",),
        "vadkit.opencv": ("load_opencv",),
        "vadkit.backbones.weights": ("State", "check_names", "fill", "randomise", "read_weights", "sha256"),
    },
)
