"""Floors: the figures that scores reach without a model, next to which those of a model are to be seen.

Each is measured on the same snippets and truth as the model. The label-only score needs the labels of the very videos
that are measured, so no real predictor can reach it by knowing nothing; the others need no label.

Legend: t snippets of a video, n snippets of all, dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vadkit.data.whole_videos import Align, load, no_video
from vadkit.evaluate import curves
from vadkit.evaluate.curves import Ranking, ranking
from vadkit.evaluate.truth import Tail, known_truth
from vadkit.presence import STREAM as PRESENCE
from vadkit.problems import fail
from vadkit.video import VideoDataset

NORM = "feature_norm"
# What each floor is, as tables print it. A norm of a single stream is ``feature_norm.STREAM``.
FLOORS = {
    "label_only": "1 in every snippet of an abnormal video, 0 in normal ones: uses the labels of these very videos",
    NORM: "the length of a snippet's feature vector, the mean over its crops: nothing is learned",
    "constant": "one score for all snippets",
    "chance": "what random scores are expected to reach",
}
FLOOR_FIGURES = ("ap", "ap_trapezoid", "auc", "ap_abnormal", "auc_abnormal")
EQUAL = 1e-3  # norms of one length, up to the rounding of stored features
Floors = dict[str, dict[str, Any]]  # by name: what it is, and its figures


class FloorBook:
    """Takes the videos of a split one by one, then gives the figures of all floors."""

    def __init__(self) -> None:
        self.scores: dict[str, list[np.ndarray]] = {}  # (t,) of each video, by floor
        self.positives: list[np.ndarray] = []
        self.frames: list[np.ndarray] = []
        self.labels: list[np.ndarray] = []

    def add(
        self, label: int | None, features: Mapping[str, Tensor], positives: np.ndarray | None, frames: np.ndarray
    ) -> None:
        """Take one video; one of unknown label or truth counts in no figure of frames, and so not here.

        Args:
            label: 1 abnormal, 0 normal.
            features: (crops, t, dim) by stream.
            positives, frames: (t,) per snippet; see ``truth.known_truth``.
        """
        if label is None or positives is None:
            return
        self.positives.append(np.asarray(positives, np.int64))
        self.frames.append(np.asarray(frames, np.int64))
        self.labels.append(np.full(len(frames), label))
        for name, column in norms(features).items():
            self.scores.setdefault(name, []).append(column)

    def figures(self) -> Floors:
        """Return ``FLOOR_FIGURES`` by floor, and "what" it is. A figure that is not defined is None."""
        positives, frames, labels = (_joined(parts) for parts in (self.positives, self.frames, self.labels))
        measure = _Measure(positives, frames, labels == 1)
        found: dict[str, dict[str, Any]] = {"label_only": measure.figures(labels)}
        for name, parts in self.scores.items():
            scores = np.concatenate(parts)
            found[name] = {"what": _of_norms(name, scores), **measure.figures(scores)}
        found["constant"] = measure.figures(np.zeros(len(labels)))
        found["chance"] = measure.chance()
        return {name: {"what": FLOORS.get(name, ""), **own} for name, own in found.items()}


def norms(features: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Return the lengths (t,) of a video's feature vectors: of all streams joined, and of each if there are several."""
    streams = {name: x for name, x in features.items() if name != PRESENCE}
    own = {f"{NORM}.{stream}": torch.linalg.vector_norm(x, dim=-1) for stream, x in streams.items()}
    whole = {NORM: torch.linalg.vector_norm(torch.stack([*own.values()]), dim=0)}
    found = {**whole, **own} if len(own) > 1 else whole
    return {name: lengths.double().mean(0).cpu().numpy() for name, lengths in found.items()}


def floors(
    dataset: VideoDataset,
    split: str = "test",
    *,
    streams: Sequence[str],
    align: Align = "first",
    tail: Tail = "real",
    partial: bool = False,
) -> Floors:
    """Return the figures of scores without a model on the videos of a split.

    Args:
        dataset: of kind dataset, such as a store.
        split: "train", "val" or "test".
        streams: whose features are measured; the first one gives the snippets.
        align, tail: see ``evaluate``.
        partial: videos may lack streams, which count as zeros.

    Returns:
        By floor (``FLOORS``), its figures by name (``FLOOR_FIGURES``), and "what" it is.

    Raises VadkitError for an empty split, and features that cannot be used.
    """
    videos = dataset.videos(split)
    if not videos:
        fail(*no_video(dataset, split))
    book = FloorBook()
    for video in videos:
        features = load(dataset, video, list(streams), None, align, list(streams) if partial else None)
        truth = known_truth(video, features[streams[0]].shape[1], dataset.snippet_frames, tail)
        book.add(video.label, features, *truth)
    return book.figures()


class _Measure:
    """Figures of scores (n,) on one truth."""

    def __init__(self, positives: np.ndarray, frames: np.ndarray, abnormal: np.ndarray) -> None:
        self.positives, self.negatives, self.abnormal = positives, frames - positives, abnormal

    def figures(self, scores: np.ndarray) -> dict[str, float | None]:
        whole, abnormal = self._ranking(scores, slice(None)), self._ranking(scores, self.abnormal)
        return {
            "ap": _defined(curves.average_precision, whole, False),
            "ap_trapezoid": _defined(curves.ap_trapezoid, whole, False),
            "auc": _defined(curves.auc, whole, True),
            "ap_abnormal": _defined(curves.average_precision, abnormal, False),
            "auc_abnormal": _defined(curves.auc, abnormal, True),
        }

    def chance(self) -> dict[str, float | None]:
        """Return the expectation for scores without a tie: the share of positive frames, and an AUC of a half."""
        constant = self.figures(np.zeros(len(self.positives)))
        return {**constant, "ap_trapezoid": constant["ap"]}

    def _ranking(self, scores: np.ndarray, which: slice | np.ndarray) -> Ranking:
        order = np.argsort(-scores[which], kind="stable")
        return ranking(*(column[which][order] for column in (scores, self.positives, self.negatives)))


def _defined(figure: Callable[[Ranking], float], r: Ranking, needs_negative: bool) -> float | None:
    return None if r.positives == 0 or (needs_negative and r.negatives == 0) else figure(r)


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _of_norms(name: str, scores: np.ndarray) -> str:
    stream = name.removeprefix(NORM).removeprefix(".")
    what = FLOORS[NORM] if not stream else f"the same of stream '{stream}' alone"
    middle = float(np.median(scores)) if len(scores) else 0.0
    equal = len(scores) > 0 and bool((abs(scores - middle) <= EQUAL * max(middle, EQUAL)).all())
    return f"{what}; here all are {middle:.3g} long, so it says nothing" if equal else what
