"""What makes B differ from A: what the numbers prove, what they leave open, and the recipes' fields to blame.

A fact is something that, undone, brings B nearer to A or onto it; it is certain if the numbers leave no doubt. What is
left then is "possible": causes that features alone cannot tell apart, but a ``trial`` can.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from vadkit.backbones.recipe import ARITHMETIC
from vadkit.diff.arithmetic import HALF, Arithmetic
from vadkit.diff.cause import Cause, Certainty
from vadkit.diff.evidence import Evidence, Numbers

Modality = Literal["rgb", "flow", "audio"]
Recipe = Mapping[str, Any]
Fields = Mapping[str, tuple[Any, Any]]  # fields in which two recipes differ, with A's and B's value

RATES = (10, 12, 15, 24, 25, 30, 50, 60)  # frames a second that videos usually have or are brought to
LIMIT = 0.015  # two ratios of lengths that differ by less are one
SURE = 4.0  # standard errors beyond which a drift is no chance
SMALL = 0.03  # what is left, about the mean row, if the picture was almost the same


# -- the table: which fields and which facts are about the same --------------------------------------------
@dataclass(frozen=True)
class Topic:
    """What may be done differently.

    Attributes:
        fields: of a recipe, that decide it.
        facts: that show it.
        besides: facts that it explains, too, when a recipe says it.
        open: whether it may have made what no fact explains.
    """

    fields: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()
    open: Callable[[Evidence], bool] = lambda evidence: True


TOPICS = {
    "weights": Topic(("backbone", "network", "weights", "pretrained", "model", "activation", "non_local"), ("width",)),
    "rate": Topic(
        ("fps", "stride", "snippet_frames"),
        ("rate", "stride"),
        ("rate", "tail", "cut", "lengths", "start", "shift"),
    ),
    "start": Topic(("start", "first_frame"), ("shift",), ("start", "tail", "shift")),
    "tail": Topic(("tail",), ("tail", "cut", "lengths"), open=lambda evidence: False),
    "crops": Topic(("crops",), ("crops", "mirrored"), open=lambda evidence: evidence.shapes.a[0] == 1),
    "input": Topic(),  # of every other field
    "scale": Topic(("postprocess", "pca"), ("scaled", "scaled_each", "unit", "relu", "quantised")),
    "precision": Topic(
        ARITHMETIC,
        ("rounded", "arithmetic"),
        open=lambda evidence: evidence.numbers is not None and evidence.numbers.values.left < HALF,
    ),
}
TOPIC_OF_FIELD = {field: name for name, topic in TOPICS.items() for field in topic.fields}
TOPIC_OF_FACT = {fact: name for name, topic in TOPICS.items() for fact in topic.facts}
INPUTS: dict[Modality, dict[str, str]] = {
    "rgb": {
        "normalise": "grey levels brought to another range or mean (normalisation)",
        "colour": "BGR for RGB",
        "resize": "resized or cropped differently, or mirrored",
        "start": "snippets that begin some frames earlier or later",
        "decoder": "another decoder, or a re-encoded video",
    },
    "flow": {
        "flow": "flow by another method, or bounded and quantised differently",
        "flow_sign": "flow of the other sign, or x and y swapped",
        "resize": "resized or cropped differently, or mirrored",
        "start": "snippets that begin some frames earlier or later",
    },
    "audio": {
        "sound_shift": "sound windows at other times",
        "resample": "sound resampled, mixed down or scaled differently",
    },
}
UNKNOWN = {**INPUTS["rgb"], **INPUTS["flow"], "sound_shift": INPUTS["audio"]["sound_shift"]}
MOVED = ("start", "sound_shift", "decoder")  # what leaves each dimension's mean and deviation as they are
UNRECORDED = Cause(
    "source",
    "the recipes are the same, so what differs is not in them: another version of the video, files that were changed "
    "afterwards, or another machine",
    "likely",
)


def find_causes(
    evidence: Evidence, fields: Fields, modality: Modality | None, same: bool, arithmetic: Arithmetic | None = None
) -> list[Cause]:
    """Return why B differs, surest first.

    Args:
        fields: what ``differing`` returns, where both sides have recipes.
        modality: see ``modality_of``.
        same: both have one recipe.
        arithmetic: how both were computed, if recipes say so and it may make a difference.
    """
    found = _facts(evidence)
    left = list(_left_open(evidence, modality, {cause.name for cause in found}))
    blamed = _blame(fields, evidence, {cause.name for cause in [*found, *left]})
    computed = arithmetic.cause(evidence) if arithmetic else None
    if computed is not None:
        blamed = [*(cause for cause in blamed if cause.field not in ARITHMETIC), computed]
    explained = any(cause.field != "tail" for cause in blamed if cause is not computed or cause.certainty == "certain")
    if left and explained:
        left = []  # what a recipe says need not be guessed
    if left and same:
        left.insert(0, UNRECORDED)
    return [*blamed, *_with_fields(found, blamed), *left]


def is_explained(evidence: Evidence) -> bool:
    """Return whether the facts explain all of the difference."""
    return evidence.numbers is None or evidence.numbers.values.exact


# -- recipes -----------------------------------------------------------------------------------------------
def differing(a: Recipe, b: Recipe) -> dict[str, tuple[Any, Any]]:
    """Return the fields in which two recipes differ, with A's and B's value; None for one that is absent."""
    return {field: (a.get(field), b.get(field)) for field in {**a, **b} if a.get(field) != b.get(field)}


def modality_of(recipe: Recipe | None, stream: str) -> Modality | None:
    """Return what a stream's backbone sees, by its recipe or else by its name; None if neither says."""
    name = stream.lower() if not recipe else f"{stream} {recipe.get('backbone', '')}".lower()
    if (recipe and "sample_rate" in recipe) or any(part in name for part in ("audio", "sound", "vggish", "mel")):
        return "audio"
    if (recipe and "flow" in recipe) or "flow" in name:
        return "flow"
    return "rgb" if recipe or any(part in name for part in ("rgb", "clip", "i3d", "vit")) else None


