"""Score the test videos of a run under a condition, on the snippets and the truth of the original videos.

Legend: t snippets of the original, dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vadkit.bench.comparison.scores import RunScores, VideoScores
from vadkit.bench.robust.conditions import Condition
from vadkit.bench.robust.features import NOTHING, Damaged
from vadkit.data.absent import without
from vadkit.data.from_config import build_eval_sampler
from vadkit.data.presence import streams_there
from vadkit.data.whole_videos import load
from vadkit.engine import numerics
from vadkit.evaluate.score import align_of, build_post, crops_of
from vadkit.evaluate.score_video import score_video
from vadkit.evaluate.truth import known_truth
from vadkit.graph import model_file
from vadkit.graph.module import VadModel
from vadkit.graph.ranges import threshold_of
from vadkit.graph.schema import with_defaults
from vadkit.presence import Spans, absent_spans
from vadkit.video import Video, VideoDataset, shape_of


@dataclass(frozen=True)
class Model:
    """A trained model of one seed, and what scoring takes. ``keys`` are the digests of its inputs' recipes."""

    module: VadModel
    spec: Mapping[str, Any]
    device: torch.device
    keys: Mapping[str, str]

    @classmethod
    def load(cls, path: Path, device: str, keys: Mapping[str, str]) -> Model:
        """Read a model file. Raises VadkitError."""
        where = torch.device(device)
        module = model_file.load(path, where)
        return cls(module, with_defaults(module.spec), where, keys)

    @property
    def columns(self) -> list[str] | None:
        """The inputs of a graph that is given which streams are there; None of any other graph."""
        return list(self.module.training_sizes) if self.module.takes_presence else None


class View:
    """The test videos as a data set, some of whose streams are those of corrupted videos."""

    def __init__(self, dataset: VideoDataset, arrays: Mapping[str, np.ndarray], gaps: Mapping[str, Spans]) -> None:
        self.dataset, self.arrays, self.gaps = dataset, arrays, gaps
        self.snippet_frames, self.classes, self.warnings = dataset.snippet_frames, dataset.classes, dataset.warnings

    def videos(self, split: str) -> list[Video]:
        return self.dataset.videos(split)

    def read(self, video: Video, stream: str) -> np.ndarray:
        """Return (crops, t, dim)."""
        if stream in self.arrays:
            array = self.arrays[stream]
            return array.reshape(-1, *array.shape[-2:])
        return np.asarray(self.dataset.read(video, stream))

    def absent(self, video: Video, stream: str) -> Spans:
        """Return the spans in which a video lacks a stream."""
        return self.gaps.get(stream, ()) if stream in self.arrays else absent_spans(self.dataset, video, stream)

    def class_index(self, video: Video) -> int:
        return self.dataset.class_index(video)


def score_all(
    model: Model,
    dataset: VideoDataset,
    videos: Sequence[Video],
    condition: Condition,
    damaged: Callable[[Video], Damaged],
    seed: int = 0,
) -> RunScores:
    """Return the scores of all videos.

    Args:
        damaged: gives the features that were extracted again of a video.
        seed: of what is missing in part.
    """
    evaluation = model.spec["eval"]
    post, names = build_post(evaluation), list(model.module.input_sizes)
    align, lost = align_of(model.module.spec), condition.lost(seed)
    found = []
    with numerics.settings(model.spec["train"], model.device, strict=False):
        for video in videos:
            given = NOTHING if condition.missing else damaged(video)
            arrays = {n: given.arrays[model.keys[n]] for n in names if model.keys.get(n) in given.arrays}
            gaps = {n: given.absent[model.keys[n]] for n in arrays if model.keys[n] in given.absent}
            view = without(View(dataset, arrays, gaps), lost, model.module.training_sizes)
            scores = score_video(
                model.module,
                load(view, video, names, model.module.input_sizes, align, model.columns),
                sampler=build_eval_sampler(evaluation),
                crops=crops_of(evaluation),
                device=model.device,
            )
            for step in post:
                scores = step(scores)
            there = names if model.columns is None else streams_there(dataset, video, names)
            t = _snippets(dataset, video, there, align)
            scores = placed(scores, t, given.ratio if condition.moves_time else 1.0)
            positives, frames = known_truth(video, t, dataset.snippet_frames, evaluation.get("tail") or "real")
            found.append(VideoScores(video.name, video.label, video.classes, video.fps, scores, positives, frames))
    return RunScores(tuple(found), threshold_of(evaluation, model.module.output_range))


def _snippets(dataset: VideoDataset, video: Video, names: Sequence[str], align: str) -> int:
    lengths = [shape_of(dataset, video, name)[1] for name in names]
    return lengths[0] if align == "first" else min(lengths)


def placed(scores: np.ndarray, t: int, ratio: float) -> np.ndarray:
    """Return for each of t snippets the score of the snippet that shows its middle.

    Args:
        scores: of the snippets of the corrupted video.
        ratio: how much longer its pictures last than those of the original.
    """
    middles = (np.arange(t) + 0.5) * ratio
    return scores[np.minimum(middles.astype(np.int64), len(scores) - 1)]
