"""The features of one video as a caller holds them, as the data set of one video that evaluation scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from vadkit.graph.call_checks import as_numbers, check_names, check_numbers, wrong_width
from vadkit.presence import THROUGHOUT, Spans
from vadkit.problems import fail
from vadkit.store.align import tolerance
from vadkit.video import Video


class OneVideo:
    """A data set that holds one video, whose truth is unknown."""

    snippet_frames = 16
    classes: Sequence[str] = ("normal",)

    def __init__(self, features: Mapping[str, np.ndarray]) -> None:
        self.features = features
        self.video = Video("video", "test", 0)
        self.warnings: list[str] = []

    def videos(self, split: str) -> list[Video]:
        return [self.video] if split == "test" else []

    def read(self, video: Video, stream: str) -> np.ndarray:
        return self.features[stream]

    def absent(self, video: Video, stream: str) -> Spans:
        return () if stream in self.features else THROUGHOUT

    def class_index(self, video: Video) -> int:
        return 0


def as_features(sizes: Mapping[str, int], streams: Mapping[str, Any], partial: bool = False) -> dict[str, np.ndarray]:
    """Return the streams as float32 (crops, t, width), in the order of the model's inputs ``sizes``.

    ``partial``: some may be left out, though not all. Raises VadkitError, naming the stream, for what does not fit the
    model or does not belong to one video.
    """
    names = list(sizes)
    if not isinstance(streams, Mapping):
        fail(
            f"streams is of type {type(streams).__name__}; it must map names to arrays",
            f"write {{{', '.join(f'{name!r}: ...' for name in names)}}}",
        )
    check_names(names, streams)
    missing = [name for name in names if name not in streams]
    if missing and (not partial or len(missing) == len(names)):
        fail(f"the graph needs the stream '{missing[0]}'", f"it takes {', '.join(names)}")
    features = {name: _features(name, streams[name], sizes[name]) for name in names if name in streams}
    _check_rows(features)
    return features


def _features(name: str, value: Any, width: int) -> np.ndarray:
    x = as_numbers(name, value)
    if x.ndim not in (2, 3):
        fail(f"stream '{name}' has shape {x.shape}; one video's features are (t, width) or (crops, t, width)")
    if x.shape[-1] != width:
        hint = f"is it (width, t)? then give {name}.T" if x.shape[-2] == width else None
        fail(wrong_width(name, width, x.shape[-1]), hint)
    if 0 in x.shape:
        fail(f"stream '{name}' has no rows: its shape is {x.shape}")
    check_numbers(name, torch.from_numpy(x))
    return x if x.ndim == 3 else x[None]


def _check_rows(features: Mapping[str, np.ndarray]) -> None:
    first, x = next(iter(features.items()))
    t, crops = x.shape[1], max(map(len, features.values()))
    for name, other in features.items():
        if abs(other.shape[1] - t) > tolerance(t):
            fail(
                f"stream '{name}' has {other.shape[1]} rows, but '{first}' has {t}; up to {tolerance(t)} more or fewer "
                "are cut or filled with zeros",
                "are they of the same video, and cut into snippets of the same length?",
            )
        if len(other) not in (1, crops):
            fail(f"stream '{name}' has {len(other)} crops, but another has {crops}", "give one crop, or all of them")
