"""Split validation videos off the training videos, the same ones every time.

The data sets have no validation split, and selecting weights on the test set inflates the figures.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vadkit.labels import label_word
from vadkit.presence import Spans, absent_spans
from vadkit.problems import fail
from vadkit.video import Video, VideoDataset, crop_of, shape_of, with_label


def carve(videos: Sequence[Video], fraction: float, seed: int) -> tuple[list[Video], list[Video]]:
    """Return (train, val): of each main class, ``fraction`` of the videos, and at least one of each label.

    Training keeps at least one of each main class, and the videos of unknown label. The choice depends on names and
    seed, not on the order of the list. Raises VadkitError if a label has fewer than two videos.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be above 0 and below 1, not {fraction}")
    groups = defaultdict(list)
    for video in sorted(with_label(videos), key=lambda video: _lot(video, seed)):
        groups[video.label, video.classes[:1]].append(video)
    chosen: set[str] = set()
    for group in groups.values():
        count = min(round(len(group) * fraction), len(group) - 1)  # training keeps one of every class
        chosen.update(video.name for video in group[:count])
    for label in (0, 1):
        chosen |= _at_least_one([v for v in videos if v.label == label], chosen, label, seed)
    train = [video for video in videos if video.name not in chosen]
    return train, [replace(video, split="val") for video in videos if video.name in chosen]


def _lot(video: Video, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{video.name}".encode()).digest()


def _at_least_one(videos: list[Video], chosen: set[str], label: int, seed: int) -> set[str]:
    if len(videos) < 2:
        fail(
            f"no validation split can be taken from the training videos: there "
            f"{'is one' if videos else 'is no'} {label_word(label)} video",
            hint="mark videos as 'val' in the data set, or train with select: last",
        )
    if any(video.name in chosen for video in videos):
        return set()
    return {min(videos, key=lambda video: _lot(video, seed)).name}


class Carved:
    """A dataset whose validation split was taken from its training split."""

    def __init__(self, dataset: VideoDataset, fraction: float, seed: int) -> None:
        self.dataset = dataset
        self.snippet_frames, self.classes = dataset.snippet_frames, dataset.classes
        self.recipes = getattr(dataset, "recipes", {})
        self.notice = getattr(dataset, "notice", None)
        train, val = carve(dataset.videos("train"), fraction, seed)
        self._splits = {"train": train, "val": val}
        self.note = (
            f"the data set has no validation videos: {len(val)} of its {len(with_label(train)) + len(val)} training "
            f"videos serve as such (fraction {fraction}, seed {seed}, by class)"
        )
        self.warnings = [*getattr(dataset, "warnings", []), self.note]

    def source_overlap(self, split: str) -> Any:
        """Return what the data set says, if it can; validation videos are of the same sources as training."""
        known = getattr(self.dataset, "source_overlap", None)
        return None if known is None or split in self._splits else known(split)

    def absent(self, video: Video, stream: str) -> Spans:
        """Return the spans in which a video lacks a stream."""
        return absent_spans(self.dataset, video, stream)

    def videos(self, split: str) -> list[Video]:
        """Return the videos of a split."""
        return list(self._splits[split]) if split in self._splits else self.dataset.videos(split)

    def read(self, video: Video, stream: str) -> np.ndarray:
        """Return (crops, t, dim)."""
        return self.dataset.read(video, stream)

    def shape(self, video: Video, stream: str) -> tuple[int, int, int]:
        """Return (crops, t, dim) without reading."""
        return shape_of(self.dataset, video, stream)

    def read_crop(self, video: Video, stream: str, crop: int) -> np.ndarray:
        """Return (t, dim)."""
        return crop_of(self.dataset, video, stream, crop)

    def class_index(self, video: Video) -> int:
        """Return the index of the main class."""
        return self.dataset.class_index(video)


def with_validation(dataset: VideoDataset, fraction: float, seed: int) -> tuple[VideoDataset, str | None]:
    """Return a dataset with validation videos, and a note for the user if they were taken from train."""
    if with_label(dataset.videos("val")):
        return dataset, None
    carved = Carved(dataset, fraction, seed)
    return carved, carved.note
