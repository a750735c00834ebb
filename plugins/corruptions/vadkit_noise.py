"""Noise in the sound: a steady hiss, as of a bad microphone or of rain.

Legend: n samples.
"""

from __future__ import annotations

import numpy as np

from vadkit import Corruption, Track, hookimpl

QUIET = 1e-3  # level that a track of silence is taken to have


class Noise(Corruption):
    """Add white noise to the sound, at 20 to -5 dB below the level of the whole track.

    Args:
        severity: from 1 to 5.
    """

    name = "noise"
    modality = "audio"
    levels = (20, 10, 5, 0, -5)
    unit = "dB signal to noise"

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        self.rng = rng
        self.deviation = np.float32(max(track.level, QUIET) * 10 ** (-self.level / 20))

    def samples(self, samples: np.ndarray) -> np.ndarray:
        """Take and return float32 (n,)."""
        return samples + self.deviation * self.rng.standard_normal(len(samples), np.float32)


@hookimpl
def vadkit_components() -> list[type]:
    return [Noise]
