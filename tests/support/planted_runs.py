"""Runs of made-up variants, scored on the same made-up videos: what a comparison compares, without a training.

    videos = planted_videos(generator)
    runs = {("base", seed): planted_run(generator, videos) for seed in range(5)}

How well a run finds the anomalies differs by its seed, by the video, and by the video for this run only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vadkit.bench.comparison.scores import RunScores, VideoScores

KINDS = ("fire", "fight")
FRAMES = 8  # of a snippet
FPS = 8.0


@dataclass(frozen=True)
class PlantedVideo:
    name: str
    label: int
    positives: np.ndarray
    hard: float


def planted_videos(generator: np.random.Generator, count: int = 24, snippets: int = 8) -> list[PlantedVideo]:
    """Return videos, the first half normal; four snippets of each abnormal one are positive."""
    videos = []
    for number in range(count):
        label, positives = int(number >= count // 2), np.zeros(snippets, np.int64)
        if label:
            start = int(generator.integers(0, snippets - 4))
            positives[start : start + 4] = FRAMES
        videos.append(PlantedVideo(f"v{number:03}", label, positives, generator.normal(0, 0.7)))
    return videos


def planted_run(generator: np.random.Generator, videos: list[PlantedVideo], strength: float = 1.5) -> RunScores:
    """Return the scores of a run that finds anomalies the better, the higher its ``strength`` is."""
    own, scored = strength + generator.normal(0, 0.25), []
    for number, video in enumerate(videos):
        shift = 0.5 * video.label + video.hard + generator.normal(0, 0.5)
        logits = own * (video.positives > 0) + shift + 0.8 * generator.normal(size=len(video.positives))
        scores = 1 / (1 + np.exp(1.5 - logits))
        classes = (KINDS[number % 2],) if video.label else ()
        frames = np.full(len(scores), FRAMES)
        scored.append(VideoScores(video.name, video.label, classes, FPS, scores, video.positives, frames))
    return RunScores(tuple(scored), 0.5)


def planted_results(names: Mapping[str, float], seeds: int, start: int) -> tuple[dict[str, Any], dict[Any, RunScores]]:
    """Return a comparison and its scores: variants by name, with the strength of each."""
    generator = np.random.default_rng(start)
    videos = planted_videos(generator)
    scores = {(n, s): planted_run(generator, videos, strength) for n, strength in names.items() for s in range(seeds)}
    runs = [{"seed": seed, "state": "finished"} for seed in range(seeds)]
    return {"variants": [{"name": name, "runs": runs} for name in names]}, scores
