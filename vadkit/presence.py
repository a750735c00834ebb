"""Which rows of a stream are there: a video may lack a stream throughout, or for spans of its snippets.

Legend: t snippets.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vadkit.video import Video

STREAM = "presence"  # what samplers and models see the rows as, next to the streams of the graph
Spans = tuple[tuple[int, int | None], ...]  # [start, end) of absent snippets; None is the end of the video
THROUGHOUT: Spans = ((0, None),)


def absent_spans(dataset: Any, video: Video, stream: str) -> Spans:
    """Return the spans in which a video lacks a stream, an input's name; a data set without ``absent`` lacks none."""
    known = getattr(dataset, "absent", None)
    return () if known is None else tuple(known(video, stream))


def is_throughout(spans: Spans) -> bool:
    """Return whether nothing of the stream is there, whatever the length of the video."""
    return any(start == 0 and end is None for start, end in spans)


def present_rows(spans: Spans, t: int) -> np.ndarray:
    """Return float32 (t,), 0 inside of the spans and 1 elsewhere."""
    rows = np.ones(t, np.float32)
    for start, end in spans:
        rows[start:end] = 0
    return rows


def spans_of(lost: np.ndarray) -> Spans:
    """Return the spans of a bool array (t,) that is true where the stream is absent."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], np.asarray(lost, bool), [False]]).astype(np.int8)))
    return tuple((int(start), int(end)) for start, end in edges.reshape(-1, 2))


def in_json(spans: Spans) -> bool | list[tuple[int, int]]:
    """Return spans as files have them: true for a stream that is absent throughout."""
    return True if is_throughout(spans) else [(start, end) for start, end in spans if end is not None]


def from_json(value: bool | list[tuple[int, int]]) -> Spans:
    """Return the spans that ``in_json`` wrote; none for false."""
    if isinstance(value, bool):
        return THROUGHOUT if value else ()
    return tuple(value)
