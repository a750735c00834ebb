"""Resample sound with a windowed sinc, with the same numbers as the package resampy with ``kaiser_best``.

The official VGGish code uses it; soxr, which vadkit uses otherwise, is 100 times as fast and differs
in near-silent bands. Method: Smith, Digital Audio Resampling, 2015; the filter is a sinc of 50 zero
crossings under a Kaiser window, in a table with linear interpolation between its entries.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

ZEROS, TABLE = 50, 8192  # zero crossings on one side; table entries from one to the next
BETA, ROLLOFF = 12.984585247040012, 0.9173473712608761
BLOCK = 2048  # outputs computed at once

Floats = NDArray[np.float64]


def resample(x: Floats, rate: int, new_rate: int) -> Floats:
    """Take samples (n,) at ``rate``, return float64 (int(n * new_rate / rate),) at ``new_rate``, no delay.

    There is silence before and after. Raises ValueError if the result would be empty.
    """
    ratio = new_rate / rate
    count = int(len(x) * float(new_rate) / float(rate))
    if count < 1:
        raise ValueError(f"{len(x)} samples at {rate} a second are too few for one at {new_rate}")
    scale = min(1.0, ratio)
    table = np.asarray(_filter() * scale)
    reach = int(len(table) // int(scale * TABLE)) + 1
    padded = np.pad(np.asarray(x, np.float64), reach)
    times = np.arange(count, dtype=np.float64) * (1 / ratio)
    blocks = [_block(padded, table, times[i : i + BLOCK], scale, reach) for i in range(0, count, BLOCK)]
    return np.concatenate(blocks)


@lru_cache(maxsize=1)
def _filter() -> Floats:
    """Return the right half of the filter, (ZEROS * TABLE + 1,)."""
    place = np.linspace(0, ZEROS, ZEROS * TABLE + 1)
    window = np.i0(BETA * np.sqrt(1 - (place / ZEROS) ** 2)) / np.i0(BETA)
    return np.asarray(window * ROLLOFF * np.sinc(ROLLOFF * place))


def _block(padded: Floats, table: Floats, times: Floats, scale: float, reach: int) -> Floats:
    """Return the outputs at ``times``, in input samples."""
    whole = times.astype(np.int64)
    offset = scale * (times - whole)
    past = _wing(padded, table, whole + reach, -1, offset, scale, reach)
    return past + _wing(padded, table, whole + reach + 1, 1, scale - offset, scale, reach)


def _wing(
    padded: Floats, table: Floats, first: NDArray[np.int64], way: int, offset: Floats, scale: float, reach: int
) -> Floats:
    """Return the weighted sum of the samples from ``first`` on, in the direction ``way``."""
    step = int(scale * TABLE)  # cut to a whole number, as the original does
    start, between = np.divmod(offset * TABLE, 1.0)
    entry = start.astype(np.int64)[:, None] + step * np.arange(reach)
    # Of a table of n entries the original takes (n - start) // step.
    inside = np.arange(reach) < ((len(table) - start.astype(np.int64)) // step)[:, None]
    entry = np.minimum(entry, len(table) - 1)
    weight = table[entry] + between[:, None] * (table[np.minimum(entry + 1, len(table) - 1)] - table[entry])
    samples = padded[np.clip(first[:, None] + way * np.arange(reach), 0, len(padded) - 1)]
    return np.asarray((weight * inside * samples).sum(1))
