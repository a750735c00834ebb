"""How many snippets each video has: as published, or by its name, or drawn.

Those of test videos and all frame counts of UCF-Crime are published. The name of a film scene in XD-Violence gives
its beginning and end. The others are drawn from published lengths of the same label, and scaled so that the whole
data set is as long as its authors state.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from vadkit.datasets.annotations import FPS, SNIPPET_FRAMES, Annotated, DataSet, read_annotations
from vadkit.datasets.generating.features import draw

Source = Literal["published", "name", "drawn"]
SCENE = re.compile(r"__#(\d+)-(\d\d)-(\d\d)_(\d+)-(\d\d)-(\d\d)_label_")
# Frames of the whole data set: 217 hours (XD-Violence), 317 398 frames (ShanghaiTech).
ALL_FRAMES = {"xd_violence": 217 * 3600 * 24, "shanghaitech": 317_398}


@dataclass(frozen=True)
class Length:
    """Snippets of a video, and the source of that number."""

    snippets: int
    source: Source


def lengths_of(data_set: DataSet, seed: int) -> dict[str, Length]:
    """Return the length of every video by name."""
    videos = read_annotations(data_set).videos
    known = {video.name: length for video in videos if (length := _known(video)) is not None}
    alike = _alike(videos, known)
    drawn = {video.name: _draw(video, alike[video.label], seed) for video in videos if video.name not in known}
    if drawn:
        left = ALL_FRAMES[data_set] // SNIPPET_FRAMES - sum(length.snippets for length in known.values())
        stretch = left / sum(drawn.values())
        known |= {name: Length(max(1, round(count * stretch)), "drawn") for name, count in drawn.items()}
    return {video.name: known[video.name] for video in videos}


def sources(lengths: Mapping[str, Length]) -> dict[str, int]:
    """Return how many lengths come from each source."""
    return dict(Counter(length.source for length in lengths.values()))


def _known(video: Annotated) -> Length | None:
    if video.snippets is not None:
        return Length(video.snippets, "published")
    if video.frames is not None:
        return Length(max(1, video.frames // SNIPPET_FRAMES), "published")
    seconds = scene_seconds(video.name)
    if seconds is None:
        return None
    # The last frame has no flow, so the features of XD-Violence count one frame less.
    return Length(max(1, (int(seconds * (FPS["xd_violence"] or 0)) - 1) // SNIPPET_FRAMES), "name")


def scene_seconds(name: str) -> int | None:
    """Return the length of a scene by its name, ``Film__#00-26-51_00-27-53_label_B2-0-0``; None if unknown."""
    found = SCENE.search(name)
    if found is None:
        return None
    hours, minutes, seconds, *end = map(int, found.groups())
    length = (end[0] - hours) * 3600 + (end[1] - minutes) * 60 + end[2] - seconds
    return length if length > 0 else None


def _alike(videos: Iterable[Annotated], known: Mapping[str, Length]) -> dict[int, list[int]]:
    """Return the published lengths by label."""
    alike: dict[int, list[int]] = {0: [], 1: []}
    for video in videos:
        if video.name in known and known[video.name].source == "published":
            alike[video.label].append(known[video.name].snippets)
    return alike


def _draw(video: Annotated, alike: list[int], seed: int) -> int:
    return alike[int(draw(seed, video.name, "length") * len(alike))]
