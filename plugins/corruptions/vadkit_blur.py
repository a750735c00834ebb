"""Pictures that are out of focus.

Legend: h, w height and width of a frame.
"""

from __future__ import annotations

import numpy as np

from vadkit import Corruption, Track, hookimpl


class Blur(Corruption):
    """Take the mean of a square around each pixel, three times, which is close to a Gaussian.

    The square reaches 0.5 to 5 % of the shorter side of the picture on either side of the pixel.

    Args:
        severity: from 1 to 5.
    """

    name = "blur"
    modality = "rgb"
    levels = (0.5, 1, 2, 3, 5)
    unit = "% of the shorter side"

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        pass

    def frame(self, frame: np.ndarray, time: float) -> list[tuple[np.ndarray, float]]:
        """Take and return uint8 (h, w, 3)."""
        reach = max(1, round(self.level / 100 * min(frame.shape[:2])))
        for _ in range(3):
            frame = _means(_means(frame, reach).swapaxes(0, 1), reach).swapaxes(0, 1)
        return [(np.ascontiguousarray(frame), time)]


def _means(frame: np.ndarray, reach: int) -> np.ndarray:
    """Return the mean of each column's pixels up to ``reach`` above and below, the ends repeated."""
    count = 2 * reach + 1
    padded = np.pad(frame, ((reach + 1, reach), (0, 0), (0, 0)), mode="edge")
    sums = np.cumsum(padded, axis=0, dtype=np.int32)
    means: np.ndarray = (sums[count:] - sums[:-count] + reach) // count  # rounded to the nearest
    return means.astype(np.uint8)


@hookimpl
def vadkit_components() -> list[type]:
    return [Blur]
