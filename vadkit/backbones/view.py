"""How a backbone sees a snippet: pictures are resized, crops are cut, and a frozen network runs on each crop.

Legend: ``s`` snippets, ``f`` frames, ``c`` channels, ``h w`` height, width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from vadkit.backbones.crops import Crop, Order, Resize, cut_crops, num_crops, resize_short_side
from vadkit.backbones.frozen import Frozen


@dataclass(frozen=True)
class View:
    """The size to which pictures are resized, and the crops that are cut from them.

    Args:
        short_side: pixels of the short side after resizing (antialiased); the aspect is kept.
        crop: side of the square crops in pixels.
        crops: which crops; see ``vadkit.backbones.crops``.
        resize: "bilinear" or "bicubic".

    Raises ValueError for an unknown order of crops.
    """

    short_side: int
    crop: int
    crops: Order = "centre"
    resize: Resize = "bilinear"

    def __post_init__(self) -> None:
        num_crops(self.crops)

    @property
    def num_crops(self) -> int:
        """How many crops are cut of a picture."""
        return num_crops(self.crops)

    def recipe(self) -> dict[str, Any]:
        """Return the part of a recipe that describes the view."""
        resize = f"short side {self.short_side}, {self.resize}, antialiased"
        return {"resize": resize, "crops": self.crops, "crop": self.crop}

    def resized(self, frames: np.ndarray) -> Tensor:
        """Take uint8 (f, h, w, c), return uint8 (f, c, h', w')."""
        return resize_short_side(frames, self.short_side, self.resize)

    def cut(self, x: Tensor) -> Iterator[tuple[Crop, Tensor]]:
        """Yield each crop with its part of resized pictures, or of flow between them (..., h, w)."""
        return cut_crops(x, self.crop, self.crops)

    def extract(
        self, frozen: Frozen, snippets: Iterable[np.ndarray], inputs: Callable[[np.ndarray], Iterable[Tensor]]
    ) -> np.ndarray:
        """Return float32 (s, dim), or (s, crops, dim) if there are several crops.

        Args:
            frozen: the network.
            snippets: frames (f, h, w, c) of each snippet.
            inputs: from a snippet to what the network takes of it, one tensor per crop.
        """
        x = frozen.run(crop for snippet in snippets for crop in inputs(snippet))
        return x if self.num_crops == 1 else x.reshape(-1, self.num_crops, x.shape[-1])
