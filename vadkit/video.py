"""What is known about a video, and the interface of a dataset component."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from vadkit.problems import plural

SPLITS = ("train", "val", "test")
# Suffixes of video files that extraction takes.
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".dav", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf"}
    | {".ogv", ".ts", ".vob", ".webm", ".wmv"}
)


@dataclass(frozen=True)
class Video:
    """One video. ``spans`` are abnormal intervals [start, end) in frames and may overlap.

    ``label`` is 1 for a video with an anomaly, 0 for one without, the only supervision in training, and None if it
    is unknown: such a video can be scored, but is not trained on and counts in no figure. ``classes`` are the names
    of its abnormal classes, main one first. ``num_frames`` and ``fps`` are None if unknown.
    ``files`` are its feature files by stream, one per crop or one for all, if they are not in the store.
    ``segments`` is not None if the features are of that many equal parts of the video instead of 16
    frames each. ``clicks`` are the frames that a labeller clicked on, one in each event of an abnormal video.
    ``absent`` are, by stream, the spans [start, end) of snippets that it lacks; an end of None is that of the video.
    """

    name: str
    split: str
    label: int | None
    classes: tuple[str, ...] = ()
    num_frames: int | None = None
    fps: float | None = None
    spans: tuple[tuple[int, int], ...] = ()
    file: str | None = None
    tags: Mapping[str, Any] = field(default_factory=dict, hash=False)
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    segments: int | None = None
    clicks: tuple[int, ...] = ()
    absent: Mapping[str, tuple[tuple[int, int | None], ...]] = field(default_factory=dict, hash=False)


class VideoDataset(Protocol):
    """What training and evaluation ask of a dataset component.

    Streams are named as the graph's inputs; the dataset maps them to files. Two more methods are
    optional and used if they are cheaper than ``read``:
    ``shape(video, stream) -> (crops, t, dim)`` and ``read_crop(video, stream, crop) -> (t, dim)``.
    ``warnings`` are sentences for the user about data that can be used but should be checked. A
    dataset that knows how its features were extracted has ``recipes``, by input; one whose figures say little about
    real videos has a ``notice``, a sentence that the model's file and every page repeat. One that knows where videos
    come from has ``source_overlap(split) -> vadkit.store.Overlap | None``. One whose videos may lack streams has
    ``absent(video, stream)``, the spans of snippets that are absent (see ``vadkit.presence``): what a graph that
    takes ``presence`` is given as zeros. A stream that is absent throughout is never read.
    """

    snippet_frames: int
    classes: Sequence[str]
    warnings: list[str]

    def videos(self, split: str) -> list[Video]:
        """Return the videos of "train", "val" or "test"; an empty list if there are none."""
        ...

    def read(self, video: Video, stream: str) -> np.ndarray:
        """Return float features (crops, t, dim), memory-mapped where possible."""
        ...

    def class_index(self, video: Video) -> int:
        """Return the index of the video's main class in ``classes``: 0 normal, -1 unknown."""
        ...


def with_label(videos: Sequence[Video]) -> list[Video]:
    """Return the videos whose label is known."""
    return [video for video in videos if video.label is not None]


def unlabelled_note(videos: Sequence[Video], split: str) -> list[str]:
    """Return a sentence about the videos of a split whose label is unknown, if there are any."""
    names = [video.name for video in videos if video.label is None]
    if not names:
        return []
    return [
        f"{len(names)} of {plural(len(videos), 'video')} of split '{split}' {'has' if len(names) == 1 else 'have'} an "
        f"unknown label (the first is '{names[0]}'): never trained on and counted in no figure"
    ]


def same_name(name: str) -> str:
    """Return a name as names are compared: a letter with an accent is the same, composed or not."""
    return unicodedata.normalize("NFC", name)


def without_suffix(name: str) -> str:
    """Return a name without the suffix of a video file."""
    stem, dot, suffix = name.rpartition(".")
    return stem if stem and dot + suffix.lower() in VIDEO_SUFFIXES else name


def shape_of(dataset: VideoDataset, video: Video, stream: str) -> tuple[int, int, int]:
    """Return (crops, t, dim) without reading the features if the dataset has ``shape``."""
    shape = getattr(dataset, "shape", None)
    crops, t, dim = shape(video, stream) if shape else dataset.read(video, stream).shape
    return int(crops), int(t), int(dim)


def crop_of(dataset: VideoDataset, video: Video, stream: str, crop: int) -> np.ndarray:
    """Return one crop (t, dim); of a stream with a single crop that one, whatever ``crop`` is."""
    read = getattr(dataset, "read_crop", None)
    if read is not None:
        return np.asarray(read(video, stream, crop))
    features = dataset.read(video, stream)
    return np.asarray(features[crop if len(features) > 1 else 0])
