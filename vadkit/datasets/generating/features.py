"""The made-up numbers: never negative, as features behind a ReLU; a few channels are raised where something happens.

So a model finds something to learn, and no two rows are alike. Each file depends on nothing but the seed and its
own name, so a folder can be written in any order and continued.

Legend: t snippets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from vadkit.datasets.annotations import SNIPPET_FRAMES, Annotated

RAISED = 8  # every eighth channel is raised ...
RAISE = 0.5  # ... by this much; the mean of the others is a third
BLOCK = 1024  # rows


def lot(seed: int, *words: str | int) -> float:
    """Return the number from 0 to before 1 that belongs to these words."""
    return int.from_bytes(_digest(seed, *words)[:6], "little") / 2**48


def _digest(*words: str | int) -> bytes:
    return hashlib.sha256("\0".join(map(str, words)).encode()).digest()


def make_features(video: Annotated, stream: str, crop: int, t: int, width: int, seed: int) -> Iterator[np.ndarray]:
    """Yield float32 (t, width) in blocks of rows: a surveillance video may have 60 000."""
    random = np.random.Generator(np.random.SFC64(list(_digest(seed, video.name, stream, crop))))
    happens = inside(video, t, seed)
    for start in range(0, t, BLOCK):
        raised = happens[start : start + BLOCK]
        x = random.random((len(raised), width), np.float32)
        x *= x
        x[raised, ::RAISED] += np.float32(RAISE)
        yield x


def inside(video: Annotated, t: int, seed: int) -> np.ndarray:
    """Return bool (t): in which snippets something happens; of a training video, nobody else knows that."""
    middles = np.arange(t) * SNIPPET_FRAMES + SNIPPET_FRAMES // 2
    happens = np.zeros(t, bool)
    for start, end in _spans(video, t, seed):
        happens |= (middles >= start) & (middles < end)
    return happens


def _spans(video: Annotated, t: int, seed: int) -> list[tuple[int, int]]:
    if video.split == "test" or not video.label:
        return list(video.spans) if video.label else []
    start, share = lot(seed, video.name, "start"), lot(seed, video.name, "share")
    length = max(1, round(t * (0.1 + 0.4 * share)))
    first = int(start * (t - length + 1))
    return [(first * SNIPPET_FRAMES, (first + length) * SNIPPET_FRAMES)]
