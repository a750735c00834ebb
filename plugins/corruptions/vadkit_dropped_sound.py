"""Sound that is lost for a while, again and again, as over a bad connection.

Legend: n samples.
"""

from __future__ import annotations

import numpy as np

from vadkit import Corruption, Track, hookimpl

PERIOD = 4.0  # seconds with one hole


class DroppedSound(Corruption):
    """Replace 10 to 90 % of the sound by silence, in one hole at a drawn place of every 4 seconds.

    Args:
        severity: from 1 to 5.
    """

    name = "dropped_sound"
    modality = "audio"
    levels = (10, 25, 50, 75, 90)
    unit = "% of the sound lost"

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        self.rng, self.period = rng, max(1, round(PERIOD * track.rate))
        self.lost = round(self.level / 100 * self.period)
        self.at, self.start = self.period, 0  # samples of this period that are done, and where its hole begins

    def samples(self, samples: np.ndarray) -> np.ndarray:
        """Take and return float32 (n,)."""
        kept, done = samples.copy(), 0
        while done < len(kept):
            if self.at == self.period:
                self.at, self.start = 0, int(self.rng.random() * (self.period - self.lost + 1))
            part = kept[done : done + self.period - self.at]
            part[max(0, self.start - self.at) : max(0, self.start + self.lost - self.at)] = 0
            done, self.at = done + len(part), self.at + len(part)
        return kept


@hookimpl
def vadkit_components() -> list[type]:
    return [DroppedSound]