def say(field: str, value: Any) -> str:
    """Return the value of a recipe's field in words."""
    if value is None:
        return "each video's own" if field == "fps" else "not given"
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:16]}..." if len(text) == 64 and text.isalnum() else text  # a SHA-256


def _blame(fields: Fields, evidence: Evidence, names: set[str]) -> list[Cause]:
    """Return the fields whose difference shows in the numbers; certain if no other field can explain the same."""
    showing = [field for field in fields if _shows(TOPICS[_topic(field)], evidence, names)]
    count = Counter(map(_topic, showing))
    causes = []
    for field in sorted(showing, key=lambda field: [*TOPICS].index(_topic(field))):
        alone = count[_topic(field)] == 1 and not (_topic(field) == "input" and "weights" in count)
        a, b = fields[field]
        text = f"{field}: {say(field, a)} in A, {say(field, b)} in B"
        causes.append(Cause(field, text, "certain" if alone else "likely", field))
    return causes


def _topic(field: str) -> str:
    return TOPIC_OF_FIELD.get(field, "input")


def _shows(topic: Topic, evidence: Evidence, names: set[str]) -> bool:
    unexplained = evidence.numbers is None or not evidence.numbers.values.exact
    return bool(names & {*topic.facts, *topic.besides}) or (unexplained and topic.open(evidence))


def _with_fields(found: Sequence[Cause], blamed: Sequence[Cause]) -> list[Cause]:
    """Return the facts, each with the field that says so, where one does; without what a field explains besides."""
    by_topic = {_topic(cause.name): cause.field for cause in reversed(blamed)}
    explained = {fact for topic in by_topic for fact in TOPICS[topic].besides}
    return [
        replace(cause, field=by_topic.get(TOPIC_OF_FACT.get(cause.name, "")))
        for cause in found
        if cause.certainty == "certain" or cause.name not in explained
    ]


# -- what the numbers leave open ---------------------------------------------------------------------------
def _left_open(evidence: Evidence, modality: Modality | None, named: set[str]) -> Iterator[Cause]:
    """Yield what may have made the rest of the difference, likelier causes first; nothing if nothing is left.

    ``named`` are the facts. Rows at other times, or that were changed, explain the rest by themselves.
    """
    numbers = evidence.numbers
    if numbers is None or is_explained(evidence):
        return
    if numbers.values.left < SMALL:
        what = "half-precision arithmetic, or an almost equal picture (another decoder)"
        text = f"{what}: only {numbers.values.left:.1%} of what distinguishes rows differs"
        yield Cause("precision", text, "likely")
    one = float(np.clip(max(numbers.profile, numbers.centred), 0, 1))  # what speaks for one network on both sides
    network = _other_network(numbers, one)
    inputs = [] if one < 0.3 or named & {"rate", "some_rows"} else _other_inputs(numbers, modality, named)
    yield from [*inputs, *network] if one > 0.6 else [*network, *inputs]


