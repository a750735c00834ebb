"""The parameters of TV-L1 optical flow, and the image pyramid that follows from them.

Both implementations (``tvl1_numba``, ``tvl1_torch``) take everything from here, so they cannot drift apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SMALLEST_SIDE = 16  # pixels; a level with a shorter side is not used


@dataclass(frozen=True)
class TvL1Settings:
    """What TV-L1 optical flow depends on. The defaults are OpenCV's, which published flow features used.

    Attributes:
        tau: step of the dual ascent; at most 0.25 for it to converge.
        weight: lambda of the paper, the weight of the data term against smoothness.
        theta: coupling of the two halves of the split problem.
        scales: levels of the pyramid, at most.
        warps: how often the second image is resampled per level.
        epsilon: iterations end when the flow of a level changes by less than this, root mean square, pixels.
        inner: iterations between two median filters, at most.
        outer: median filters per warp, at most.
        step: ratio of the sides of successive levels.
        median: side of the median filter, 3 or 5; 1 is none.

    Raises ValueError for a value outside its range.
    """

    tau: float = 0.25
    weight: float = 0.15
    theta: float = 0.3
    scales: int = 5
    warps: int = 5
    epsilon: float = 0.01
    inner: int = 30
    outer: int = 10
    step: float = 0.8
    median: int = 5

    def __post_init__(self) -> None:
        for name in ("tau", "weight", "theta"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; it must be above 0")
        for name in ("scales", "warps", "inner", "outer"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not 0 <= self.epsilon < math.inf:
            raise ValueError(f"epsilon is {self.epsilon}; it must not be negative")
        if not 0 < self.step < 1:
            raise ValueError(f"step is {self.step}; it must be between 0 and 1")
        if self.median not in (1, 3, 5):
            raise ValueError(f"median is {self.median}; it must be 1 (none), 3 or 5")

    def sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Return the height and width of every level, finest first; the first is the picture itself."""
        sizes = [(height, width)]
        while len(sizes) < self.scales:
            height, width = round(height * self.step), round(width * self.step)
            if min(height, width) < SMALLEST_SIDE:
                break
            sizes.append((height, width))
        return sizes


@dataclass(frozen=True)
class Taps:
    """Linear interpolation along one axis: output i is ``low[i]`` and ``high[i]`` mixed by ``part[i]``.

    Attributes:
        low, high: int64 (m,), positions in the input.
        part: float32 (m,), the share of ``high``.
    """

    low: np.ndarray
    high: np.ndarray
    part: np.ndarray


def taps(old: int, new: int, scale: float) -> Taps:
    """Return how ``new`` points are interpolated from ``old`` ones that are ``1 / scale`` apart.

    Points are the centres of pixels; outside the input its last value is used. There is no filter, so
    shrinking aliases, as in OpenCV. ``scale`` does not follow from the sizes, because a level is computed
    with the nominal step, not with the ratio of the rounded sizes.
    """
    place = (np.arange(new) + 0.5) * scale - 0.5
    low = np.clip(np.floor(place).astype(np.int64), 0, old - 1)
    part = np.clip(place - low, 0, 1)
    part[low == old - 1] = 0
    return Taps(low, np.minimum(low + 1, old - 1), part.astype(np.float32))
