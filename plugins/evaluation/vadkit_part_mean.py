"""Mean of the scores in equal parts of a video.

UMIL: Lv et al., "Unbiased Multiple Instance Learning for Weakly Supervised Video Anomaly Detection", CVPR 2023, whose
test code evaluates 32 values per video.

Legend: t snippets, n frames.
"""

from __future__ import annotations

import numpy as np

from vadkit import Postprocess, hookimpl


class PartMean(Postprocess):
    """Replace the scores in each of ``parts`` equal parts of a video by their mean, and those of the rest by theirs.

    A part has n // parts of the n frames of a video, and what is left at the end is a part of its own, as in the
    authors' code. Each score is that of ``frames`` frames; a snippet in two parts gets its share of both means.
    Deviation: the authors evaluate frames, so theirs falls into two there.

    Args:
        parts: of a video.
        frames: of a snippet.
    """

    name = "part_mean"
    paper = "Lv et al., Unbiased Multiple Instance Learning, CVPR 2023"
    fidelity = "paper"

    def __init__(self, *, parts: int = 32, frames: int = 16) -> None:
        for name, value in (("parts", parts), ("frames", frames)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        self.parts, self.frames = parts, frames

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Take and return (t,)."""
        curve = np.repeat(scores.astype(np.float64), self.frames)
        length = len(curve) // self.parts
        edges = [length * i for i in range(self.parts + 1)] if length else [0]
        for start, end in zip(edges, [*edges[1:], len(curve)]):
            if end > start:
                curve[start:end] = curve[start:end].mean()
        return curve.reshape(-1, self.frames).mean(1).astype(scores.dtype)


@hookimpl
def vadkit_components() -> list[type]:
    return [PartMean]
