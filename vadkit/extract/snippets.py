"""How a video is cut into snippets: the clock, the rule for its end, and the cutting.

Legend: ``n`` frames of a snippet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from vadkit.problems import did_you_mean, fail

# The limits of what can be asked for; memory is what they protect.
FPS = (1 / 3600, 1000.0)  # frames per second
LONGEST_SNIPPET = 10_000  # frames
LONGEST_WINDOW = 1 << 27  # samples of sound for one snippet, 512 MiB
SNIPPET_BYTES = 4 << 30  # of the pictures of one snippet

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
        check_snippet(self.snippet_frames)
        if self.fps is not None:
            check_fps(self.fps)
        if self.tail not in get_args(Tail):
            fail(f"tail is '{self.tail}'; it is one of {', '.join(get_args(Tail))}")

    def recipe(self) -> dict[str, Any]:
        """Return the fields of a recipe that it decides."""
        n = self.snippet_frames
        return {"snippet_frames": n, "stride": n, "fps": self.fps, "tail": self.tail}


def check_snippet(frames: int) -> None:
    """Raise VadkitError for a length of snippets that is no count, or that no memory holds."""
    if isinstance(frames, bool) or not isinstance(frames, int | np.integer):
        fail(f"snippet_frames is {frames!r}; it must be a whole number")
    if not 1 <= frames <= LONGEST_SNIPPET:
        fail(f"snippet_frames is {frames}; it must be from 1 to {LONGEST_SNIPPET}")


def check_fps(fps: float) -> None:
    """Raise VadkitError for a frame rate that no clock has."""
    low, high = FPS
    number = isinstance(fps, int | float | np.number) and not isinstance(fps, bool)
    if not number or not math.isfinite(fps) or not low * 0.999 <= fps <= high:
        fail(f"fps is {fps}; it must be from {low:.2g} (one frame an hour) to {high:g}")


def check_window(samples: int, seconds: float) -> None:
    """Raise VadkitError for more sound per snippet than memory should hold."""
    if samples > LONGEST_WINDOW:
        fail(
            f"a snippet of {seconds:g} s has {samples} samples of sound, more than {LONGEST_WINDOW}",
            hint="take a higher --fps or a smaller --snippet",
        )


def check_size(frames: int, height: int, width: int) -> None:
    """Raise VadkitError if the pictures of one snippet take too much memory."""
    size = frames * height * width * 3
    if size > SNIPPET_BYTES:
        fail(
            f"a snippet of {frames} frames of {width} x {height} takes {size / 2**30:.1f} GiB, more than "
            f"{SNIPPET_BYTES / 2**30:g} GiB",
            hint="take a smaller --snippet",
        )


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
