"""The toolbox of backbone plugins: frozen networks, weight files, crops; ``flow`` in it computes optical flow.

Public, as ``vadkit.layers`` is; loaded when first used, so that importing is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vadkit.lazy import lazily

if TYPE_CHECKING:
    from vadkit.backbones.crops import (
        Crop,
        Order,
        Resize,
        crop_places,
        cut_crops,
        num_crops,
        resize_short_side,
        to_grey,
    )
    from vadkit.backbones.fold_batch_norm import Pair, folded
    from vadkit.backbones.frozen import Frozen, Precision
    from vadkit.backbones.view import View
    from vadkit.backbones.weights import State, check_names, fill, randomise, read_weights, sha256
    from vadkit.opencv import load_opencv

__all__ = [
    "Crop",
    "Frozen",
    "Order",
    "Pair",
    "Precision",
    "Resize",
    "State",
    "View",
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
        "vadkit.backbones.crops": (
            "Crop",
            "Order",
            "Resize",
            "crop_places",
            "cut_crops",
            "num_crops",
            "resize_short_side",
            "to_grey",
        ),
        "vadkit.backbones.fold_batch_norm": ("Pair", "folded"),
        "vadkit.backbones.frozen": ("Frozen", "Precision"),
        "vadkit.backbones.view": ("View",),
        "vadkit.opencv": ("load_opencv",),
        "vadkit.backbones.weights": ("State", "check_names", "fill", "randomise", "read_weights", "sha256"),
    },
)
