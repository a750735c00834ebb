"""Figures of a test set, as the cases of kind protocol record them.

Legend: t snippets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from cases import Case

from vadkit.evaluate.scorebook import ScoreBook
from vadkit.evaluate.truth import snippet_truth
from vadkit.video import Video


def as_long_as(x: np.ndarray, t: int) -> np.ndarray:
    """Return a stream (crops, t', c) cut or zero-padded at the end to t snippets."""
    missing = max(0, t - x.shape[1])
    return np.pad(x[:, :t], [(0, 0), (0, missing), (0, 0)])


def truth(case: Case) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (positive frames, frames) of each snippet, (t,) each, video by video."""
    size, result = case.given["frames_per_snippet"], []
    for index, t in enumerate(case.given["snippets"]):
        spans = [(start, end) for video, start, end in case.given["abnormal_frames"] if video == index]
        video = Video(name=str(index), split="test", label=int(bool(spans)), num_frames=t * size, spans=tuple(spans))
        result.append(snippet_truth(video, t, size))
    return result


def figures(case: Case, scores: Sequence[np.ndarray]) -> dict[str, float]:
    """Return auc, ap (trapezoid), far and the authors' anomaly_auc."""
    book = ScoreBook()
    for index, (s, (positives, frames)) in enumerate(zip(scores, truth(case))):
        book.add(str(index), s, positives, frames, int(positives.any()))
    found = book.figures(0.5)
    return {
        "auc": found["auc"],
        "ap": found["ap_trapezoid"],
        "far": found["far"],
        "anomaly_auc": by_position(case, scores),
    }


def by_position(case: Case, scores: Sequence[np.ndarray]) -> float:
    """The authors' AUC over videos with an abnormal frame: scores of these, against the truth from the
    front of the list, whichever videos lie there."""
    known = truth(case)
    abnormal = np.concatenate([s for s, (positives, _) in zip(scores, known) if positives.any()])
    positives, frames = (np.concatenate(part)[: len(abnormal)] for part in zip(*known))
    book = ScoreBook()
    book.add("front", abnormal, positives, frames, 1)
    return float(book.figures(0.5)["auc"])
