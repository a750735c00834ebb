"""Something in front of the camera: dirt, a hand, a parked van.

Legend: h, w height and width of a frame.
"""

from __future__ import annotations

import math

import numpy as np

from vadkit import Corruption, Track, hookimpl

DARK = 64  # grey levels; what covers the picture is darker


class Occlusion(Corruption):
    """Cover 10 to 70 % of the picture by a dark rectangle. Its place and grey are drawn once for each video.

    Args:
        severity: from 1 to 5.
    """

    name = "occlusion"
    modality = "rgb"
    levels = (10, 20, 35, 50, 70)
    unit = "% of the picture"

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        self.place = rng.random(2)
        self.grey = int(rng.integers(DARK))

    def frame(self, frame: np.ndarray, time: float) -> list[tuple[np.ndarray, float]]:
        """Take and return uint8 (h, w, 3)."""
        side, covered = math.sqrt(self.level / 100), frame.copy()
        size = [round(side * length) for length in frame.shape[:2]]
        top, left = (int(u * (length - s + 1)) for u, length, s in zip(self.place, frame.shape, size))
        covered[top : top + size[0], left : left + size[1]] = self.grey
        return [(covered, time)]


@hookimpl
def vadkit_components() -> list[type]:
    return [Occlusion]
