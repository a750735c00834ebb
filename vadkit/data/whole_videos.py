"""Whole videos, one by one, for scoring.

Legend: t snippets (of the first stream, unless all are cut to the shortest), dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vadkit.data.presence import streams_there
from vadkit.data.shape_checks import check_shapes
from vadkit.presence import STREAM, absent_spans, present_rows
from vadkit.problems import VadkitError, fail, plural
from vadkit.store.array_file import as_float32, check_finite
from vadkit.video import SPLITS, Video, VideoDataset, crop_of, shape_of

Align = Literal["first", "shortest"]


def iterate(
    dataset: VideoDataset,
    split: str,
    streams: Sequence[str],
    sizes: Mapping[str, int] | None = None,
    align: Align = "first",
) -> Iterator[tuple[Video, dict[str, Tensor]]]:
    """Yield every video of a split with its streams, float32 (crops, t, dim) each.

    Streams are cut or filled with zeros to the first one's t, or all cut to the "shortest" if ``align`` says so. A
    single crop is repeated if another stream has more. Raises VadkitError if the split has no video, and for a video
    whose files are faulty, hold NaN or infinity, do not match each other, or are not as wide as ``sizes``.
    """
    videos = dataset.videos(split)
    if not videos:
        fail(*no_video(dataset, split))
    for video in videos:
        yield video, load(dataset, video, streams, sizes, align)


def no_video(dataset: VideoDataset, split: str) -> tuple[str, str]:
    """Return what to say of a split without a video to train or measure on, and what to do about it."""
    counts = {name: _count(dataset, name) for name in SPLITS}
    if counts[split]:
        what = f"none of the {plural(counts[split], 'video')} of split '{split}' has a known label"
        return what, "label them in videos.json, or with --labels"
    others = ", ".join(f"{plural(count, 'video')} in '{name}'" for name, count in counts.items() if count)
    hint = {
        "train": "mark videos as 'train' in the data set",
        "val": "mark videos as 'val' in the data set; train.select=val takes its share from the training videos",
        "test": "mark videos as 'test' in the data set (vadkit store import own --test-share 0.2), or choose another "
        "split: --split, eval.split",
    }
    return f"the data set has no video in split '{split}' (there are {others or 'none at all'})", hint[split]


def _count(dataset: VideoDataset, split: str) -> int:
    try:
        return len(dataset.videos(split))
    except VadkitError:  # features of another split are missing: not what is to be reported
        return 0


def load(
    dataset: VideoDataset,
    video: Video,
    streams: Sequence[str],
    sizes: Mapping[str, int] | None = None,
    align: Align = "first",
    presence: Sequence[str] | None = None,
) -> dict[str, Tensor]:
    """Return one video's streams, float32 (crops, t, dim) each, as ``iterate`` does.

    ``presence`` are the inputs of a graph that takes it, in order: the video may lack streams then, which are zeros,
    and the last of the tensors is "presence" (crops, t, inputs), 1 where a stream is there. An absent one whose width
    is not in ``sizes`` is 1 wide.
    """
    there = streams if presence is None else streams_there(dataset, video, streams)
    arrays = {stream: _crops(dataset, video, stream) for stream in there}
    problems = check_shapes(video.name, {s: (len(a), *a[0].shape) for s, a in arrays.items()}, sizes or {})
    if problems:
        raise VadkitError(problems)
    lengths = [len(array[0]) for array in arrays.values()]
    t = lengths[0] if align == "first" else min(lengths)
    crops = max(len(array) for array in arrays.values())
    found = {
        stream: _filled(array, t, f"stream '{stream}' of video '{video.name}'").expand(crops, -1, -1)
        for stream, array in arrays.items()
    }
    if presence is None:
        return found
    rows = {
        stream: present_rows((*absent_spans(dataset, video, stream), (len(arrays[stream][0]), None)), t)
        for stream in there
    }
    return _with_gaps(found, rows, streams, sizes or {}, presence)


def _with_gaps(
    found: Mapping[str, Tensor],
    rows: Mapping[str, np.ndarray],
    streams: Sequence[str],
    sizes: Mapping[str, int],
    columns: Sequence[str],
) -> dict[str, Tensor]:
    """Return the streams in order, zeros where the rows (t,) of each that is there are 0, and ``presence``."""
    crops, t, _ = next(iter(found.values())).shape
    gaps = {stream: torch.from_numpy(values) for stream, values in rows.items()}
    whole = {name: torch.zeros(crops, t, sizes.get(name, 1)) for name in streams}
    whole |= {name: x * gaps[name][:, None] for name, x in found.items()}
    presence = torch.stack([gaps.get(name, torch.zeros(t)) for name in columns], -1)
    return {**whole, STREAM: presence.expand(crops, -1, -1)}


def cut_to_shortest(streams: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the streams (t, dim) of one video, all cut to the length of the shortest."""
    t = min(map(len, streams.values()))
    return {name: x[:t] for name, x in streams.items()}


def _crops(dataset: VideoDataset, video: Video, stream: str) -> list[np.ndarray]:
    """Return each crop (t, dim); files with one crop each are only mapped."""
    if not hasattr(dataset, "read_crop"):
        return list(dataset.read(video, stream))
    return [crop_of(dataset, video, stream, crop) for crop in range(shape_of(dataset, video, stream)[0])]


def _filled(crops: list[np.ndarray], t: int, what: str) -> Tensor:
    """Return float32 (crops, t, dim), a copy, because a tensor must not share memory with a read-only file."""
    real = min(t, len(crops[0]))
    filled = torch.empty(len(crops), t, crops[0].shape[1])
    for number, (row, crop) in enumerate(zip(filled.numpy(), crops)):
        if crop.shape != crops[0].shape:
            fail(
                f"{what}: crop {number} has shape {crop.shape}, but crop 0 has {crops[0].shape}",
                hint="does one of them belong to another video, or to another extraction?",
            )
        check_finite(crop, what)
        row[:real], row[real:] = as_float32(crop[:real]), 0
    return filled
