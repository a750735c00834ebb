"""What scores reach that say nothing about when: the label of each clip, and chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vadkit.evaluate import ScoreBook

LABEL, CHANCE = "label only", "chance"


def baselines(clips: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return both as systems of the study, whose one run gives every frame of a clip the same score.

    "label only" knows which clips are abnormal and not where; "chance" gives all clips the same score. A system that
    finds the moment is above both.
    """
    return [_system(LABEL, clips, 1.0), _system(CHANCE, clips, 0.0)]


def _system(title: str, clips: Sequence[dict[str, Any]], weight: float) -> dict[str, Any]:
    book = ScoreBook()
    for clip in clips:
        label = int(clip["span"] is not None)
        positive = clip["span"][1] - clip["span"][0] if clip["span"] else 0
        group = [clip["kind"]] if label else []
        book.add(
            clip["name"], np.array([weight * label]), np.array([positive]), np.array([clip["frames"]]), label, group
        )
    return {"title": title, "runs": [{"figures": book.figures()}]}
