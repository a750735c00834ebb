"""Frames in memory in place of a video file: read in the same pass, on the same clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np

from vadkit.extract.media import Media, Picture
from vadkit.extract.snippets import check_fps
from vadkit.problems import fail


@dataclass
class Frames(Media):
    """A silent video of ``frames``, uint8 (n, height, width, 3), ``fps`` a second."""

    frames: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0, 3), np.uint8))

    @classmethod
    def of(cls, frames: Any, fps: float) -> Frames:
        """Return the video of these frames. Raises VadkitError for an array that is none."""
        array = np.asarray(frames)
        if array.ndim != 4 or array.shape[-1] != 3:
            first = array.ndim == 4 and array.shape[1] == 3
            fail(
                f"frames has shape {array.shape}; it must be (n, height, width, 3)",
                "colours come last: frames.transpose(0, 2, 3, 1)" if first else None,
            )
        if array.dtype != np.uint8:
            hint = "numbers from 0 to 1: (frames * 255).round().astype('uint8')" if array.dtype.kind == "f" else None
            fail(f"frames holds {array.dtype}; it must be uint8, from 0 to 255", hint)
        if 0 in array.shape:
            fail(f"frames has shape {array.shape}: there is no frame in it")
        check_fps(fps)
        return cls(Path("frames"), None, None, None, float(fps), ["there is no sound"], frames=array)

    @property
    def duration(self) -> float:
        return len(self.frames) / self.fps

    @property
    def offset(self) -> float:
        return 0.0

    def events(self) -> Iterator[Picture]:
        """Yield the frames, evenly in time."""
        for i, frame in enumerate(self.frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            yield Picture(i / self.fps, 1 / self.fps, picture)

    def close(self) -> None:
        """Do nothing: nothing is open."""
