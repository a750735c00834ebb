"""How many labels a video has in a published label file: 16 per snippet of some features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vadkit.datasets.annotations import SNIPPET_FRAMES, Annotated


@dataclass(frozen=True)
class Grid:
    """Labels by video name. ``what`` names the features; ``own`` is True for those of the store."""

    what: str
    frames: Mapping[str, int]
    own: bool = False

    @property
    def total(self) -> int:
        """The number of labels of all videos."""
        return sum(self.frames.values())


def grids(videos: Sequence[Annotated], snippets: Sequence[Mapping[str, int]]) -> list[Grid]:
    """Return every grid that is known for all videos, those of the store's features first.

    Args:
        videos: the test videos.
        snippets: by video, for each stream of the store's features. Published code cuts streams to the
            shortest, so that is a grid, too.
    """
    found: list[Grid] = []
    whole = [stream for stream in snippets if all(video.name in stream for video in videos)]
    if whole:
        shortest = {video.name: min(stream[video.name] for stream in whole) for video in videos}
        _add(found, "the features at hand", _labels({name: whole[0][name] for name in shortest}), True)
        _add(found, "the features at hand, cut to the shortest stream", _labels(shortest), True)
    for what, count in KNOWN.items():
        counts = {video.name: count(video) for video in videos}
        known = {name: number for name, number in counts.items() if number is not None}
        if len(known) == len(counts):
            _add(found, what, _labels(known))
    frames = {video.name: video.frames for video in videos if video.frames is not None}
    if len(frames) == len(videos):
        _add(found, "the videos' own frames", frames)
    return found


def _labels(snippets: Mapping[str, int]) -> dict[str, int]:
    return {name: count * SNIPPET_FRAMES for name, count in snippets.items()}


def _add(found: list[Grid], what: str, frames: Mapping[str, int], own: bool = False) -> None:
    if all(frames != other.frames for other in found):
        found.append(Grid(what, frames, own))


def _rounded(count: Callable[[int], int]) -> Callable[[Annotated], int | None]:
    return lambda video: None if video.frames is None else count(video.frames)


KNOWN: Mapping[str, Callable[[Annotated], int | None]] = {
    "the published I3D features": lambda video: video.snippets,
    "features of frames // 16 snippets": _rounded(lambda n: n // 16),
    "features of (frames - 1) // 16 snippets": _rounded(lambda n: (n - 1) // 16),
    "features of frames / 16 snippets, rounded up": _rounded(lambda n: -(-n // 16)),
}
