"""Streams of one video that differ in the number of snippets.

Backbones round the end of a video in their own ways, so counts differ by a few. A few are fixed as
published code does; more means that the features are not of one video.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Mapping

from vadkit.problems import Problem

LOOK = "they were cut on different grids, or one of the files is of another video"


def tolerance(t: int) -> int:
    """Return how many snippets a stream may have more or fewer than the first one's ``t``."""
    return max(2, t // 10)


def misaligned(name: str, counts: Mapping[str, int]) -> list[Problem]:
    """Return a problem per stream whose snippet count is too far from the first stream's."""
    first, t = next(iter(counts.items()))
    return [
        Problem(
            f"video '{name}': stream '{stream}' has {count} snippets, but '{first}' has {t}; "
            f"up to {tolerance(t)} more or fewer are allowed",
            hint=LOOK,
        )
        for stream, count in counts.items()
        if abs(count - t) > tolerance(t)
    ]


def uneven_crops(name: str, crops: Mapping[str, int]) -> list[Problem]:
    """Return a problem per stream that has neither one crop nor as many as the others."""
    most = max(crops.values())
    widest = next(stream for stream, count in crops.items() if count == most)
    return [
        Problem(
            f"video '{name}': stream '{stream}' has {count} crops, but '{widest}' has {most}",
            hint="each stream has one crop, which is then used for all, or the same number",
        )
        for stream, count in crops.items()
        if count not in (1, most)
    ]
