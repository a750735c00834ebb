"""Random data sets in snippets and, the slow and obvious way, in single frames; and evaluations of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from vadkit.evaluate.evaluation import Evaluation
from vadkit.evaluate.scorebook import ScoreBook
from vadkit.evaluate.scored import Scored
from vadkit.video import Video

PROTOCOL = {
    "data_set": "feature_store", "root": None, "split": "test", "streams": ["rgb"], "snippet_frames": 16,
    "crops": "first crop only", "sampler": None, "alignment": "none", "truth": "frames", "tail": "real", "post": [],
    "threshold": 0.5,
    "select": "last", "device": "cpu", "versions": {"vadkit": "0"}, "figures": {},
}  # fmt: skip


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


def scored(clip: Clip, fps: float | None = 24.0) -> Scored:
    """Return a clip as evaluation returns it, its positive frames at the start of each snippet."""
    spans = tuple((16 * i, 16 * i + int(p)) for i, p in enumerate(clip.positives) if p)
    video = Video(clip.name, "test", clip.label, clip.classes, int(clip.frames.sum()), fps, spans)
    return Scored(video, clip.scores.astype(np.float32), clip.positives, clip.frames)


def evaluation_of(details: list[Scored], threshold: float = 0.5) -> Evaluation:
    """Return the evaluation of scored videos."""
    book = ScoreBook()
    for one in details:
        book.add(one.video.name, one.scores, one.positives, one.frames, one.video.label, one.video.classes)
    scores = {one.video.name: one.scores for one in details}
    return Evaluation(book.figures(threshold), scores, PROTOCOL, details)


@pytest.fixture
def scored_of() -> Callable[..., Scored]:
    return scored


@pytest.fixture
def as_evaluation() -> Callable[..., Evaluation]:
    return evaluation_of


@pytest.fixture
def clips() -> Callable[..., list[Clip]]:
    return make_clips


@pytest.fixture
def frames_of() -> Callable[[list[Clip]], tuple[np.ndarray, np.ndarray]]:
    return by_frame
