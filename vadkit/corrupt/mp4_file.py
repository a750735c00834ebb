"""Write frames and sound as an mp4 file: H.264 of high quality, AAC, the same bytes each time."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np

CLOCK = Fraction(1, 90_000)  # seconds; fine enough for any frame rate
# One thread and no macroblock tree, whose result differs from run to run.
H264 = {"preset": "veryfast", "crf": "16", "threads": "1", "x264-params": "mbtree=0"}
RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)  # of AAC
BLOCK = 1024  # samples of an encoded frame
USUAL_RATE = 48_000


def sound_rate(rate: int) -> int:
    """Return the rate at which sound of a rate is written."""
    return rate if rate in RATES else USUAL_RATE


class Mp4File:
    """Encodes frames and samples into an open container, in the order in which they come.

    Args:
        sink: the container.
        fps: frames per second, as the file is to state.
        rate: of the sound, one of ``RATES``; None for a file without sound.
    """

    def __init__(self, sink: Any, fps: float, rate: int | None) -> None:
        self.sink = sink
        self.video = sink.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=H264)
        self.ticks = -1  # time of the last frame, in CLOCK
        self.rate, self.sent = rate or 0, 0
        self.waiting = np.zeros(0, np.float32)  # samples, less than a block
        self.audio = sink.add_stream("aac", rate=rate, layout="mono") if rate else None
        if self.audio is not None:
            self.audio.bit_rate = min(128_000, 5 * self.rate)

    def frame(self, frame: np.ndarray, time: float) -> None:
        """Add a frame, uint8 (h, w, 3) of even h and w, all of one size."""
        if self.ticks < 0:
            self.video.height, self.video.width = frame.shape[:2]
            self.video.pix_fmt = "yuv420p"
            self.video.codec_context.time_base = CLOCK
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        self.ticks = max(self.ticks + 1, round(time / CLOCK))
        picture.pts, picture.time_base = self.ticks, CLOCK
        self.sink.mux(self.video.encode(picture))

    def samples(self, samples: np.ndarray) -> None:
        """Add samples, float32 (n,); beyond full scale they are cut off."""
        waiting = np.concatenate([self.waiting, np.clip(samples, -1, 1)])
        whole = len(waiting) // BLOCK * BLOCK
        self.waiting = waiting[whole:]
        for block in waiting[:whole].reshape(-1, BLOCK):
            self._encode(block)

    def finish(self) -> None:
        """Write what is left. Raises ValueError if there was no frame."""
        if self.ticks < 0:
            raise ValueError("no picture can be decoded")
        self.sink.mux(self.video.encode(None))
        if self.audio is not None:
            if len(self.waiting):
                self._encode(self.waiting)
            self.sink.mux(self.audio.encode(None))

    def _encode(self, samples: np.ndarray) -> None:
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self.rate, self.sent, Fraction(1, self.rate)
        self.sent += len(samples)
        self.sink.mux(self.audio.encode(frame))  # type: ignore[union-attr]
