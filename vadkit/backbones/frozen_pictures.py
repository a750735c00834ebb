"""Resize, cut crops, run the network, put the crops in order: what backbones of pictures have in common.

Legend: ``s`` snippets, ``f`` frames, ``n`` crops of all snippets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from einops import rearrange
from torch import Tensor

from vadkit.backbones.crops import Crop, Order, Resize, cut_crops, num_crops, resize_short_side
from vadkit.backbones.frozen import Frozen


class FrozenPictures:
    """A frozen network on crops of resized frames.

    Args:
        frozen: the network.
        short_side: pixels of the short side after resizing.
        crop: pixels of the side of a crop.
        crops: which crops; see ``vadkit.backbones.crops``.
        resize: how the frames are resized.
    """

    def __init__(self, frozen: Frozen, short_side: int, crop: int, crops: Order, resize: Resize = "bilinear") -> None:
        self.frozen, self.resize = frozen, resize
        self.short_side, self.crop, self.crops = short_side, crop, crops
        self.num_crops = num_crops(crops)

    def recipe(self) -> dict[str, Any]:
        """Return what determines the crops."""
        resize = f"short side {self.short_side}, {self.resize}, antialiased"
        return {"resize": resize, "crops": self.crops, "crop": self.crop}

    def resized(self, frames: np.ndarray) -> Tensor:
        """Take uint8 (f, height, width, 3); return uint8 (f, 3, h, w) with that short side."""
        return resize_short_side(frames, self.short_side, self.resize)

    def cut(self, frames: Tensor) -> Iterator[tuple[Crop, Tensor]]:
        """Yield each crop with its part of resized frames (f, c, h, w)."""
        return cut_crops(frames, self.crop, self.crops)

    def extract(self, snippets: Iterable[np.ndarray], inputs: Callable[[np.ndarray], Iterable[Tensor]]) -> np.ndarray:
        """Return features (s, dim), or (s, crops, dim) of several crops; ``inputs`` yields those of a snippet."""
        x = self.frozen.run(part for snippet in snippets for part in inputs(snippet))
        return x if self.num_crops == 1 else rearrange(x, "(s crops) dim -> s crops dim", crops=self.num_crops)
