"""Put pictures on an even clock by their time stamps.

Tick k of the clock is at k / fps seconds after the first picture, and shows the picture that is on
the screen then. Pictures are held, repeated or left out; never blended.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vadkit.extract.media import Media, Picture
from vadkit.problems import fail

HIGH_SPEED = 300  # frames a second at which a millisecond is no longer small
STAMP_ERROR = 0.005  # seconds; containers round times, Matroska to whole milliseconds


class FrameClock:
    """Turns pictures that come at any times into uint8 frames (height, width, 3) at ``fps``.

    ``feed`` a picture, then ``finish``; both yield frames. All frames have the size of the first.
    """

    def __init__(self, media: Media, fps: float) -> None:
        self.media, self.fps = media, fps
        self.slack = min(STAMP_ERROR, (0.25 if fps < HIGH_SPEED else 0.5) / fps)
        self.count = 0
        self.size: tuple[int, int] | None = None
        self.steps: list[float] = [float("inf"), 0.0]  # shortest and longest time between pictures
        self.freezes: list[float] = [0, 0.0]  # how often and how long in all a picture was held for longer
        self._held: Picture | None = None
        self._resized = 0
        self._end = 0.0

    def feed(self, picture: Picture) -> Iterator[np.ndarray]:
        if self.size is None:
            self.size = picture.size
        self._resized += picture.size != self.size
        held, self._held = self._held, picture
        if held is None:
            self._end = max(0.0, picture.time)
            return
        step = picture.time - held.time
        if step > 0:
            self.steps = [min(self.steps[0], step), max(self.steps[1], step)]
        if step > self._pause:
            self.freezes = [self.freezes[0] + 1, self.freezes[1] + step]
        yield from self._until(held, picture.time)

    @property
    def _pause(self) -> float:
        return max(1.0, 3 / self.media.fps)

    def finish(self) -> Iterator[np.ndarray]:
        """Yield what the last picture fills; add what is unusual to the warnings."""
        if self._held is None:
            fail(f"{self.media.path}: no picture can be decoded", hint="the file is damaged or cut short")
        rest = self._held.duration
        if not 0 < rest < 10:  # none given, or nonsense
            rest = 1 / self.media.fps
        yield from self._until(self._held, self._held.time + rest)
        if self.count == 0:
            yield from self._until(self._held, 1 / self.fps)
        self._warn()

    def _until(self, picture: Picture, end: float) -> Iterator[np.ndarray]:
        """Yield the picture for every tick before ``end``."""
        frame = None
        while self.count / self.fps < end - self.slack:
            if frame is None:
                assert self.size is not None
                frame = picture.rgb(*self.size)
            yield frame
            self.count += 1
        self._end = max(self._end, end)

    def _warn(self) -> None:
        warn = self.media.warnings.append
        short, long = self.steps
        usual = 1 / self.media.fps
        if long > self._pause:
            count, total = self.freezes
            often = f" ({count} times, {total:.1f} s in all)" if count > 1 else ""
            warn(f"the picture freezes for up to {long:.1f} s{often}; the last frame was repeated")
        elif long > 1.5 * short + 2 * STAMP_ERROR:
            warn(f"the frame rate varies ({1 / long:.3g} to {1 / short:.3g} a second); {self.fps:g} a second were used")
        if self.fps > 1.05 * self.media.fps:
            warn(f"the video has {self.media.fps:.4g} frames a second, fewer than {self.fps:g}: some are repeated")
        if self._resized:
            warn(f"{self._resized} pictures differ in size from the first; they were resized to it")
        stated = self.media.duration or 0.0
        if self.media.missing(self._end) > max(0.5, 2 * usual, 0.01 * stated):
            warn(f"the file says {stated:.1f} s but its pictures end at {self._end:.1f} s: it seems to be cut short")
