"""Figures of a whole data set from snippet scores and truth, added video by video.

A snippet is kept as (score, positive frames, frames), not as frames, and counted with that weight:
the figures are those of single frames. Legend: t snippets of a video, n snippets of all, g groups.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from vadkit.evaluate import curves
from vadkit.evaluate.curves import Ranking, ranking
from vadkit.problems import fail, plural

# What each figure is, as reports print it.
MEANINGS = {
    "auc": "area under the ROC curve over all frames",
    "ap": "average precision over all frames (sum of precision times gain in recall)",
    "ap_trapezoid": "area under straight lines between points of the precision-recall curve, "
    "which much of the field prints as AP",
    "auc_abnormal": "AUC over the frames of abnormal videos only",
    "ap_abnormal": "average precision over the frames of abnormal videos only",
    "far": "share of frames scored at or above the threshold, in videos without a positive frame",
    "label_auc": "AUC of a predictor that knows each video's label and nothing else",
    "label_ap": "average precision of that predictor",
    "gain_auc": "auc minus label_auc",
    "gain_ap": "ap minus label_ap",
    "video_auc": "AUC of each video's highest score against its label",
    "video_ap": "average precision of each video's highest score against its label",
    "per_class": "auc and ap over the videos of one class and all normal videos",
}
NO_THRESHOLD = "the scores are unbounded, and eval.threshold is not set"
# score, positive frames, frames, group: (n,) each
Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Figure:
    """How a figure is computed, and which frames it needs to be defined."""

    compute: Callable[[Ranking], float]
    needs: tuple[str, ...]


AUC = Figure(curves.auc, ("positive", "negative"))
AP = Figure(curves.average_precision, ("positive",))
TRAPEZOID = Figure(curves.ap_trapezoid, ("positive",))


@dataclass(frozen=True)
class Group:
    """Videos that no figure distinguishes."""

    label: int
    has_positive: bool
    classes: tuple[str, ...]


class ScoreBook:
    """Takes the videos of a split one by one, then gives figures."""

    def __init__(self) -> None:
        self.groups: dict[Group, int] = {}
        self.videos: dict[str, tuple[float, int]] = {}  # highest score and label
        self.unknown = 0  # videos without frame truth
        self.snippets = 0
        self.columns: list[Columns] = []  # of each video

    def add(
        self,
        name: str,
        scores: np.ndarray,
        positives: np.ndarray | None,
        frames: np.ndarray,
        label: int,
        group: Collection[str] = (),
    ) -> None:
        """Take one video.

        Args:
            name: of the video; each is added once.
            scores: (t,), any finite numbers; higher is more abnormal.
            positives, frames: (t,) whole numbers per snippet; see ``truth.snippet_truth``. Positives
                are None where they are unknown: then the video counts in video figures only.
            label: 1 abnormal, 0 normal.
            group: names of the abnormal classes in it.

        Raises VadkitError for scores that are not finite.
        """
        scores, frames = np.asarray(scores, np.float64), np.asarray(frames)
        self._check(name, scores, positives, frames)
        self.videos[name] = float(scores.max()), int(label)
        self.snippets += len(scores)
        if positives is None:
            self.unknown += 1
            return
        key = Group(int(label), bool(np.any(positives)), tuple(sorted(set(group))) if label else ())
        real = frames > 0  # features may be longer than their video
        group_of = np.full(len(scores), self.groups.setdefault(key, len(self.groups)), np.int32)
        columns = (scores, np.asarray(positives, np.int64), frames.astype(np.int64), group_of)
        self.columns.append(tuple(column[real] for column in columns))  # type: ignore[arg-type]

    def falling(self) -> Columns:
        """Return the snippets of all videos, highest score first."""
        if not self.columns:
            return np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int32)
        joined = [np.concatenate(parts) for parts in zip(*self.columns)]
        order = np.argsort(-joined[0], kind="stable")
        return tuple(column[order] for column in joined)  # type: ignore[return-value]

    def figures(self, threshold: float | None = 0.5) -> dict[str, Any]:
        """Return all figures; see ``MEANINGS``. One that is not defined is None, and ``undefined`` says why.

        Without a threshold there is no alarm, and so no ``far``.
        """
        return _Figures(self, threshold).all()

    def _check(self, name: str, scores: np.ndarray, positives: np.ndarray | None, frames: np.ndarray) -> None:
        if name in self.videos:
            raise ValueError(f"video '{name}' was already added")
        if scores.ndim != 1 or len(scores) == 0:
            raise ValueError(f"scores of video '{name}' must be (t,) with t > 0, not {scores.shape}")
        for what, counts in (("positives", positives), ("frames", frames)):
            if counts is not None and np.shape(counts) != scores.shape:
                raise ValueError(f"{what} of video '{name}' are {np.shape(counts)}, but scores {scores.shape}")
        if positives is not None and (np.any(np.less(positives, 0)) or np.any(np.greater(positives, frames))):
            raise ValueError(f"video '{name}' has a snippet with more positive frames than frames, or fewer than 0")
        if not np.isfinite(scores).all():
            first = int(np.flatnonzero(~np.isfinite(scores))[0])
            fail(
                f"the score of snippet {first} of video '{name}' is {scores[first]}",
                hint="the model's weights are probably not finite: was its training stopped by NaN?",
            )


class _Figures:
    """Computes the figures of a book, and notes which are undefined."""

    def __init__(self, book: ScoreBook, threshold: float | None) -> None:
        self.book, self.threshold = book, threshold
        self.columns = book.falling()
        self.groups = list(book.groups)
        self.figures: dict[str, Any] = {}
        self.undefined: dict[str, str] = {}

    def all(self) -> dict[str, Any]:
        whole = self._ranking(lambda group: True)
        abnormal = self._ranking(lambda group: group.label == 1)
        self._put("auc", AUC, whole)
        self._put("ap", AP, whole)
        self._put("ap_trapezoid", TRAPEZOID, whole)
        self._put("auc_abnormal", AUC, abnormal, "abnormal videos have")
        self._put("ap_abnormal", AP, abnormal, "abnormal videos have")
        self._far()
        self._gains()
        self._video_figures()
        classes = sorted({name for group in self.groups for name in group.classes})
        self.figures["per_class"] = {name: self._of_class(name) for name in classes}
        return {**self.figures, **self._counts(whole)}

    def _ranking(self, chosen: Callable[[Group], bool]) -> Ranking:
        """Return the ranking over the videos of the chosen groups."""
        scores, positives, frames, groups = self.columns
        flags = np.array([chosen(group) for group in self.groups], bool)
        if not flags.all():
            keep = flags[groups]
            scores, positives, frames = scores[keep], positives[keep], frames[keep]
        return ranking(scores, positives, frames - positives)

    def _value(self, key: str, figure: Figure, r: Ranking, who: str = "there is") -> float | None:
        """Return a figure, or None with the reason noted."""
        weights = {"positive": r.positives, "negative": r.negatives}
        lacks = [word for word in figure.needs if weights[word] == 0]
        if lacks:
            self.undefined[key] = f"{who} no {' and no '.join(lacks)} frame{self._say_unknown()}"
            return None
        return figure.compute(r)

    def _say_unknown(self) -> str:
        count = self.book.unknown
        return f" ({plural(count, 'video')} {'has' if count == 1 else 'have'} no intervals)" if count else ""

    def _put(self, key: str, figure: Figure, r: Ranking, who: str = "there is") -> None:
        self.figures[key] = self._value(key, figure, r, who)

    def _far(self) -> None:
        """False alarms: no frame of these videos should reach the threshold."""
        scores, _, frames, groups = self.columns
        quiet = np.array([not group.has_positive for group in self.groups], bool)
        keep = quiet[groups] if len(self.groups) else np.zeros(0, bool)
        total = int(frames[keep].sum())
        if total == 0:
            self.undefined["far"] = "every video has a positive frame" if self.groups else "there is no frame"
        elif self.threshold is None:
            self.undefined["far"] = NO_THRESHOLD
        if self.threshold is None or total == 0:
            self.figures["far"] = None
            return
        self.figures["far"] = float(frames[keep & (scores >= self.threshold)].sum() / total)

    def _gains(self) -> None:
        """Compare with what a perfect video classifier without any sense of time would score."""
        _, positives, frames, groups = self.columns
        labels = np.array([group.label for group in self.groups], int)[groups] if self.groups else groups
        order = np.argsort(-labels, kind="stable")
        positives, negatives = positives[order], (frames - positives)[order]
        r = ranking(labels[order].astype(np.float64), positives, negatives)
        for key, figure in (("auc", AUC), ("ap", AP)):
            self._put(f"label_{key}", figure, r)
            own, label = self.figures[key], self.figures[f"label_{key}"]
            self.figures[f"gain_{key}"] = None if own is None or label is None else own - label
            if own is None:
                self.undefined[f"gain_{key}"] = self.undefined[key]

    def _video_figures(self) -> None:
        rows = sorted(self.book.videos.values(), reverse=True)
        scores, labels = (np.array([row[i] for row in rows], float) for i in (0, 1))
        r = ranking(scores, labels, 1 - labels)
        for key, figure in (("video_auc", AUC), ("video_ap", AP)):
            self._put(key, figure, r)
            if key in self.undefined:
                self.undefined[key] = "both normal and abnormal videos are needed"

    def _of_class(self, name: str) -> dict[str, Any]:
        r = self._ranking(lambda group: group.label == 0 or name in group.classes)
        key = f"per_class.{name}"
        return {
            "auc": self._value(f"{key}.auc", AUC, r),
            "ap": self._value(f"{key}.ap", AP, r),
            "positives": int(r.positives),
            "frames": int(r.positives + r.negatives),
        }

    def _counts(self, whole: Ranking) -> dict[str, Any]:
        labels = [label for _, label in self.book.videos.values()]
        return {
            "threshold": self.threshold,
            "videos": len(labels),
            "abnormal_videos": sum(labels),
            "videos_without_truth": self.book.unknown,
            "snippets": self.book.snippets,
            "frames": int(whole.positives + whole.negatives),
            "positives": int(whole.positives),
            "undefined": self.undefined,
        }
