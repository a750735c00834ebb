"""Sound that is cut off at a low level, as by a microphone with too much gain.

Legend: n samples.
"""

from __future__ import annotations

import numpy as np

from vadkit import Corruption, Track, hookimpl


class Clipping(Corruption):
    """Cut off the samples beyond 2 to 0.125 times the level of the whole track.

    Args:
        severity: from 1 to 5.
    """

    name = "clipping"
    modality = "audio"
    levels = (2, 1, 0.5, 0.25, 0.125)
    unit = "times the level of the track"

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        self.limit = np.float32(self.level * track.level)

    def samples(self, samples: np.ndarray) -> np.ndarray:
        """Take and return float32 (n,)."""
        return np.clip(samples, -self.limit, self.limit)


@hookimpl
def vadkit_components() -> list[type]:
    return [Clipping]
