"""Name what makes B differ from A, by the numbers: facts that they prove, and what they leave open.

A fact (``Cause`` of certainty "certain") is something that, undone, brings B nearer to A or onto it. What is left
then can have causes that features alone cannot tell apart; these are listed as "possible", likelier ones first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vadkit.features.comparing.evidence import Evidence, Numbers

Certainty = Literal["certain", "likely", "possible"]
Modality = Literal["rgb", "flow", "audio"]

RATES = (8, 10, 12, 12.5, 15, 16, 20, 23.976, 24, 25, 29.97, 30, 50, 59.94, 60)
LIMIT = 0.015  # two ratios of lengths that differ by less are one


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
        return Cause("backwards", "B's rows run from the end of the video to its beginning", "certain")
    if timing.step == 1 and timing.shift:
        return _shift(timing.shift)
    times = max(timing.step, 1 / timing.step)
    if times > 1 and times == round(times) and _exact(evidence.numbers):
        return _stride(round(times), timing.shift, *("BA" if timing.step > 1 else "AB"))
    return _rate(evidence)


def _stride(times: int, first: int, fewer: str, more: str) -> Cause:
    begins = f", from row {first} on" if first else ""
    which = {2: "2nd", 3: "3rd"}.get(times, f"{times}th")
    told = f"{fewer} has every {which} row of {more}{begins}: its stride is {times} times as long"
    return Cause("stride", told, "certain")


def _shift(shift: int) -> Cause:
    rows = f"{abs(shift)} snippet{'s' if abs(shift) > 1 else ''}"
    if shift > 0:
        return Cause("shift", f"B begins {rows} later: its row 0 is A's row {shift}", "certain")
    return Cause("shift", f"B begins {rows} earlier: its row {-shift} is A's row 0", "certain")


def _rate(evidence: Evidence) -> Cause | None:
    """Tell of another number of rows per second, which shows in all lengths alike."""
    ratio = evidence.shapes.stretch
    numbers = evidence.numbers
    stretched = numbers is not None and not numbers.timing.plain and numbers.timing.step != 1
    if not stretched and not _is_rate(evidence):
        return None
    return Cause(
        "rate", f"B has {ratio:.4g} times as many rows for the same video{_as_rates(ratio)}: "
        "another frame rate, stride or snippet length", "certain" if stretched else "likely",
    )  # fmt: skip


def _is_rate(evidence: Evidence) -> bool:
    """Tell whether the lengths differ by one ratio, and by more than the end of a video can make."""
    ratio, lengths = evidence.shapes.stretch, list(evidence.shapes.lengths.values())
    alike = all(abs(b - ratio * a) <= 1.5 + LIMIT * a for a, b in lengths)
    return abs(ratio - 1) > LIMIT and alike and max(abs(b - a) for a, b in lengths) >= 2


def _as_rates(ratio: float) -> str:
    pairs = [(p, q) for p in RATES for q in RATES if p != q and abs(p / q / ratio - 1) < LIMIT]
    usual = [pair for pair in pairs if set(pair) <= {24, 25, 30, 15}] or pairs
    return f" (as {usual[0][0]:g} frames a second to {usual[0][1]:g})" if usual else ""


def _tail(evidence: Evidence) -> Cause | None:
    """Tell of rows at the end that one side lacks."""
    numbers = evidence.numbers
    if numbers is None or numbers.timing.step != 1 or _rate(evidence) is not None:
        return None
    more = Counter(b - (a - numbers.timing.shift) for a, b in evidence.shapes.lengths.values())
    gaps = {gap: n for gap, n in more.items() if gap}
    if not gaps or (not numbers.timing.plain and set(gaps) <= {numbers.timing.shift}):
        return None  # a side that begins later may well have as many rows, from what comes behind
    if set(gaps) <= {1} or set(gaps) <= {-1}:
        which = "more" if 1 in gaps else "fewer"
        return Cause("tail", f"B has one row {which} at the end of {_videos(sum(gaps.values()))}: another rule for "
                     "frames that fill no snippet", "certain")  # fmt: skip
    if all(gap < 0 for gap in gaps) or all(gap > 0 for gap in gaps):
        side, other = ("B", "A") if max(gaps) < 0 else ("A", "B")
        rows = sorted({abs(gap) for gap in gaps})
        span = f"{rows[0]}" if len(rows) == 1 else f"{rows[0]} to {rows[-1]}"
        return Cause("cut", f"{side} ends {span} rows before {other} in {_videos(sum(gaps.values()))}: it was cut "
                     "off, or longer runs of frames are dropped", "certain")  # fmt: skip
    return Cause("lengths", "lengths differ by video, now more, now fewer: other cuts of the videos, or another "
                 "decoder", "certain")  # fmt: skip


def _videos(count: int) -> str:
    return "1 video" if count == 1 else f"{count} videos"


def _crops(evidence: Evidence) -> Cause | None:
    numbers = evidence.numbers
    if numbers is None or numbers.crops.plain:
        return None
    crops, count = numbers.crops.crops, numbers.crops.count
    if count == 1:
        return Cause("crops", f"A has one crop, B has {len(crops)}", "certain")
    if count == 10 and crops == tuple(range(5)):
        return Cause("mirrored", "the mirrored crops are missing: B has the first 5 of A's 10", "certain")
    if len(crops) == count == 10 and crops == tuple(range(5)) * 2:
        return Cause("mirrored", "B's crops 5 to 9 are not mirrored: they are its crops 0 to 4 again", "certain")
    return Cause("crops", numbers.crops.tell(), "certain")


def _values(evidence: Evidence) -> Cause | None:
    numbers = evidence.numbers
    if numbers is None or not numbers.values.exact:
        return None
    values = numbers.values
    if values.name == "same":
        kinds = evidence.shapes.kinds
        if kinds[0] == kinds[1]:
            return None
        return Cause("stored", f"the same numbers, stored as {kinds[0]} in A and {kinds[1]} in B", "certain")
    return Cause(values.name, values.tell, "certain")


def _whole(evidence: Evidence) -> Cause | None:
    if evidence.numbers is None or not evidence.numbers.whole:
        return None
    return Cause("quantised", "B's numbers are whole, 0 to 255: projected and quantised, as AudioSet's VGGish features "
                 "are", "certain")  # fmt: skip


def _others(evidence: Evidence) -> Cause | None:
    numbers = evidence.numbers
    if numbers is None or numbers.others is None:
        return None
    return Cause("some_rows", f"all rows are the same but {numbers.others}: B was changed afterwards or is damaged, or "
                 "what was done otherwise shows only there", "certain")  # fmt: skip


RULES: tuple[Callable[[Evidence], Cause | None], ...] = (
    _bad, _width, _axes, _dims, _timing, _tail, _crops, _values, _whole, _others,
)  # fmt: skip


# -- what is left ----------------------------------------------------------------------------------
def _exact(numbers: Numbers) -> bool:
    return numbers.values.exact or numbers.same_rows > 0.9


def is_explained(evidence: Evidence) -> bool:
    """Tell whether the facts explain all of the difference."""
    return evidence.numbers is None or evidence.numbers.values.exact


def likely_network(numbers: Numbers) -> float:
    """Return how much speaks for one network having made both, 0 to 1."""
    return float(np.clip(max(numbers.profile, numbers.centred), 0, 1))


INPUTS: dict[str, tuple[tuple[str, str], ...]] = {
    "rgb": (
        ("normalise", "grey levels brought to another range or mean (normalisation)"),
        ("colour", "BGR for RGB"),
        ("resize", "resized or cropped otherwise, or mirrored"),
        ("start", "snippets that begin some frames earlier or later"),
        ("decoder", "another decoder, or a re-encoded video"),
    ),
    "flow": (
        ("flow", "flow by another method, or bounded and quantised otherwise"),
        ("flow_sign", "flow of the other sign, or x and y swapped"),
        ("resize", "resized or cropped otherwise, or mirrored"),
        ("start", "snippets that begin some frames earlier or later"),
    ),
    "audio": (
        ("sound_shift", "sound windows that lie elsewhere in time"),
        ("resample", "sound resampled, mixed down or scaled otherwise"),
    ),
}


def open_questions(evidence: Evidence, modality: Modality | None) -> list[Cause]:
    """Return what may have made the rest of the difference, likelier causes first; none if nothing is left."""
    numbers = evidence.numbers
    if numbers is None or is_explained(evidence):
        return []
    found = []
    one = likely_network(numbers)
    late, share = numbers.drift
    if share > 0.15 and 0.02 < abs(late) < 1.2 and one > 0.5:
        when = "later" if late > 0 else "earlier"
        found.append(Cause("start", f"B's snippets begin about {abs(late):.2f} snippets {when} (this explains "
                           f"{share:.0%} of the difference)", "likely"))  # fmt: skip
    if numbers.values.left < 0.03:
        found.append(Cause("precision", "half-precision arithmetic, or an almost equal picture (another decoder): "
                           f"only {numbers.values.left:.1%} of what tells rows apart differs", "likely"))  # fmt: skip
    inputs = INPUTS[modality] if modality else INPUTS["rgb"] + INPUTS["flow"][:2] + INPUTS["audio"]
    fed = [Cause(name, f"{tell}", "possible") for name, tell in inputs if name not in {c.name for c in found}]
    other = _other_network(numbers)
    return [*found, *fed, *other] if one > 0.5 else [*found, *other, *fed]


def _other_network(numbers: Numbers) -> list[Cause]:
    one = likely_network(numbers)
    if one > 0.9:
        return []
    if numbers.relations < 0.2 and one < 0.3:
        return [
            Cause("videos", "other videos under the same names, or rows in no order: what is alike in A is not in B",
                  "possible"),
            Cause("weights", "other weights, or another network", "possible"),
        ]  # fmt: skip
    certainty: Certainty = "likely" if one < 0.3 else "possible"
    return [Cause("weights", "other weights (random ones?), or another network or layer of the same width", certainty)]
