"""Pictures that stand still for a while, again and again, as over a bad connection.

Legend: h, w height and width of a frame.
"""

from __future__ import annotations

import numpy as np

from vadkit import Corruption, Track, hookimpl

PERIOD = 4.0  # seconds in which the picture stands still once


class Freeze(Corruption):
    """Hold the picture for 10 to 90 % of the time: once, at a drawn place, in every 4 seconds.

    Args:
        severity: from 1 to 5.
    """

    name = "freeze"
    modality = "rgb"
    levels = (10, 25, 50, 75, 90)
    unit = "% of the time"

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        self.rng, self.period, self.start = rng, -1, 0.0
        self.shown: np.ndarray | None = None

    def frame(self, frame: np.ndarray, time: float) -> list[tuple[np.ndarray, float]]:
        """Take and return uint8 (h, w, 3)."""
        lasts = self.level / 100 * PERIOD
        while self.period < int(time / PERIOD):
            self.period += 1
            self.start = self.period * PERIOD + self.rng.random() * (PERIOD - lasts)
        if self.shown is None or not self.start <= time < self.start + lasts:
            self.shown = frame.copy()
        return [(self.shown, time)]


@hookimpl
def vadkit_components() -> list[type]:
    return [Freeze]
