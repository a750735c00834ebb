"""The made-up numbers: never negative, like features after a ReLU; a few channels are raised where something happens.

So there is something to learn, and no two rows are alike. Each file depends only on the seed and its own name, so a
folder can be written in any order and resumed.

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


def draw(seed: int, *key: str | int) -> float:
    """Return the number in [0, 1) that belongs to this key."""
    return int.from_bytes(_digest(seed, *key)[:6], "little") / 2**48


def _digest(*key: str | int) -> bytes:
    return hashlib.sha256("\0".join(map(str, key)).encode()).digest()


def generate_rows(video: Annotated, stream: str, crop: int, t: int, width: int, seed: int) -> Iterator[np.ndarray]:
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
    """Return bool (t): in which snippets something happens; for a training video, this is known only here."""
    middles = np.arange(t) * SNIPPET_FRAMES + SNIPPET_FRAMES // 2
    happens = np.zeros(t, bool)
    for start, end in _spans(video, t, seed):
        happens |= (middles >= start) & (middles < end)
    return happens


def _spans(video: Annotated, t: int, seed: int) -> list[tuple[int, int]]:
    if video.split == "test" or not video.label:
        return list(video.spans) if video.label else []
    start, share = draw(seed, video.name, "start"), draw(seed, video.name, "share")
    length = max(1, round(t * (0.1 + 0.4 * share)))
    first = int(start * (t - length + 1))
    return [(first * SNIPPET_FRAMES, (first + length) * SNIPPET_FRAMES)]
