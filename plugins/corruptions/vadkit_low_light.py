"""Pictures in too little light: dark, with the noise of the sensor.

Legend: h, w height and width of a frame.
"""

from __future__ import annotations

import numpy as np

from vadkit import Corruption, Track, hookimpl

READ, SHOT = 2.0, 0.5  # grey levels of noise in the dark, and noise power for each grey level of light


class LowLight(Corruption):
    """Leave 50 to 5 % of the light, and add noise whose power rises with what is left.

    Args:
        severity: from 1 to 5.
    """

    name = "low_light"
    modality = "rgb"
    levels = (50, 30, 18, 10, 5)
    unit = "% of the light"

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        self.rng = rng

    def frame(self, frame: np.ndarray, time: float) -> list[tuple[np.ndarray, float]]:
        """Take and return uint8 (h, w, 3)."""
        dark = frame * np.float32(self.level / 100)
        noise = self.rng.standard_normal(frame.shape, np.float32)
        noisy = dark + np.sqrt(np.float32(READ**2) + np.float32(SHOT) * dark) * noise
        return [(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), time)]


@hookimpl
def vadkit_components() -> list[type]:
    return [LowLight]