def _other_inputs(numbers: Numbers, modality: Modality | None, named: set[str]) -> list[Cause]:
    """Return what the network may have been fed differently. Where each dimension's mean and deviation are the same,
    it saw similar pictures at other times; where they are not, it saw other pictures."""
    inputs = [*(INPUTS[modality] if modality else UNKNOWN).items()]
    if numbers.profile > 0.985 and abs(numbers.scale - 1) < 0.01:
        inputs.sort(key=lambda item: item[0] not in MOVED)
    return [Cause(name, text, "possible") for name, text in inputs if name not in named]


def _other_network(numbers: Numbers, one: float) -> list[Cause]:
    if one > 0.9:
        return []
    if numbers.relations < 0.2 and one < 0.3:
        videos = "other videos under the same names, or shuffled rows: rows that are alike in A are not in B"
        return [
            Cause("videos", videos, "possible"),
            Cause("weights", "other weights, or another network", "possible"),
        ]
    text = "other weights (random ones?), or another network or layer of the same width"
    return [Cause("weights", text, "likely" if one < 0.3 else "possible")]


# -- facts -------------------------------------------------------------------------------------------------
def _facts(evidence: Evidence) -> list[Cause]:
    """Return what the numbers prove."""
    found = [*_of_shapes(evidence)]
    if evidence.numbers is not None:
        found += [cause for rule in RULES if (cause := rule(evidence, evidence.numbers)) is not None]
    return found


def _of_shapes(evidence: Evidence) -> Iterator[Cause]:
    shapes = evidence.shapes
    if shapes.bad[0] != shapes.bad[1]:
        text = f"numbers that are NaN or infinite: {shapes.bad[0]} in A, {shapes.bad[1]} in B"
        yield Cause("not_finite", text, "certain")
    if shapes.width is not None and shapes.width.startswith("columns"):
        yield Cause("width", f"one side holds streams joined end to end: {shapes.width}", "certain")
    elif shapes.width is not None:
        yield Cause("width", f"{shapes.width}: another network, or another layer of it", "certain")
    if shapes.axes:
        yield Cause("axes", f"in B's files, {shapes.axes}", "certain")


DIMS = {
    "reversed": "B's dimensions are A's in reverse order",
    "halves swapped": "the halves of B's dimensions are swapped: two streams joined in the other order?",
    "in another order": "B's dimensions are A's in another order (order of channels)",
}


def _dims(_: Evidence, numbers: Numbers) -> Cause | None:
    return Cause("dims", DIMS[numbers.dims], "certain") if numbers.dims else None


def _timing(evidence: Evidence, numbers: Numbers) -> Cause | None:
    timing, sure = numbers.timing, _sure(numbers)
    if timing.backwards:
        return Cause("backwards", "B's rows run from the end of the video to its beginning", sure)
    if timing.step == 1 and timing.shift:
        rows = f"{abs(timing.shift)} snippet{'s' if abs(timing.shift) > 1 else ''}"
        if timing.shift > 0:
            return Cause("shift", f"B begins {rows} later: its row 0 is A's row {timing.shift}", sure)
        return Cause("shift", f"B begins {rows} earlier: its row {-timing.shift} is A's row 0", sure)
    times = max(timing.step, 1 / timing.step)
    if times == 1 or times != round(times) or not _exact(numbers):
        return _rate(evidence, numbers)
    fewer, more = "BA" if timing.step > 1 else "AB"
    begins = f", from row {timing.shift} on" if timing.shift else ""
    which = {2: "2nd", 3: "3rd"}.get(round(times), f"{times:.0f}th")
    text = f"{fewer} has every {which} row of {more}{begins}: its stride is {times:.0f} times as long"
    return Cause("stride", text, "certain")


def _rate(evidence: Evidence, numbers: Numbers) -> Cause | None:
    """Return another number of rows per second: it shows in all lengths alike, or rows drift apart."""
    if numbers.timing.plain and _exact(numbers):
        return None
    why, stretched = "another frame rate, stride or snippet length", numbers.timing.step != 1
    if stretched or _is_rate(evidence):
        text = f"B has {evidence.shapes.stretch:.4g} times as many rows for the same video{_as_rates(evidence)}: {why}"
        return Cause("rate", text, "certain" if stretched else "likely")
    pace = numbers.drift.pace
    if abs(numbers.drift.pace_t) < SURE or not 0.005 < abs(pace) < 0.3:
        return None
    how = f"{'gain on' if pace > 0 else 'fall back from'} A's by about {abs(pace):.3f} of a row with each row"
    return Cause("rate", f"B's rows {how}: {why}", "likely")


