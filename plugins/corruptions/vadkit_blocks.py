"""Pictures that were compressed too much: blocks, smeared detail, colours in steps.

Legend: h, w height and width of a frame.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import Any

import numpy as np

from vadkit import Corruption, Track, fail, hookimpl

KEY = 50  # frames from one picture that is complete by itself to the next


class Blocks(Corruption):
    """Encode the pictures by H.264 at rate factors (CRF) from 32 to 51, without its filter of edges, and decode them.

    Args:
        severity: from 1 to 5.
    """

    name = "blocks"
    modality = "rgb"
    levels = (32, 37, 42, 46, 51)
    unit = "H.264 rate factor"

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        self.rate = Fraction(track.rate).limit_denominator(1001)
        self.encoder: Any = None
        self.decoder: Any = None
        self.size = 0, 0
        self.times: deque[float] = deque()  # of frames that are not decoded yet
        self.count = 0

    def frame(self, frame: np.ndarray, time: float) -> list[tuple[np.ndarray, float]]:
        """Take uint8 (h, w, 3); return what is decoded, of the same size."""
        import av

        height, width = self.size = frame.shape[:2]
        even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if self.encoder is None:
            self._open(*even.shape[:2])
        self.times.append(time)
        picture = av.VideoFrame.from_ndarray(even, format="rgb24")
        picture.pts, self.count = self.count, self.count + 1
        return self._decoded(self.encoder.encode(picture))

    def last_frames(self) -> list[tuple[np.ndarray, float]]:
        return [] if self.encoder is None else self._decoded([*self.encoder.encode(None), None])

    def _open(self, height: int, width: int) -> None:
        import av

        try:
            self.encoder = av.CodecContext.create("libx264", "w")
        except (av.FFmpegError, ValueError):
            fail("blocks needs libx264, which this build of PyAV lacks", "install a build of PyAV with libx264")
        self.encoder.width, self.encoder.height, self.encoder.pix_fmt = width, height, "yuv420p"
        self.encoder.framerate, self.encoder.time_base = self.rate, 1 / self.rate
        # One thread and no macroblock tree: the same bytes each time.
        self.encoder.options = {"preset": "veryfast", "tune": "zerolatency", "crf": str(self.level), "threads": "1",
                                "x264-params": f"no-deblock=1:mbtree=0:keyint={KEY}"}  # fmt: skip
        self.decoder = av.CodecContext.create("h264", "r")
        self.decoder.thread_count = 1

    def _decoded(self, packets: list[Any]) -> list[tuple[np.ndarray, float]]:
        height, width = self.size
        frames = [frame for packet in packets for frame in self.decoder.decode(packet)]
        found = [frame.to_ndarray(format="rgb24")[:height, :width] for frame in frames]
        return [(np.ascontiguousarray(frame), self.times.popleft()) for frame in found]


@hookimpl
def vadkit_components() -> list[type]:
    return [Blocks]
