"""Feed a model snippet by snippet, and compare the scores with those of the whole video."""

from __future__ import annotations

import numpy as np
import torch

from vadkit import Stepper
from vadkit.evaluate.score import build_post, crops_of
from vadkit.evaluate.score_video import score_video
from vadkit.graph.module import VadModel
from vadkit.graph.stages import why_whole

Scores = list[tuple[int, float]]


def streams_of(model: VadModel, t: int, crops: int = 1, seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        name: generator.normal(size=(crops, t, size)).astype(np.float32) for name, size in model.input_sizes.items()
    }


def whole_video(model: VadModel, streams: dict[str, np.ndarray], smooth: bool = True) -> np.ndarray:
    section = model.spec["eval"]
    scores = score_video(model, {n: torch.from_numpy(x) for n, x in streams.items()}, crops=crops_of(section))
    for step in build_post(section) if smooth else []:
        scores = scores if why_whole(step) else step(scores)  # the others are left out of live scores
    return scores


def fed(stepper: Stepper, streams: dict[str, np.ndarray], seed: int) -> Scores:
    """Return what a stepper gives that is fed pieces of random length."""
    generator, t = np.random.default_rng(seed), next(iter(streams.values())).shape[1]
    found: Scores = []
    start = 0
    while start < t:
        stop = start + int(generator.integers(1, 5))
        piece = {name: x[:, start:stop] for name, x in streams.items()}
        found += stepper.chunk(piece) if stop - start > 1 else stepper.step({n: x[:, 0] for n, x in piece.items()})
        start = stop
    return found + stepper.finish()


def assert_same(found: Scores, wanted: np.ndarray) -> None:
    assert [index for index, _ in found] == list(range(len(wanted)))
    assert np.abs(np.array([score for _, score in found]) - wanted).max() < 1e-5
