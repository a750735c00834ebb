"""How a backbone sees a snippet: pictures are resized, crops are cut, and a frozen network runs on each crop.

Legend: ``s`` snippets, ``f`` frames, ``c`` channels, ``h w`` height, width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vadkit.backbones.crops import Crop, Order, Resize, cut_crops, num_crops, resize_short_side, resize_to
from vadkit.backbones.frame_batch import FrameBatch
from vadkit.backbones.frozen import Frozen

Snippets = Sequence[np.ndarray] | FrameBatch  # frames (f, h, w, c) of each snippet, or a batch on a device


@dataclass(frozen=True)
class View:
    """The size to which pictures are resized, and the crops that are cut from them.

    Args:
        short_side: pixels of the short side after resizing (antialiased); the aspect is kept.
        crop: side of the square crops in pixels.
        crops: which crops; see ``vadkit.backbones.crops``.
        resize: "bilinear" or "bicubic".
        size: height and width after resizing, whatever the aspect, instead of ``short_side``.

    Raises ValueError for an unknown order of crops.
    """

    short_side: int
    crop: int
    crops: Order = "centre"
    resize: Resize = "bilinear"
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        num_crops(self.crops)

    @property
    def num_crops(self) -> int:
        """How many crops are cut of a picture."""
        return num_crops(self.crops)

    def recipe(self) -> dict[str, Any]:
        """Return the part of a recipe that describes the view."""
        size = f"short side {self.short_side}" if self.size is None else "{} x {}, aspect not kept".format(*self.size)
        return {"resize": f"{size}, {self.resize}, antialiased", "crops": self.crops, "crop": self.crop}

    def resized(self, frames: np.ndarray | Tensor) -> Tensor:
        """Take uint8 (f, h, w, c), return uint8 (f, c, h', w')."""
        if self.size is not None:
            return resize_to(frames, self.size, self.resize)
        return resize_short_side(frames, self.short_side, self.resize)

    def pictures(self, snippets: Snippets) -> Iterator[Tensor]:
        """Yield each snippet's pictures, resized (f, c, h', w'): one by one, or of a batch on a device all at once."""
        if isinstance(snippets, FrameBatch):
            yield from snippets.cut(self.all_pictures(snippets))
        else:
            yield from map(self.resized, snippets)

    def all_pictures(self, batch: FrameBatch) -> Tensor:
        """Return all pictures of a batch, resized once for all backbones of this size (f, c, h', w')."""
        return batch.once(("resized", self.size or self.short_side, self.resize), lambda: self.resized(batch.frames))

    def cut(self, x: Tensor) -> Iterator[tuple[Crop, Tensor]]:
        """Yield each crop with its part of resized pictures, or of flow between them (..., h, w)."""
        return cut_crops(x, self.crop, self.crops)

    def rows(self, frozen: Frozen, inputs: Iterable[Tensor]) -> Tensor:
        """Return float32 (s, dim), or (s, crops, dim) if there are several crops, on the device of the network.

        Args:
            frozen: the network.
            inputs: what the network takes of each snippet, one tensor per crop; drawn as they are needed.
        """
        x = frozen.rows(inputs)
        return x if self.num_crops == 1 else x.reshape(-1, self.num_crops, x.shape[-1])


def at_least(count: int, x: Tensor, dim: int = 0) -> Tensor:
    """Repeat the last of the pictures, or of the flow between them, along ``dim`` until there are ``count``."""
    missing = max(0, count - x.shape[dim])
    return torch.cat([x, *[x.narrow(dim, x.shape[dim] - 1, 1)] * missing], dim)
