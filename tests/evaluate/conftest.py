"""Random data sets in snippets and, the slow and obvious way, in single frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest


@dataclass
class Clip:
    """One made-up video: scores, positive frames and frames per snippet."""

    name: str
    scores: np.ndarray
    positives: np.ndarray
    frames: np.ndarray
    label: int
    classes: tuple[str, ...]


def make_clips(seed: int, videos: int = 12, levels: int = 7) -> list[Clip]:
    """Return videos with heavy ties: scores have ``levels`` values."""
    rng = np.random.default_rng(seed)
    clips = []
    for number in range(videos):
        t, label = int(rng.integers(1, 30)), number % 2
        frames = np.full(t, 16)
        frames[-1] = rng.integers(1, 17)
        positives = rng.integers(0, frames + 1) * (rng.random(t) < 0.5) * label
        scores = rng.integers(0, levels, t) / levels + 0.3 * (positives > 8) * (rng.random(t) < 0.5)
        classes = (("riot",), ("explosion", "riot"), ("riot", "abuse"))[number % 3] if label else ()
        clips.append(Clip(f"v{number}", scores, positives, frames, label, classes))
    return clips


def by_frame(clips: list[Clip]) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and score of every single frame."""
    truth = [np.r_[np.ones(p), np.zeros(f - p)] for c in clips for p, f in zip(c.positives, c.frames)]
    scores = [np.repeat(c.scores, c.frames) for c in clips]
    return np.concatenate(truth), np.concatenate(scores)


@pytest.fixture
def clips() -> Callable[..., list[Clip]]:
    return make_clips


@pytest.fixture
def frames_of() -> Callable[[list[Clip]], tuple[np.ndarray, np.ndarray]]:
    return by_frame
