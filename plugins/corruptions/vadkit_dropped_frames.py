"""Frames that are lost, one by one, as by a recorder that is too slow.

Legend: h, w height and width of a frame.
"""

from __future__ import annotations

import numpy as np

from vadkit import Corruption, Track, hookimpl


class DroppedFrames(Corruption):
    """Leave out 10 to 90 % of the frames, each by itself. The others keep their times; first and last are kept.

    Args:
        severity: from 1 to 5.
    """

    name = "dropped_frames"
    modality = "rgb"
    levels = (10, 25, 50, 75, 90)
    unit = "% of the frames lost"

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        self.rng, self.begun = rng, False
        self.lost: list[tuple[np.ndarray, float]] = []  # the newest frame, if it was left out

    def frame(self, frame: np.ndarray, time: float) -> list[tuple[np.ndarray, float]]:
        """Take uint8 (h, w, 3); return it or nothing."""
        keep = self.rng.random() >= self.level / 100 or not self.begun
        self.begun, self.lost = True, [] if keep else [(frame.copy(), time)]
        return [(frame, time)] if keep else []

    def last_frames(self) -> list[tuple[np.ndarray, float]]:
        return self.lost


@hookimpl
def vadkit_components() -> list[type]:
    return [DroppedFrames]
