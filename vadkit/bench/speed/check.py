"""Compare two runs of one device: what got slower, as ratios to what was timed in the same rounds.

A figure is the median over the rounds of our time by the reference's: the restatement where both runs have one, else
the large product and copy that the limit comes from. It got slower if that ratio grew by more than the tolerance and
twice the standard error of the comparison.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vadkit.bench.speed.result import Growth, Row, Run, read
from vadkit.problems import VadkitError, fail

TOLERANCE = 0.05
PLANTED = 0.2  # the slowdown that a comparison should be able to find
ERRORS = 2.0  # standard errors
MAD = 1.4826  # standard deviation by median absolute deviation, of a normal distribution
MEDIAN = 1.2533  # standard error of a median by that of a mean
FEW = {3: 1.5, 4: 1.3, 5: 1.2}  # the spread of so few rounds is estimated too small, by about as much


@dataclass(frozen=True)
class Change:
    """How a figure changed: 0.2 is a fifth slower. ``error`` is the standard error of that."""

    key: str
    against: str
    change: float
    error: float

    def is_slower(self, tolerance: float) -> bool:
        return self.change > self.threshold(tolerance)

    def is_faster(self, tolerance: float) -> bool:
        return 1 / (1 + self.change) - 1 > self.threshold(tolerance)

    def threshold(self, tolerance: float) -> float:
        return tolerance + ERRORS * self.error


def changes(new: Run, old: Run) -> list[Change]:
    """Return the change of every figure that both runs have."""
    return [_change(key, new.rows[key], old.rows[key]) for key in new.rows if key in old.rows]


def _change(key: str, new: Row, old: Row) -> Change:
    has_plain = bool(new.plain_ms and old.plain_ms)
    pairs = [_relative(row, has_plain) for row in (new, old)]
    (ratio, error), (ratio_old, error_old) = pairs
    against = "the authors' way" if has_plain else "the limit"
    return Change(key, against, ratio / ratio_old - 1, math.hypot(error, error_old))


def _relative(row: Row, has_plain: bool) -> tuple[float, float]:
    """Return the median ratio to the reference over the rounds, and its standard error as a share of it."""
    if has_plain:
        reference = row.plain_ms or []
    else:  # the limit of each round alone
        reference = [_limit(row, product, copy) for product, copy in zip(row.product_ms, row.copy_ms)]
    ratios = [ours / other for ours, other in zip(row.ours_ms, reference)]
    middle = statistics.median(ratios)
    if len(ratios) < 3:
        return middle, math.inf
    deviation = MAD * statistics.median(abs(ratio - middle) for ratio in ratios) / middle
    return middle, MEDIAN * FEW.get(len(ratios), 1.0) * deviation / math.sqrt(len(ratios))


def _limit(row: Row, product: float, copy: float) -> float:
    return max((row.flops or 0.0) / row.product_flops * product, row.bytes / row.copy_bytes * copy)


def more_memory(new: Run, old: Run, tolerance: float) -> Iterator[str]:
    """Yield the graphs whose scoring takes more memory at the longest length that both runs have."""
    for name, growth in new.growth.items():
        pair = _common(growth, old.growth[name]) if name in old.growth else None
        if pair and pair[1] > pair[2] * (1 + tolerance):
            yield f"{name}: scoring {pair[0]:,} snippets takes {pair[1]:,.0f} MiB, {pair[2]:,.0f} before"


def _common(new: Growth, old: Growth) -> tuple[int, float, float] | None:
    before = {size.snippets: size.peak_mib for size in old.sizes}
    for size in reversed(new.sizes):
        other = before.get(size.snippets)
        if size.peak_mib is not None and other is not None:
            return size.snippets, size.peak_mib, other
    return None


def other_run(new: Run, path: Path, against: Path) -> tuple[Path, Run]:
    """Return the run to compare with: a file, or the latest one of the same device in a folder. Raises VadkitError."""
    if not against.is_dir():
        found = read(against)
        if found.machine.device != new.machine.device:
            where = f"{found.machine.device}, {path} on {new.machine.device}"
            fail(f"{against} was measured on {where}", "only runs of one device can be compared")
        return against, found
    runs = [(file, run) for file, run in _runs(against) if file.resolve() != path.resolve()]
    same = [(file, run) for file, run in runs if _place(run) == _place(new)]
    if not same:
        fail(
            f"{against} has no other run on {new.machine.device} with {new.machine.threads} threads",
            "give the file to compare with as --against FILE",
        )
    return max(same, key=lambda pair: (pair[1].machine.date, pair[0].name))


def _runs(folder: Path) -> Iterator[tuple[Path, Run]]:
    for file in sorted(folder.glob("*.json")):
        try:
            yield file, read(file)
        except VadkitError:  # the result of something else
            continue


def _place(run: Run) -> tuple[str, int]:
    return run.machine.device, run.machine.threads
