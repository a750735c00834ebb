"""The ticks of an axis: their places and their texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Axis:
    """A range with its ticks as (value, text); if it is ``log``, places are those of logarithms."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def place(self, value: float) -> float:
        """Return the place of ``value``: 0 at the low end, 1 at the high end."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def _unit(size: float) -> tuple[float, str]:
    """Return the unit for numbers up to ``size``; thousands are written out up to 9999."""
    return next(((u, p) for u, p in PREFIXES if size >= u and (u > 1e3 or size >= 1e4)), (1.0, ""))


def _decimals(step: float) -> int:
    """Return how many decimals distinguish multiples of ``step``."""
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    return places + (abs(round(step, places) - step) > 1e-9 * step)


def tick_texts(values: Sequence[float], step: float) -> tuple[str, ...]:
    """Return the texts of ``values``, multiples of ``step``: one unit, as many decimals as needed."""
    size = max(map(abs, values), default=0.0)
    unit, prefix = _unit(size)
    decimals = _decimals(step / unit)
    if size >= 1e15 or decimals > 6:
        return tuple(f"{v:.{max(1, math.ceil(math.log10(size / step)) + 1)}g}" for v in values)
    return tuple(f"{v / unit + 0.0:.{decimals}f}{prefix if v else ''}" for v in values)


def short(value: float) -> str:
    """Return a number to three digits."""
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        return f"{value:.2g}"
    unit, prefix = _unit(size)
    if prefix:
        return f"{value / unit:.3g}{prefix}" if size / unit < 100 else f"{value / unit:.0f}{prefix}"
    return f"{value:.3g}" if size < 100 else f"{value:.0f}"


def _finite(values: Sequence[float]) -> list[float]:
    return [v for v in values if math.isfinite(v)]


def _step(span: float, count: int) -> float:
    """Return the step of 1, 2 or 5 times a power of ten that gives at most ``count`` intervals."""
    power = 10.0 ** math.floor(math.log10(span / count))
    return next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= count + 1e-9)


def linear_axis(
    values: Sequence[float], bounds: tuple[float, float] | None = None, count: int = 5, zero: bool = False
) -> Axis:
    """Return an axis that holds all finite ``values``; its ends are ``bounds``, or else rounded to ticks."""
    known = _finite(values)
    low, high = bounds or ((min(known), max(known)) if known else (0.0, 1.0))
    if bounds is None and zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-12 * max(1.0, abs(low)):  # one value: an axis needs some width
        low, high = low - max(abs(low) * 0.1, 0.5), high + max(abs(high) * 0.1, 0.5)
    step = _step(high - low, count)
    if bounds is None:
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    places = [i * step for i in range(first, last + 1)]
    return Axis(low, high, tuple(zip(places, tick_texts(places, step))))


def log_axis(values: Sequence[float]) -> Axis:
    """Return an axis of whole powers of ten that holds all finite ``values`` above 0."""
    known = [v for v in _finite(values) if v > 0] or [1.0]
    low, high = math.floor(math.log10(min(known)) + 1e-9), math.ceil(math.log10(max(known)) - 1e-9)
    powers = [10.0**power for power in range(low, max(high, low + 1) + 1)]
    return Axis(powers[0], powers[-1], tuple((power, short(power)) for power in powers), log=True)


def clock(seconds: float) -> str:
    """Return a time as ``1:02:03`` or ``2:03``, in whole seconds."""
    whole = int(seconds + 0.5)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def moment(seconds: float) -> str:
    """Return a time to a tenth of a second as ``2:03.4`` or ``1:02:03.4``."""
    tenths = int(seconds * 10 + 0.5)
    minutes, rest = tenths // 600, f"{tenths // 10 % 60:02d}.{tenths % 10}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest}" if minutes >= 60 else f"{minutes}:{rest}"


def time_axis(duration: float, count: int = 8) -> Axis:
    """Return an axis from 0 to ``duration`` seconds; ticks in seconds, above two minutes as min:s."""
    high = duration if duration > 0 else 1.0
    longest = SECONDS[-1] * math.ceil(high / SECONDS[-1] / count)
    step: float = next((s for s in SECONDS if high / s <= count), longest)
    if high < 0.4:
        step = _step(high, count)
    values = [i * step for i in range(math.floor(high / step + 1e-9) + 1)]
    texts = [clock(v) for v in values] if high >= 120 else tick_texts(values, step)
    return Axis(0.0, high, tuple(zip(values, texts)))


def time_label(duration: float) -> str:
    """Return the name of a ``time_axis`` with its unit."""
    if duration < 120:
        return "time (s)"
    return "time (min:s)" if duration < 3600 else "time (h:min:s)"
