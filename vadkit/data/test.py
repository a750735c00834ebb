"""Whole videos, one after the other, for scoring.

Legend: t snippets (of the first stream), dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from vadkit.data.align import to_length
from vadkit.data.arrays import check_finite
from vadkit.data.checks import check_shapes
from vadkit.data.video import Video, VideoDataset
from vadkit.problems import VadkitError, fail


def iterate(
    dataset: VideoDataset,
    split: str,
    streams: Sequence[str],
    sizes: Mapping[str, int] | None = None,
) -> Iterator[tuple[Video, dict[str, Tensor]]]:
    """Give every video of a split with its streams, float32 (crops, t, dim) each.

    Streams are cut or filled with zeros to the first one's t, and a single crop is repeated where
    another stream has more. Raises VadkitError if the split has no video, and for a video whose
    files are faulty, hold NaN or infinity, do not belong together, or are not as wide as ``sizes``.
    """
    videos = dataset.videos(split)
    if not videos:
        fail(f"the data set has no video in split '{split}'")
    for video in videos:
        yield video, load(dataset, video, streams, sizes)


def load(
    dataset: VideoDataset, video: Video, streams: Sequence[str], sizes: Mapping[str, int] | None = None
) -> dict[str, Tensor]:
    """Return one video's streams, float32 (crops, t, dim) each, as ``iterate`` does."""
    arrays = {stream: dataset.read(video, stream) for stream in streams}
    problems = check_shapes(video.name, {s: a.shape for s, a in arrays.items()}, sizes or {})
    if problems:
        raise VadkitError(problems)
    t = next(iter(arrays.values())).shape[1]
    crops = max(len(array) for array in arrays.values())
    tensors = {}
    for stream, array in arrays.items():
        check_finite(array, f"stream '{stream}' of video '{video.name}'")
        # Copied, because the map of a read-only file must not become a tensor that can be written.
        tensor = torch.from_numpy(np.array(to_length(array, t), dtype=np.float32))
        tensors[stream] = tensor.expand(crops, -1, -1)
    return tensors
