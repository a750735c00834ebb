"""Student's t distribution with any degrees of freedom, also fractional ones, and mixtures of such.

A mixture is a tuple of parts (weight, degrees of freedom), whose weights sum to 1.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

STEPS = 500  # of the continued fraction and of Newton's method, which are far sooner exact
TINY = 1e-300
Parts = tuple[tuple[float, float], ...]


def tail(t: float, parts: Parts) -> float:
    """Return the probability of more than ``t``."""
    return sum(weight * _tail(t, df) for weight, df in parts if weight)


@lru_cache(maxsize=10_000)
def quantile(p: float, parts: Parts) -> float:
    """Return the value that is exceeded with probability 1 - ``p``, for 0 < p < 1."""
    if p < 0.5:
        return -quantile(1 - p, parts)
    # The normal quantile is below. From there the tail is convex, so Newton's method comes closer from below only.
    t = NormalDist().inv_cdf(p)
    for _ in range(STEPS):
        step = (tail(t, parts) - (1 - p)) / sum(weight * _density(t, df) for weight, df in parts if weight)
        t += step
        if abs(step) <= 1e-11 * max(1.0, t):
            break
    return t


def _tail(t: float, df: float) -> float:
    if math.isinf(df):
        return 0.5 * math.erfc(t / math.sqrt(2))
    both = _beta(df / 2, 0.5, df / (df + t * t))  # beyond t on either side
    return both / 2 if t >= 0 else 1 - both / 2


def _density(t: float, df: float) -> float:
    if math.isinf(df):
        return math.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    front = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    return math.exp(front - (df + 1) / 2 * math.log1p(t * t / df))


def _beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function, by its continued fraction (Lentz)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly
        return 1 - _beta(b, a, 1 - x)
    front = a * math.log(x) + b * math.log1p(-x) - math.log(a)
    front += math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(front) / _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    value, c, d = 1.0, 1.0, 0.0
    for step in range(1, STEPS):
        m = step // 2
        if step % 2:
            part = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            part = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / (1 + part * d or TINY)
        c = 1 + part / c or TINY
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
