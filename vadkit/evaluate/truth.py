"""Ground truth of one video on the grid of its own feature file, from intervals.

Never from a flat vector of frames: features of UCF-Crime exist with three different snippet counts, and a
vector made for one of them shifts every later video of another.

Legend: t snippets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np

from vadkit.problems import fail, plural
from vadkit.store.align import tolerance
from vadkit.video import Video

Tail = Literal["real", "full"]


def snippet_truth(video: Video, t: int, snippet_frames: int, tail: Tail = "real") -> tuple[np.ndarray, np.ndarray]:
    """Return (positive frames (t,), frames (t,)) as whole numbers, per snippet.

    Snippet i covers the frames [i * snippet_frames, (i + 1) * snippet_frames); of features of equal parts
    of the video (``Video.segments``), part i of t.

    Args:
        video: its ``spans`` are [start, end) and may overlap; what is after the last frame does not count.
        t: number of snippets of its features.
        snippet_frames: frames of a snippet.
        tail: "real" counts the frames that the video has, so a padded last snippet counts less;
            "full" counts every snippet in full, as published label vectors do.

    Raises VadkitError if the features are longer than the video by more than rounding explains, or are of parts of
    a video of unknown length.
    """
    if video.segments is not None:
        parts = _parts(video, t)
        return np.diff(covered(video.spans, parts)), np.diff(parts)
    edges = np.arange(t + 1, dtype=np.int64) * snippet_frames
    if video.num_frames is not None:
        own = -(-video.num_frames // snippet_frames)
        if t - own > tolerance(own):
            fail(
                f"video '{video.name}': its features have {plural(t, 'snippet')} of {plural(snippet_frames, 'frame')}, "
                f"but its {plural(video.num_frames, 'frame')} give {own}",
                hint="do num_frames and snippet_frames match the file that the features were extracted from?",
            )
        if tail == "real":
            edges = np.minimum(edges, video.num_frames)
    return np.diff(covered(video.spans, edges)), np.diff(edges)


def known_truth(video: Video, t: int, snippet_frames: int, tail: Tail = "real") -> tuple[np.ndarray | None, np.ndarray]:
    """Return the same; None for the positive frames of a video that is not normal and has no intervals."""
    positives, frames = snippet_truth(video, t, snippet_frames, tail)
    return positives if video.label == 0 or video.spans else None, frames


def _parts(video: Video, t: int) -> np.ndarray:
    """Return the t + 1 frames that bound t equal parts of a video."""
    if video.num_frames is None:
        fail(
            f"video '{video.name}': its features are of {plural(t, 'equal part')}, but its frame count is unknown",
            hint="set num_frames in videos.json",
        )
    return np.arange(t + 1, dtype=np.int64) * video.num_frames // t


def covered(spans: Iterable[tuple[int, int]], edges: np.ndarray) -> np.ndarray:
    """Return how many frames before each of ``edges`` are in at least one span."""
    total = np.zeros(len(edges), np.int64)
    for start, end in merged(spans):
        total += np.clip(edges, start, end) - start
    return total


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans that cover the same frames but neither overlap nor touch, in order."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = result[-1][0], max(end, result[-1][1])
        elif start < end:
            result.append((start, end))
    return result
