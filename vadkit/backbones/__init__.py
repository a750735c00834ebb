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
        resize_to,
        to_grey,
    )
    from vadkit.backbones.flow.on_device import device_flow, tvl1_form
    from vadkit.backbones.fold_batch_norm import Pair, folded
    from vadkit.backbones.frame_batch import FrameBatch
    from vadkit.backbones.frozen import Frozen, Precision, exact, on_device
    from vadkit.backbones.view import Snippets, View, at_least
    from vadkit.backbones.weights import State, check_names, fill, randomise, read_weights, sha256
    from vadkit.opencv import load_opencv

__all__ = [
    "Crop",
    "FrameBatch",
    "Frozen",
    "Order",
    "Pair",
    "Precision",
    "Resize",
    "Snippets",
    "State",
    "View",
    "at_least",
    "check_names",
    "crop_places",
    "cut_crops",
    "device_flow",
    "exact",
    "fill",
    "folded",
    "load_opencv",
    "num_crops",
    "on_device",
    "randomise",
    "read_weights",
    "resize_short_side",
    "resize_to",
    "sha256",
    "to_grey",
    "tvl1_form",
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
            "resize_to",
            "to_grey",
        ),
        "vadkit.backbones.flow.on_device": ("device_flow", "tvl1_form"),
        "vadkit.backbones.fold_batch_norm": ("Pair", "folded"),
        "vadkit.backbones.frame_batch": ("FrameBatch",),
        "vadkit.backbones.frozen": ("Frozen", "Precision", "exact", "on_device"),
        "vadkit.backbones.view": ("Snippets", "View", "at_least"),
        "vadkit.opencv": ("load_opencv",),
        "vadkit.backbones.weights": ("State", "check_names", "fill", "randomise", "read_weights", "sha256"),
    },
)
