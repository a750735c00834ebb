"""Student's t distribution for any degrees of freedom, also fractional ones: its tail and its quantile."""

from __future__ import annotations

import math

STEPS = 500  # of the continued fraction, which is far sooner exact
TINY = 1e-300
HALVINGS = 200


def tail(t: float, df: float) -> float:
    """Return the probability of more than ``t``."""
    if math.isinf(df):
        return 0.5 * math.erfc(t / math.sqrt(2))
    both = _beta(df / 2, 0.5, df / (df + t * t))  # beyond t on either side
    return both / 2 if t >= 0 else 1 - both / 2


def quantile(p: float, df: float) -> float:
    """Return the value that is exceeded with probability 1 - ``p``, for 0 < p < 1."""
    if p < 0.5:
        return -quantile(1 - p, df)
    low, high = 0.0, 1.0
    while tail(high, df) > 1 - p:
        low, high = high, 2 * high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if tail(middle, df) > 1 - p else (low, middle)
    return (low + high) / 2


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
