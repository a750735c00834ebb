"""The streams of a video with what it lacks as zeros, and ``presence``, which says where that is.

Legend: b bags x crops, t snippets, n streams of the graph, dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vadkit.presence import STREAM, absent_spans, is_throughout, present_rows
from vadkit.problems import Problem, VadkitError
from vadkit.video import Video


def streams_there(dataset: Any, video: Video, streams: Sequence[str]) -> list[str]:
    """Return the streams that a video has at least in part. Raises VadkitError if it has none."""
    there = [stream for stream in streams if not is_throughout(absent_spans(dataset, video, stream))]
    if not there:
        what = f"video '{video.name}' lacks every stream of the graph ({', '.join(streams)})"
        raise VadkitError([Problem(what, hint="remove it from the data set, or give it one of them")])
    return there


def with_gaps(
    dataset: Any,
    video: Video,
    streams: Sequence[str],
    sizes: Mapping[str, int],
    read: Callable[[str], np.ndarray],
) -> dict[str, np.ndarray]:
    """Return the streams (t, dim) of one crop as a sampler takes them, and ``presence`` (t, n).

    Args:
        streams: the inputs of the graph, in order.
        sizes: their widths.
        read: returns a stream that is there.

    A stream that is absent throughout is as long as the first one that is there. Samplers may count real snippets by
    their first array, so that is ``presence`` where the first stream has gaps.
    """
    read_streams = {stream: read(stream) for stream in streams_there(dataset, video, streams)}
    t = len(next(iter(read_streams.values())))
    presence = np.zeros((t, len(streams)), np.float32)
    found = {}
    for column, stream in enumerate(streams):
        if stream not in read_streams:
            found[stream] = np.zeros((t, sizes[stream]), np.float32)
            continue
        x, spans = read_streams[stream], absent_spans(dataset, video, stream)
        presence[:, column] = present_rows(spans, t)
        found[stream] = x * present_rows(spans, len(x))[:, None] if spans else x
    return {**found, STREAM: presence} if presence[:, 0].all() else {STREAM: presence, **found}


def undiluted(streams: dict[str, Tensor], presence: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """Return the streams (b, t, dim) with means over rows of which a share was absent as means over the others.

    ``presence`` (b, t, n) was averaged as they were, so it holds these shares; its columns are ``names``.
    """
    mixed = (presence > 0) & (presence < 1)
    found = dict(streams)
    for column, name in enumerate(names):
        if name in found and bool(mixed[..., column].any()):
            share = presence[..., column]
            found[name] = found[name] / torch.where(share > 0, share, torch.ones_like(share))[..., None]
    return found


def beyond_end(presence: Tensor, lengths: Tensor) -> Tensor:
    """Return ``presence`` (b, t, n) with the rows of the padding, from ``lengths`` (b) on, as the last real one."""
    last = (lengths - 1).clamp(min=0)[:, None]
    rows = torch.minimum(torch.arange(presence.shape[1], device=presence.device), last)
    return presence.gather(1, rows[..., None].expand(-1, -1, presence.shape[2]))


def piece_with_gaps(
    part: Mapping[str, Tensor], mask: Tensor | None, columns: Sequence[str]
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the streams (n, s, dim) of a piece that a sampler may have cut, and its ``presence``, as in training.

    Args:
        part: with "presence".
        mask: bool (n, s), True where a snippet is real; None for a whole video.
        columns: the inputs of the graph, in order.
    """
    streams = {name: x for name, x in part.items() if name != STREAM}
    presence = part[STREAM]
    if mask is None:
        return streams, presence
    streams = undiluted(streams, presence, columns)
    return streams, beyond_end(presence, mask.sum(1))
