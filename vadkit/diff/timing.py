"""Which rows of A are which rows of B: shifted, every second one, reversed, stretched.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FARTHEST = 8  # snippets of shift that are tried
STEPS = (2, 3, 4)
SAME_ROW = 1e-5  # a row differs from another by less than this part of its length: they are the same
Curves = Sequence[tuple[np.ndarray, np.ndarray]]  # A (t, dim) and B (t, dim) of each video, mean over crops


@dataclass(frozen=True)
class Timing:
    """Row j of B is row ``step`` * j + ``shift`` of A; ``step`` is below 1 where B has more rows.

    ``backwards``: counted from A's end.
    """

    step: float = 1.0
    shift: int = 0
    backwards: bool = False

    def rows(self, t_a: int, t_b: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of A and those of B that belong together, for lengths of A and B."""
        j = np.arange(t_b)
        i = self._whole(j) if self.step == int(self.step) else self._nearest(j)
        if 1 / self.step in STEPS:  # rows of B between two of A's have no counterpart
            step = round(1 / self.step)
            j = np.arange(t_a) * step + self.shift
            i = np.arange(t_a)[j < t_b]
            j = j[j < t_b]
        if self.backwards:
            i = t_a - 1 - i
        inside = (i >= 0) & (i < t_a)
        return i[inside], j[inside]

    def _whole(self, j: np.ndarray) -> np.ndarray:
        return int(self.step) * j + self.shift

    def _nearest(self, j: np.ndarray) -> np.ndarray:
        return np.floor((j + 0.5) * self.step).astype(int)

    @property
    def plain(self) -> bool:
        return self == Timing()


@dataclass(frozen=True)
class Fit:
    """How well a timing brings A onto B.

    Attributes:
        likeness: correlation of the rows about their mean, -1 to 1; 0 where nothing varies.
        same: share of the rows that are the same.
        count: rows compared.
    """

    timing: Timing
    likeness: float
    same: float
    count: int


def find_timing(curves: Curves, lengths: Sequence[tuple[int, int]]) -> tuple[Fit, Fit]:
    """Return the timing that explains B best, simplest first, and that of leaving the rows as they are.

    Args:
        curves: rows of A and B, from the beginning; their ends may be cut off.
        lengths: snippets of the whole videos.
    """
    plain, *others = [fit(curves, timing) for timing in candidates(curves, lengths)]
    if plain.same >= 0.9 or plain.likeness > 0.9999:
        return plain, plain
    exact = max(others, key=lambda f: f.same, default=plain)
    if exact.same >= 0.9 and exact.count >= 2 and exact.same > plain.same + 0.3:
        return exact, plain
    best = max(others, key=lambda f: f.likeness, default=plain)
    clear = best.likeness > 0.5 and best.count >= 6 and 1 - best.likeness < 0.6 * (1 - plain.likeness)
    return (best if clear else plain), plain


def candidates(curves: Curves, lengths: Sequence[tuple[int, int]]) -> list[Timing]:
    """Return the timings worth trying: none first, then from small to large changes."""
    shortest = max(min(len(a), len(b)) for a, b in curves)
    shifts = [s for k in range(1, FARTHEST + 1) for s in (k, -k) if k < shortest]
    found = [Timing(), *(Timing(shift=s) for s in shifts), Timing(backwards=True)]
    ratio = stretch(lengths)
    for step in STEPS:
        if abs(ratio * step - 1) < 0.1:
            found += [Timing(step, k) for k in range(step)]
        if abs(ratio / step - 1) < 0.1:
            found += [Timing(1 / step, k) for k in range(step)]
    if abs(ratio - 1) > 0.015:
        found.append(Timing(1 / ratio))
    return found


def stretch(lengths: Sequence[tuple[int, int]]) -> float:
    """Return how many times as many snippets B has as A has, over all videos."""
    return sum(t_b for _, t_b in lengths) / max(1, sum(t_a for t_a, _ in lengths))


def fit(curves: Curves, timing: Timing) -> Fit:
    """Return how well a timing fits all videos together."""
    product = power_a = power_b = 0.0
    same = count = 0
    for a, b in curves:
        i, j = timing.rows(len(a), len(b))
        if len(i) == 0:
            continue
        x, y = a[i], b[j]
        gap = np.linalg.norm(x - y, axis=1)
        same += int((gap <= SAME_ROW * np.maximum(np.linalg.norm(y, axis=1), 1e-12)).sum())
        count += len(i)
        if len(i) >= 3:  # two rows about their mean are one line, which says nothing of time
            x, y = x - x.mean(0), y - y.mean(0)
            product += float((x * y).sum())
            power_a, power_b = power_a + float((x * x).sum()), power_b + float((y * y).sum())
    power = (power_a * power_b) ** 0.5
    return Fit(timing, product / power if power > 1e-20 else 0.0, same / count if count else 0.0, count)


@dataclass(frozen=True)
class Drift:
    """How much later B's rows are than A's, by less than a snippet.

    Attributes:
        late: in snippets, positive if B's are later.
        pace: how much more so with each row.
        late_t, pace_t: how many standard errors that is; 4 or more are not chance.
    """

    late: float = 0.0
    pace: float = 0.0
    late_t: float = 0.0
    pace_t: float = 0.0


FIRST = 24  # rows of a video from which drift is measured; farther on, the slope says nothing any more
LEAST = 8  # rows that are needed


def find_drift(curves: Curves, timing: Timing) -> Drift:
    """Return how much later B is than A, by the slope of A's features over time."""
    late, weight, place = [], [], []
    for a, b in curves:
        i, j = timing.rows(len(a), len(b))
        inner = (i >= 1) & (i + 1 < len(a)) & (j < FIRST)
        i, j = i[inner], j[inner]
        rise = (a[i + 1] - a[i - 1]) / 2
        power = (rise * rise).sum(1)
        late.append(((b[j] - a[i]) * rise).sum(1) / np.maximum(power, 1e-30))
        weight.append(power)
        place.append(j + 0.5)
    y, w, x = (np.concatenate(parts) for parts in (late, weight, place))
    if len(y) < LEAST or w.sum() < 1e-20 or np.ptp(x) == 0:
        return Drift()
    (mean,), (mean_error,) = _weighted(np.ones((len(x), 1)), y, w)
    (_, pace), (_, pace_error) = _weighted(np.stack([np.ones_like(x), x], 1), y, w)
    return Drift(float(mean), float(pace), float(mean / mean_error), float(pace / pace_error))


def _weighted(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients of a weighted fit of y (n) by x (n, c), and their standard errors (White, 1980)."""
    inverse = np.linalg.pinv(x.T @ (w[:, None] * x))
    found = inverse @ (x.T @ (w * y))
    off = (w * (y - x @ found))[:, None] * x
    return found, np.sqrt(np.diag(inverse @ (off.T @ off) @ inverse)) + 1e-12
