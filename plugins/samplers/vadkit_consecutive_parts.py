"""Bring a video to training length: short runs of consecutive snippets, evenly spread over it.

Sun and Gong, "Long-Short Temporal Co-Teaching for Weakly Supervised Video Anomaly Detection", ICME 2023.

Legend: t snippets, c channels.
"""

from __future__ import annotations

import numpy as np

from vadkit import Sampler, hookimpl


class ConsecutiveParts(Sampler):
    """Take short runs of consecutive snippets, evenly spread over a video and shifted together at random.

    Run i begins at floor(linspace(0, t - run, parts + 1))[i] + offset, for one offset drawn from 0 to
    (t - run) // (parts + 1) - 1; so the last stretch of a video is never used, and runs of a short video
    overlap. Streams of one video get the same rows, those of the shortest.

    Deviation: a video shorter than a run repeats each snippet until it is long enough; the authors repeat
    it once, also where it is exactly as long, and on UCF-Crime only.

    Args:
        parts: runs of a video.
        run: snippets of a run.
    """

    name = "consecutive_parts"
    paper = "Sun and Gong, Long-Short Temporal Co-Teaching, ICME 2023"
    fidelity = "code"

    def __init__(self, *, parts: int = 16, run: int = 7) -> None:
        for name, value in (("parts", parts), ("run", run)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        self.parts, self.run = parts, run

    @property
    def length(self) -> int:
        """Snippets in training."""
        return self.parts * self.run

    def sample(self, streams: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[dict[str, np.ndarray], int]:
        """Take (t, c) arrays of at least one row; return them as (parts * run, c), all of it real."""
        rows = self.rows(min(map(len, streams.values())), rng)
        return {name: x[rows] for name, x in streams.items()}, self.length

    def rows(self, t: int, rng: np.random.Generator) -> np.ndarray:
        """Return the parts * run row numbers that are taken of t."""
        repeat = -(-self.run // t)
        spare = t * repeat - self.run
        most = spare // (self.parts + 1)
        offset = int(rng.integers(most)) if most > 0 else 0
        starts = np.linspace(0, spare, self.parts + 1).astype(np.int64)[:-1] + offset
        return (starts[:, None] + np.arange(self.run)).reshape(-1) // repeat


@hookimpl
def vadkit_components() -> list[type]:
    return [ConsecutiveParts]
