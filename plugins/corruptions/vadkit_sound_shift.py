"""Sound that is earlier or later than the pictures.

Legend: n samples.
"""

from __future__ import annotations

import numpy as np

from vadkit import Corruption, Track, hookimpl


class SoundShift(Corruption):
    """Shift the sound by 0.5 to 5 s against the pictures; whether it is early or late is drawn for each video.

    The track keeps its length: silence comes first or last.

    Args:
        severity: from 1 to 5.
    """

    name = "sound_shift"
    modality = "audio"
    levels = (0.5, 1, 2, 3.5, 5)
    unit = "s"

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        shift, late = round(self.level * track.rate), rng.random() < 0.5
        self.waiting = np.zeros(shift if late else 0, np.float32)
        self.skip = 0 if late else shift  # samples at the beginning that are still to be left out
        self.skipped = 0

    def samples(self, samples: np.ndarray) -> np.ndarray:
        """Take float32 (n,); return n, or fewer at the beginning of a track that is early."""
        left_out = min(self.skip, len(samples))
        self.skip, self.skipped = self.skip - left_out, self.skipped + left_out
        count = len(samples) - left_out
        joined = np.concatenate([self.waiting, samples[left_out:]])
        self.waiting = joined[count:]
        return joined[:count]

    def last_samples(self) -> np.ndarray:
        return np.zeros(self.skipped, np.float32)


@hookimpl
def vadkit_components() -> list[type]:
    return [SoundShift]
