"""What each stream adds to the score: in logits, where a score near 0 or 1 does not hide it.

A probability hardly moves once it is near 1, however much each stream pushes: differences of probabilities are 0
inside a clear event and large just outside it. Logits, the values before the last sigmoid, add up evenly.

Legend: t snippets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

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
        contributions: (t,) how much the logit drops if the stream is replaced by its mean over the video.
        without: (t,) the scores that are left then.
    """

    contributions: dict[str, np.ndarray]
    without: dict[str, np.ndarray]


def logits_of(probabilities: np.ndarray, limit: float) -> np.ndarray:
    """Return the logits of probabilities, bounded at +-``limit``, so that 0 and 1 have some."""
    edge = 1 / (1 + np.exp(limit))
    p = np.clip(np.asarray(probabilities, np.float64), edge, 1 - edge)
    return np.log(p) - np.log1p(-p)


def neutral(stream: np.ndarray) -> np.ndarray:
    """Return a stream (t, dim) or (crops, t, dim) in which nothing happens: its mean over the video throughout."""
    return np.broadcast_to(stream.mean(-2, keepdims=True), stream.shape).copy()


def lift_sentence(without: Mapping[str, float], threshold: float) -> str:
    """Return which stream lifts an event over the threshold; empty if nothing is known of streams.

    Args:
        without: the highest score that is left of the event without each stream.

    ``player.js`` does the same when the threshold is moved.
    """
    needed = [name for name, left in without.items() if left < threshold]
    if len(needed) == 1:
        return f"{needed[0]} lifts it over the threshold; without it {without[needed[0]]:.3f}"
    if needed:
        left = ", ".join(f"without {name} {without[name]:.3f}" for name in needed)
        return f"{' and '.join(needed)} lift it over the threshold together; {left}"
    if not without:
        return ""
    name = min(without, key=without.__getitem__)
    return f"no stream alone lifts it over the threshold; without {name} still {without[name]:.3f}"


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
        "together they say what one says, and the contribution of each is only its own share"
        for group in equal_streams(streams)
    ]
