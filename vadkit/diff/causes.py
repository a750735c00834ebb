"""Name what makes B differ from A, by the numbers: the facts that they prove.

A fact is something that, undone, brings B nearer to A or onto it; it is certain if the numbers leave no doubt. What
is left then is the matter of ``open_questions``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from vadkit.diff.evidence import Evidence, Numbers

Certainty = Literal["certain", "likely", "possible"]
Modality = Literal["rgb", "flow", "audio"]

RATES = (10, 12, 15, 24, 25, 30, 50, 60)  # frames a second that videos usually have or are brought to
LIMIT = 0.015  # two ratios of lengths that differ by less are one
SURE = 4.0  # standard errors beyond which a drift is no chance


@dataclass(frozen=True)
class Cause:
    """Why B differs. ``field`` is the field of the recipe that tells of it, if the recipes differ in it."""

    name: str
    tell: str
    certainty: Certainty
    field: str | None = None


def facts(evidence: Evidence) -> list[Cause]:
    """Return what the numbers prove."""
    found = [rule(evidence) for rule in RULES]
    return [cause for cause in found if cause is not None]


def _bad(evidence: Evidence) -> Cause | None:
    a, b = evidence.shapes.bad
    if a == b:
        return None
    return Cause("not_finite", f"numbers that are NaN or infinite: {a} in A, {b} in B", "certain")


def _axes(evidence: Evidence) -> Cause | None:
    axes = evidence.shapes.axes
    return Cause("axes", f"in B's files, {axes}", "certain") if axes else None


def _width(evidence: Evidence) -> Cause | None:
    told = evidence.shapes.width
    if told is None:
        return None
    if told.startswith("columns"):
        return Cause("width", f"one side holds streams joined end to end: {told}", "certain")
    return Cause("width", f"{told}: another network, or another layer of it", "certain")


DIMS = {
    "reversed": "B's dimensions are A's in reverse order",
    "halves swapped": "the halves of B's dimensions are swapped: two streams joined the other way round?",
    "in another order": "B's dimensions are A's in another order (order of channels)",
}


def _dims(evidence: Evidence) -> Cause | None:
    dims = evidence.numbers and evidence.numbers.dims
    return Cause("dims", DIMS[dims], "certain") if dims else None


def _timing(evidence: Evidence) -> Cause | None:
    if evidence.numbers is None:
        return None
    timing = evidence.numbers.timing
    if timing.backwards:
        told = "B's rows run from the end of the video to its beginning"
        return Cause("backwards", told, _sure(evidence.numbers))
    if timing.step == 1 and timing.shift:
        return _shift(timing.shift, _sure(evidence.numbers))
    times = max(timing.step, 1 / timing.step)
    if times > 1 and times == round(times) and _exact(evidence.numbers):
        return _stride(round(times), timing.shift, *("BA" if timing.step > 1 else "AB"))
    return _rate(evidence)


def _stride(times: int, first: int, fewer: str, more: str) -> Cause:
    begins = f", from row {first} on" if first else ""
    which = {2: "2nd", 3: "3rd"}.get(times, f"{times}th")
    told = f"{fewer} has every {which} row of {more}{begins}: its stride is {times} times as long"
    return Cause("stride", told, "certain")


def _shift(shift: int, sure: Certainty) -> Cause:
    rows = f"{abs(shift)} snippet{'s' if abs(shift) > 1 else ''}"
    if shift > 0:
        return Cause("shift", f"B begins {rows} later: its row 0 is A's row {shift}", sure)
    return Cause("shift", f"B begins {rows} earlier: its row {-shift} is A's row 0", sure)


def _rate(evidence: Evidence) -> Cause | None:
    """Tell of another number of rows per second: it shows in all lengths alike, or rows drift apart."""
    numbers, ratio = evidence.numbers, evidence.shapes.stretch
    if numbers is None or (numbers.timing.plain and _exact(numbers)):
        return None
    what = "another frame rate, stride or snippet length"
    if not numbers.timing.plain and numbers.timing.step != 1:
        told = f"B has {ratio:.4g} times as many rows for the same video{_as_rates(evidence)}"
        return Cause("rate", f"{told}: {what}", "certain")
    if _is_rate(evidence):
        told = f"B has {ratio:.4g} times as many rows for the same video{_as_rates(evidence)}"
        return Cause("rate", f"{told}: {what}", "likely")
    pace = numbers.drift.pace
    if abs(numbers.drift.pace_t) >= SURE and 0.005 < abs(pace) < 0.3:
        told = f"B's rows move {'ahead of' if pace > 0 else 'behind'} A's by about {abs(pace):.3f} of a row with each"
        return Cause("rate", f"{told}: {what}", "likely")
    return None


def _start(evidence: Evidence) -> Cause | None:
    """Tell of snippets that begin a part of a snippet later or earlier."""
    numbers = evidence.numbers
    if numbers is None or numbers.values.exact or numbers.timing.step != 1 or _rate(evidence) is not None:
        return None
    late = numbers.drift.late
    if abs(numbers.drift.late_t) < SURE or not 0.02 < abs(late) < 1.2:
        return None
    when = "later" if late > 0 else "earlier"
    return Cause("start", f"B's snippets begin about {abs(late):.2f} of a snippet {when}", "likely")


def _is_rate(evidence: Evidence) -> bool:
    """Tell whether the lengths differ by one ratio, and by more than the end of a video can make."""
    ratio, lengths = evidence.shapes.stretch, list(evidence.shapes.lengths.values())
    alike = all(abs(b - ratio * a) <= 1.5 + LIMIT * a for a, b in lengths)
    return abs(ratio - 1) > LIMIT and alike and max(abs(b - a) for a, b in lengths) >= 2


def _as_rates(evidence: Evidence) -> str:
    """Name usual frame rates of that ratio, as near as lengths in whole rows can tell."""
    ratio, lengths = evidence.shapes.stretch, evidence.shapes.lengths.values()
    limit = max(LIMIT, len(lengths) / max(1, sum(a for a, _ in lengths)))
    found = {(p, q): abs(p / q / ratio - 1) for p in RATES for q in RATES if p != q}
    near = sorted((pair for pair, off in found.items() if off < limit), key=found.__getitem__)[:2]
    return f" (as {' or '.join(f'{p:g} to {q:g}' for p, q in near)} frames a second)" if near else ""


def _tail(evidence: Evidence) -> Cause | None:
    """Tell of rows at the end that one side lacks."""
    numbers = evidence.numbers
    if numbers is None or numbers.timing.step != 1 or _rate(evidence) is not None:
        return None
    sure: Certainty = "certain" if _exact(numbers) else "likely"
    more = Counter(b - (a - numbers.timing.shift) for a, b in evidence.shapes.lengths.values())
    gaps = {gap: n for gap, n in more.items() if gap}
    if not gaps or (not numbers.timing.plain and set(gaps) <= {numbers.timing.shift}):
        return None  # a side that begins later may well have as many rows, from what comes behind
    videos = _videos(sum(gaps.values()))
    if set(gaps) <= {1} or set(gaps) <= {-1}:
        which = "more" if 1 in gaps else "fewer"
        why = "another rule for frames that fill no snippet"
        return Cause("tail", f"B has one row {which} at the end of {videos}: {why}", sure)
    if all(gap < 0 for gap in gaps) or all(gap > 0 for gap in gaps):
        side, other = ("B", "A") if max(gaps) < 0 else ("A", "B")
        rows = sorted({abs(gap) for gap in gaps})
        span = f"{rows[0]}" if len(rows) == 1 else f"{rows[0]} to {rows[-1]}"
        return Cause("cut", f"{side} ends {span} rows before {other} in {videos}: its end was cut off", sure)
    return Cause("lengths", f"{videos} have more rows or fewer: cut otherwise, or by another decoder", sure)


def _videos(count: int) -> str:
    return "1 video" if count == 1 else f"{count} videos"


def _crops(evidence: Evidence) -> Cause | None:
    numbers = evidence.numbers
    if numbers is None or numbers.crops.plain:
        return None
    crops, count = numbers.crops.crops, numbers.crops.count
    if count == 10 and crops == tuple(range(5)):
        return Cause("mirrored", f"the mirrored crops are missing: {numbers.crops.tell()}", "certain")
    if len(crops) == count == 10 and crops == tuple(range(5)) * 2:
        return Cause("mirrored", "B's crops 5 to 9 are not mirrored: they are its crops 0 to 4 again", "certain")
    if crops == (0,) and not _exact(numbers):  # it is none of them as far as can be seen
        return Cause("crops", f"{numbers.crops.few} has 1 crop, {numbers.crops.many} has {count}", "certain")
    return Cause("crops", numbers.crops.tell(), _sure(numbers))


def _values(evidence: Evidence) -> Cause | None:
    numbers = evidence.numbers
    if numbers is None or not numbers.values.exact:
        return None
    values, more = numbers.values, "" if numbers.timing.plain and numbers.crops.plain else "what is left: "
    if values.name == "same":
        kinds = evidence.shapes.kinds
        if kinds[0] == kinds[1]:
            return None
        return Cause("stored", f"the same numbers, stored as {kinds[0]} in A and {kinds[1]} in B", "certain")
    return Cause(values.name, more + values.tell, "certain")


def _whole(evidence: Evidence) -> Cause | None:
    if evidence.numbers is None or not evidence.numbers.whole:
        return None
    return Cause(
        "quantised",
        "B's numbers are whole, 0 to 255: projected and quantised, as AudioSet's VGGish features are",
        "certain",
    )


def _others(evidence: Evidence) -> Cause | None:
    if evidence.numbers is None or evidence.numbers.others is None:
        return None
    why = "B was changed afterwards or is damaged, or what was done otherwise shows only there"
    return Cause("some_rows", f"all rows are the same but {evidence.numbers.others}: {why}", "certain")


RULES: tuple[Callable[[Evidence], Cause | None], ...] = (
    _bad,
    _width,
    _axes,
    _dims,
    _timing,
    _start,
    _tail,
    _crops,
    _values,
    _whole,
    _others,
)


def _exact(numbers: Numbers) -> bool:
    return numbers.values.exact or numbers.same_rows > 0.9


def _sure(numbers: Numbers) -> Certainty:
    """Return how sure rows brought in step, or crops, can be that do not make the numbers equal."""
    return "certain" if _exact(numbers) or numbers.centred > 0.9 else "likely"


def is_explained(evidence: Evidence) -> bool:
    """Tell whether the facts explain all of the difference."""
    return evidence.numbers is None or evidence.numbers.values.exact
