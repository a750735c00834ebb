"""Figures of the videos that share their source with training, and of those that do not.

A film that a model has seen in training is no new one, and published splits share many.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from vadkit.evaluate.scorebook import ScoreBook
from vadkit.evaluate.scored import Scored

PART_FIGURES = ("ap", "ap_trapezoid", "auc", "ap_abnormal", "auc_abnormal", "label_ap", "gain_ap")
COUNTS = ("videos", "abnormal_videos", "frames", "positives")


def source_parts(
    dataset: Any, split: str, details: Sequence[Scored], threshold: float | None = None
) -> dict[str, Any] | None:
    """Return the figures of both parts of a split, next to each other.

    Args:
        dataset: one that knows sources; see ``vadkit.video.VideoDataset``.
        split: of the videos.
        details: all its videos, scored.
        threshold: see ``ScoreBook.figures``.

    Returns:
        ``PART_FIGURES`` and ``COUNTS`` of "seen" (the source is in training, too) and "clean" (it is not), "what" a
        source is, the "rule" that tells it, and how many are "unknown": in neither part, because their names show no
        source. None if the data set cannot tell sources.
    """
    known = getattr(dataset, "source_overlap", None)
    found = known(split) if known is not None else None
    if found is None:
        return None
    return {
        "what": found.rule.what,
        "rule": found.rule.pattern.pattern,
        "seen": _figures(details, set(found.seen), threshold),
        "clean": _figures(details, set(found.clean), threshold),
        "unknown": len(found.unknown),
    }


def _figures(details: Sequence[Scored], names: Collection[str], threshold: float | None) -> dict[str, Any]:
    book = ScoreBook()
    for scored in details:
        video = scored.video
        if video.name in names and video.label is not None:
            book.add(video.name, scored.scores, scored.positives, scored.frames, video.label, video.classes)
    figures = book.figures(threshold)
    return {key: figures[key] for key in (*COUNTS, *PART_FIGURES)}
