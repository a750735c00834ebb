"""What each stream adds to the score: in logits, where a score near 0 or 1 does not hide it.

A probability hardly moves once it is near 1, however much each stream pushes: differences of probabilities are 0
inside a clear event and large just outside it. Logits, the values before the last sigmoid, add up evenly.

Legend: t snippets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vadkit.presence import Spans, present_rows

NEUTRAL = "its mean over the calmer half of the video, the half of the snippets with the lowest scores"
JOINT = "+"  # between the names of streams that are replaced together
LIMIT = 30.0  # of a logit; 1 - sigmoid(30) still has three digits in float64
FLOAT32_LIMIT = 16.0  # where the model itself gives a float32 probability


@dataclass(frozen=True)
class Scored:
    """Scores (t,) after post-processing, and the same as float64 logits; of an unbounded score, the score itself."""

    scores: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True)
class Lifts:
    """What happens without each stream, by its name.

    Attributes:
        contributions: (t,) how much the logit drops if the stream is replaced by its neutral value.
        without: (t,) the scores that are left then; also of sets of streams ("rgb+audio").
    """

    contributions: dict[str, np.ndarray]
    without: dict[str, np.ndarray]


def logits_of(probabilities: np.ndarray, limit: float) -> np.ndarray:
    """Return the logits of probabilities, bounded at +-``limit``, so that 0 and 1 have some."""
    edge = 1 / (1 + np.exp(limit))
    p = np.clip(np.asarray(probabilities, np.float64), edge, 1 - edge)
    return np.log(p) - np.log1p(-p)


def neutral(stream: np.ndarray, scores: np.ndarray, absent: Spans = ()) -> np.ndarray:
    """Return a stream (t, dim) or (crops, t, dim) in which nothing happens: throughout, its mean over the calmer half.

    That is the half of the snippets with the lowest scores (t,), of those that are not ``absent``. The mean over the
    whole video holds a part of the event: where the event is long, scores stay high even if all streams are replaced
    by it.
    """
    there = np.flatnonzero(present_rows(absent, len(scores)))
    rows = there if len(there) else np.arange(len(scores))
    calm = np.sort(rows[np.argsort(scores[rows], kind="stable")][: max(1, len(rows) // 2)])
    return np.broadcast_to(stream[..., calm, :].mean(-2, keepdims=True), stream.shape).copy()


def lift_sentence(without: Mapping[str, float], threshold: float) -> str:
    """Return which stream lifts an event over the threshold, or which together; empty if nothing is known of streams.

    Args:
        without: the highest score that is left of the event without each stream ("rgb") or set of them ("rgb+audio").

    ``player.js`` does the same when the threshold is moved.
    """
    needed = [name for name, left in without.items() if left < threshold]
    single = [name for name in needed if JOINT not in name]
    if len(single) == 1:
        return f"{single[0]} lifts it over the threshold; without it {without[single[0]]:.3f}"
    if single:
        left = ", ".join(f"without {name} {without[name]:.3f}" for name in single)
        return f"{_listed(single)} lift it over the threshold; {left}"
    if needed:
        names = _listed(needed[0].split(JOINT))
        return f"{names} together lift it over the threshold; without them {without[needed[0]]:.3f}"
    if not without:
        return ""
    name = min(without, key=without.__getitem__)
    return f"even without {_listed(name.split(JOINT))} it reaches {without[name]:.3f}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def equal_streams(streams: Mapping[str, np.ndarray]) -> list[list[str]]:
    """Return the names of streams with equal features, in groups of two and more."""
    groups: list[list[str]] = []
    for name, values in streams.items():
        same = next((g for g in groups if np.array_equal(streams[g[0]], values)), None)
        groups.append([name]) if same is None else same.append(name)
    return [group for group in groups if len(group) > 1]


def copies_note(streams: Mapping[str, np.ndarray]) -> list[str]:
    """Return a sentence for every group of streams that are copies of each other."""
    return [
        f"the streams {' and '.join(group)} are copies of each other (equal features): "
        "while one of them is replaced, another still says what it said"
        for group in equal_streams(streams)
    ]