def _is_rate(evidence: Evidence) -> bool:
    """Return whether the lengths differ by one ratio, and by more than the end of a video can make."""
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


def _start(evidence: Evidence, numbers: Numbers) -> Cause | None:
    """Return snippets that begin a part of a snippet later or earlier."""
    late = numbers.drift.late
    if numbers.values.exact or numbers.timing.step != 1 or _rate(evidence, numbers) is not None:
        return None
    if abs(numbers.drift.late_t) < SURE or not 0.02 < abs(late) < 1.2:
        return None
    when = "later" if late > 0 else "earlier"
    return Cause("start", f"B's snippets begin about {abs(late):.2f} of a snippet {when}", "likely")


def _tail(evidence: Evidence, numbers: Numbers) -> Cause | None:
    """Return rows at the end that one side lacks."""
    if numbers.timing.step != 1 or _rate(evidence, numbers) is not None:
        return None
    sure: Certainty = "certain" if _exact(numbers) else "likely"
    gaps = Counter(b - (a - numbers.timing.shift) for a, b in evidence.shapes.lengths.values())
    del gaps[0]
    if not gaps or (not numbers.timing.plain and {*gaps} <= {numbers.timing.shift}):
        return None  # a side that begins later may well have as many rows, from what comes after
    videos = count_videos(gaps.total())
    if {*gaps} in ({1}, {-1}):
        which = "more" if 1 in gaps else "fewer"
        why = "another rule for frames that fill no snippet"
        return Cause("tail", f"B has one row {which} at the end of {videos}: {why}", sure)
    if max(gaps) < 0 or min(gaps) > 0:
        side, other = "BA" if max(gaps) < 0 else "AB"
        rows = sorted({abs(gap) for gap in gaps})
        span = f"{rows[0]}" if len(rows) == 1 else f"{rows[0]} to {rows[-1]}"
        return Cause("cut", f"{side} ends {span} rows before {other} in {videos}: its end was cut off", sure)
    return Cause("lengths", f"{videos} have more rows or fewer: cut differently, or by another decoder", sure)


def count_videos(count: int) -> str:
    """Return "1 video" or "n videos"."""
    return "1 video" if count == 1 else f"{count} videos"


def _crops(_: Evidence, numbers: Numbers) -> Cause | None:
    order = numbers.crops
    if order.plain:
        return None
    if order.count == 10 and order.crops == tuple(range(5)):
        return Cause("mirrored", f"the mirrored crops are missing: {order.describe()}", "certain")
    if order.count == 10 and order.crops == tuple(range(5)) * 2:
        return Cause("mirrored", "B's crops 5 to 9 are not mirrored: they are its crops 0 to 4 again", "certain")
    if order.crops == (0,) and not _exact(numbers):  # it is none of them as far as can be seen
        return Cause("crops", f"{order.few} has 1 crop, {order.many} has {order.count}", "certain")
    return Cause("crops", order.describe(), _sure(numbers))


def _values(evidence: Evidence, numbers: Numbers) -> Cause | None:
    values, (kind_a, kind_b) = numbers.values, evidence.shapes.kinds
    if not values.exact or (values.name == "same" and kind_a == kind_b):
        return None
    if values.name == "same":
        return Cause("stored", f"the same numbers, stored as {kind_a} in A and {kind_b} in B", "certain")
    besides = "" if numbers.timing.plain and numbers.crops.plain else "what is left: "
    return Cause(values.name, besides + values.text, "certain")


def _whole(_: Evidence, numbers: Numbers) -> Cause | None:
    text = "B's numbers are whole, 0 to 255: projected and quantised, as AudioSet's VGGish features are"
    return Cause("quantised", text, "certain") if numbers.whole else None


def _others(_: Evidence, numbers: Numbers) -> Cause | None:
    text = f"all rows are the same but {numbers.others}: B was changed afterwards or is damaged, or it shows only there"
    return Cause("some_rows", text, "certain") if numbers.others else None


Rule = Callable[[Evidence, Numbers], Cause | None]
RULES: tuple[Rule, ...] = (_dims, _timing, _start, _tail, _crops, _values, _whole, _others)


def _exact(numbers: Numbers) -> bool:
    return numbers.values.exact or numbers.same_rows > 0.9


def _sure(numbers: Numbers) -> Certainty:
    """Return how sure rows brought in step, or crops, can be that do not make the numbers equal."""
    return "certain" if _exact(numbers) or numbers.centred > 0.9 else "likely"
