"""Metric: AUC, AP and related metrics over single frames, computed from snippets."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from vadkit import Metric, hookimpl
from vadkit.evaluate import ScoreBook


class FrameMetrics(Metric):
    """Rank frames by score: auc, ap, ap_trapezoid, those of abnormal videos only, false alarms, and per class.

    See ``vadkit.evaluate.scorebook`` for what each figure is.
    """

    name = "frame_metrics"
    fidelity = "ours"

    def __init__(self) -> None:
        self.book = ScoreBook()

    def add(
        self,
        name: str,
        scores: np.ndarray,
        positives: np.ndarray | None,
        frames: np.ndarray,
        label: int,
        group: Collection[str] = (),
    ) -> None:
        """Take one video: scores, positive frames and frames per snippet, (t,) each."""
        self.book.add(name, scores, positives, frames, label, group)

    def figures(self, threshold: float = 0.5) -> dict[str, Any]:
        """Return the figures by name."""
        return self.book.figures(threshold)


@hookimpl
def vadkit_components() -> list[type]:
    return [FrameMetrics]
