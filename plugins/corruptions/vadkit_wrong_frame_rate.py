"""A file that states another frame rate than that of the camera: its pictures are too fast or too slow.

Legend: h, w height and width of a frame.
"""

from __future__ import annotations

import numpy as np

from vadkit import Corruption, Track, hookimpl


class WrongFrameRate(Corruption):
    """Show the pictures 1.04 to 2 times too fast or too slow; which of both is drawn for each video.

    The sound keeps its speed, and so drifts away from the pictures.

    Args:
        severity: from 1 to 5.
    """

    name = "wrong_frame_rate"
    modality = "rgb"
    levels = (1.04, 1.1, 1.2, 1.5, 2)
    unit = "times too fast or slow"
    moves_time = True

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        self.factor = self.level if rng.random() < 0.5 else 1 / self.level

    def frame(self, frame: np.ndarray, time: float) -> list[tuple[np.ndarray, float]]:
        """Take and return uint8 (h, w, 3), at another time."""
        return [(frame, time * self.factor)]


@hookimpl
def vadkit_components() -> list[type]:
    return [WrongFrameRate]
