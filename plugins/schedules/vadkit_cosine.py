"""A learning rate that falls along half a cosine.

Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017, Eq. 5, without restarts.
"""

from __future__ import annotations

import math

from vadkit import Schedule, hookimpl


class Cosine(Schedule):
    """Lower the learning rate along half a cosine, from 1 to ``end_factor``; there it stays.

    share(k) = e + (1 - e) (1 + cos(pi k / n)) / 2, of step k of n.

    Args:
        end_factor: share of the learning rate at the end.
    """

    name = "cosine"
    paper = "Loshchilov and Hutter, SGDR, ICLR 2017"

    def __init__(self, *, end_factor: float = 0.0) -> None:
        if not 0 <= end_factor <= 1:
            raise ValueError(f"end_factor must be from 0 to 1, not {end_factor}")
        self.end_factor = end_factor

    def share(self, step: float, steps: float) -> float:
        floor = self.end_factor
        return floor + (1 - floor) * (1 + math.cos(math.pi * min(1.0, step / steps))) / 2


@hookimpl
def vadkit_components() -> list[type]:
    return [Cosine]
