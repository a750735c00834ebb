"""Resize pictures and cut the usual crops, in the orders in which published features store them.

Legend: ``f`` frames, ``c`` channels, ``h`` height, ``w`` width.

There is one resize: bilinear or bicubic, antialiased, on whole grey levels, equal to Pillow's within one
level. Plain bilinear without antialiasing changes features far more than that. Pictures on a device are resized
there, to the same levels: see ``vadkit.backbones.device_resize``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vadkit.backbones.device_resize import resize_on_device

Resize = Literal["bilinear", "bicubic"]
Order = Literal["whole", "centre", "five", "five_ur_dmu", "ten", "ten_ur_dmu"]

LONGEST = 8  # a picture longer than this many short sides is squeezed: its memory would be unlimited
_CORNERS = ("top left", "top right", "bottom left", "bottom right", "centre")
_UR_DMU = ("top left", "top right", "centre", "bottom left", "bottom right")
_PLACES: dict[str, tuple[str, ...]] = {
    "whole": ("whole",),
    "centre": ("centre",),
    "five": _CORNERS,  # the files __0 to __4 of XD-Violence; torchvision's FiveCrop
    "five_ur_dmu": _UR_DMU,
    "ten": _CORNERS + _CORNERS,  # torchvision's TenCrop: the second half is of the mirrored picture
    "ten_ur_dmu": _UR_DMU + _UR_DMU,
}


@dataclass(frozen=True)
class Crop:
    """A part of a picture: its upper left corner and size in pixels, in the mirrored picture if ``mirrored``."""

    place: str
    top: int
    left: int
    height: int
    width: int
    mirrored: bool

    def cut(self, frames: Tensor) -> Tensor:
        """Return the part (..., height, width) of frames (..., h, w)."""
        frames = frames.flip(-1) if self.mirrored else frames
        return frames[..., self.top : self.top + self.height, self.left : self.left + self.width]


def num_crops(order: str) -> int:
    """Return how many crops an order has. Raises ValueError for an unknown one."""
    if order not in _PLACES:
        raise ValueError(f"crops must be one of {', '.join(get_args(Order))}, not '{order}'")
    return len(_PLACES[order])


def crop_places(height: int, width: int, size: int, order: str) -> list[Crop]:
    """Return the crops of an order for pictures of a size.

    Args:
        height, width: of the picture.
        size: side of the square crops; "whole" ignores it.
        order: a name of ``Order``; the last five of a "ten" are of the mirrored picture.

    Raises ValueError if a crop does not fit.
    """
    count = num_crops(order)
    if order == "whole":
        return [Crop("whole", 0, 0, height, width, False)]
    if size > min(height, width):
        raise ValueError(f"a crop of {size} pixels does not fit into a picture of {height} x {width}")
    return [_place(name, height, width, size, count == 10 and i >= 5) for i, name in enumerate(_PLACES[order])]


def _place(name: str, height: int, width: int, size: int, mirrored: bool) -> Crop:
    down, right = height - size, width - size
    if name == "centre":
        return Crop(name, round(down / 2), round(right / 2), size, size, mirrored)
    return Crop(name, down * ("bottom" in name), right * ("right" in name), size, size, mirrored)


def cut_crops(frames: Tensor, size: int, order: str) -> Iterator[tuple[Crop, Tensor]]:
    """Yield each crop of an order with its part of the frames (..., h, w)."""
    for crop in crop_places(frames.shape[-2], frames.shape[-1], size, order):
        yield crop, crop.cut(frames)


def resized_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Return the height and width at which the short side is ``side``; the long side is rounded down."""
    short, long = min(height, width), max(height, width)
    longer = min(int(side * long / short), LONGEST * side)
    return (side, longer) if height <= width else (longer, side)


def resize_short_side(frames: np.ndarray | Tensor, side: int, resize: Resize = "bilinear") -> Tensor:
    """Take uint8 (f, h, w, c), return uint8 (f, c, h', w') whose short side is ``side``, aspect kept."""
    return resize_to(frames, resized_size(frames.shape[1], frames.shape[2], side), resize)


def resize_to(frames: np.ndarray | Tensor, size: tuple[int, int], resize: Resize = "bilinear") -> Tensor:
    """Take uint8 (f, h, w, c), return uint8 (f, c, *size): an array on the CPU, a tensor on its device.

    Pictures that already have that size are returned unchanged.
    """
    on_device = isinstance(frames, Tensor)
    x = frames if isinstance(frames, Tensor) else torch.from_numpy(np.ascontiguousarray(frames))
    x = x.permute(0, 3, 1, 2)
    if size == tuple(x.shape[-2:]):
        return x
    return resize_on_device(x, size, resize) if on_device else F.interpolate(x, size, mode=resize, antialias=True)


def to_grey(frames: Tensor) -> Tensor:
    """Take uint8 RGB (f, 3, h, w), return uint8 (f, h, w): BT.601 luma in OpenCV's integer form."""
    red, green, blue = frames.to(torch.int32).unbind(1)
    return ((4899 * red + 9617 * green + 1868 * blue + 8192) >> 14).to(torch.uint8)
