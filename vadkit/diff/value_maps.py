"""What was done to A's numbers to get B's: rounded, scaled, divided by their length, cut at zero.

Legend: n rows, dim the width of a stream. Rows are float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EXACT = 2e-6  # a map is exact if it leaves no more than this part of the largest number: float32 arithmetic


@dataclass(frozen=True)
class ValueMap:
    """A way to compute B's numbers from A's.

    Attributes:
        name: what causes are named by.
        text: the same in words.
        left: root mean square of what it leaves, as a part of B's about its mean.
        exact: it leaves nothing but rounding.
    """

    name: str
    text: str
    left: float
    exact: bool


Guess = tuple[str, str, np.ndarray]  # name, words, what B would be


def find_values(a: np.ndarray, b: np.ndarray, kind_b: np.dtype[np.floating]) -> ValueMap:
    """Return the simplest map that is exact; if none is, the numbers as they are.

    Args:
        a, b: rows (n, dim) of the same snippets.
        kind_b: the type in which B is stored.
    """
    plain = _judged(("same", "the same numbers", a), b)
    if np.array_equal(a, b):
        return plain
    for guesses in (_rounded, _simple, _scaled):
        for guess in guesses(a, b):
            found = _judged(guess, b, 2 * float(np.finfo(kind_b).eps))
            if found.exact:
                return found
    return plain


def _judged(guess: Guess, b: np.ndarray, tolerance: float = EXACT) -> ValueMap:
    name, text, guessed = guess
    gap = guessed - b
    spread = float(np.sqrt(np.mean((b - b.mean(0)) ** 2))) or float(np.sqrt(np.mean(b**2))) or 1.0
    left = float(np.sqrt(np.mean(gap**2))) / spread
    size = max(float(np.abs(b).max()), 1e-30)
    # The second condition is for features that hardly change: there, everything is small compared with the numbers.
    close = left < (0.05 if tolerance > EXACT else 0.01)
    return ValueMap(name, text, left, bool(np.abs(gap).max() <= max(tolerance, EXACT) * size) and close)


def _rounded(a: np.ndarray, b: np.ndarray) -> list[Guess]:
    with np.errstate(over="ignore"):
        halves = {"float16": (a.astype(np.float16), b.astype(np.float16))}
    halves["bfloat16"] = (bfloat16(a), bfloat16(b))
    for kind, (of_a, of_b) in halves.items():
        if np.array_equal(of_a, b):
            return [("rounded", f"B is A rounded to {kind}", b)]
        if np.array_equal(of_b, a):
            return [("rounded", f"A is B rounded to {kind}", b)]
    for decimals in (2, 3, 4, 5, 6):
        for x, y, names in ((a, b, "BA"), (b, a, "AB")):
            # A number with d decimals was read as float32, so it is that to within float32's own rounding.
            if np.abs(np.round(x, decimals) - y).max() <= 1e-7 * max(1.0, np.abs(y).max()):
                return [("rounded", f"{names[0]} is {names[1]} rounded to {decimals} decimals", b)]
    return []


def bfloat16(x: np.ndarray) -> np.ndarray:
    """Return float32 numbers rounded to bfloat16, half to even, as float64."""
    bits = x.astype(np.float32).view(np.uint32).astype(np.uint64)
    cut = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return cut.astype(np.uint32).view(np.float32).astype(np.float64)


def _simple(a: np.ndarray, b: np.ndarray) -> list[Guess]:
    return [
        ("arithmetic", "they differ by rounding alone: another library, processor or number of threads", a),
        ("relu", "B is A with numbers below 0 set to 0", np.maximum(a, 0)),
        ("unit", "B's rows are A's divided by their length (L2)", unit(a)),
    ]


def _scaled(a: np.ndarray, b: np.ndarray) -> list[Guess]:
    scale = _scale(a, b)
    slope, offset = _line(a, b)
    guesses = [
        ("scaled", f"B is A times {scale:.6g}", scale * a),
        ("scaled", f"B is A times {slope:.6g}, plus {offset:.6g}", slope * a + offset),
    ]
    if np.abs(np.linalg.norm(a, axis=1) - 1).max() < 1e-3:  # A has lost its rows' lengths, B need not
        guesses.append(("unit", "A's rows are B's divided by their length (L2)", a * _lengths(b)))
    if len(a) >= 8:
        guesses.append(("scaled_each", "each dimension is scaled and shifted by itself (standardised)", _each(a, b)))
    return guesses


def unit(x: np.ndarray) -> np.ndarray:
    """Return rows (..., dim) divided by their lengths."""
    return np.asarray(x / np.maximum(_lengths(x), 1e-30))


def _lengths(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(x, axis=-1, keepdims=True))


def _scale(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / max(float((a * a).sum()), 1e-30))


def _line(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    x, y = a - a.mean(), b - b.mean()
    slope = _scale(x, y)
    return slope, float(b.mean() - slope * a.mean())


def _each(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    x, y = a - a.mean(0), b - b.mean(0)
    slope = (x * y).sum(0) / np.maximum((x * x).sum(0), 1e-30)
    return np.asarray(slope * x + b.mean(0))


def whole_numbers(x: np.ndarray) -> bool:
    """Return whether features are levels 0 to 255, as AudioSet's quantised VGGish features are."""
    return bool(x.min() >= 0 and x.max() <= 255 and x.max() > 1 and np.array_equal(x, np.round(x)))
