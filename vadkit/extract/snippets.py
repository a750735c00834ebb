"""How a video is cut into snippets: the clock, the rule for its end, and the cutting.

Legend: ``n`` frames of a snippet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from vadkit.problems import did_you_mean, fail

# What becomes of the last frames of a video of N; a video always gives one snippet at least.
# repeat       ceil(N / n): the last frame is repeated until a snippet is full
# drop         floor(N / n): frames that fill no snippet are left out
# xd_violence  floor((N - 1) / n): the same, but the last frame only serves the optical flow
Tail = Literal["repeat", "drop", "xd_violence"]
# The same under the names of the systems that use them. UR-DMU still counts its ground truth by floor(N / n).
TAILS: dict[str, Tail] = {
    "repeat": "repeat",
    "drop": "drop",
    "xd_violence": "xd_violence",
    "ur_dmu": "repeat",
    "rtfm": "drop",
    "wsv_gst": "drop",
    "video_features": "xd_violence",
}


def find_tail(name: str) -> Tail:
    """Return the tail rule of that name. Raises VadkitError for an unknown one."""
    if name not in TAILS:
        hint = did_you_mean(name, TAILS) or f"there are {', '.join(TAILS)}"
        fail(f"there is no tail rule '{name}'", hint)
    return TAILS[name]


@dataclass(frozen=True)
class Clock:
    """Which frames of a video make a snippet. Part of every stream's recipe.

    Attributes:
        fps: frames per second to cut snippets at, picked by time stamps. None takes the video's own rate.
        snippet_frames: frames of a snippet; snippets do not overlap.
        tail: what becomes of the last frames, see ``Tail``.

    Raises VadkitError for values by which snippets cannot be cut.
    """

    fps: float | None = None
    snippet_frames: int = 16
    tail: Tail = "repeat"

    def __post_init__(self) -> None:
        if self.snippet_frames < 1:
            fail(f"snippet_frames is {self.snippet_frames}; a snippet has at least 1 frame")
        if self.fps is not None and not 0 < self.fps <= 1000:
            fail(f"fps is {self.fps}; it must be above 0 and at most 1000")
        if self.tail not in get_args(Tail):
            fail(f"tail is '{self.tail}'; it is one of {', '.join(get_args(Tail))}")

    def recipe(self) -> dict[str, Any]:
        """Return the fields of a recipe that it decides."""
        n = self.snippet_frames
        return {"snippet_frames": n, "stride": n, "fps": self.fps, "tail": self.tail}


@dataclass
class Snippets:
    """Groups frames into snippets: ``plain`` of n frames, and those with the next frame after them.

    ``start`` frames are left out first; after ``limit`` snippets the rest is.
    """

    n: int
    tail: Tail
    start: int = 0
    limit: int | None = None
    count: int = 0
    seen: int = 0
    frames: list[np.ndarray] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return self.count == self.limit

    def feed(self, frame: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (plain, with next) once a snippet and the frame after it are complete."""
        self.seen += 1
        if self.seen <= self.start or self.is_full:
            return
        self.frames.append(frame)
        if len(self.frames) > self.n:
            yield self._cut(self.frames)
            self.frames = self.frames[self.n :]

    def finish(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield what the tail rule makes of the last frames."""
        if self.is_full or not self.frames:
            return
        missing = self.n - len(self.frames)
        whole = missing == 0 and self.tail != "xd_violence"
        if whole or self.count == 0 or self.tail == "repeat":
            yield self._cut(self.frames + self.frames[-1:] * missing)

    def _cut(self, frames: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        self.count += 1
        whole = np.stack(frames)
        return whole[: self.n], whole
