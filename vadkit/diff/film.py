"""The first part of one video, from which features are made again and again.

Legend: f frames, h w height and width.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vadkit.extract.frame_clock import Ticks
from vadkit.extract.media import Picture, Samples, open_media
from vadkit.extract.sound import Line, Windows

MARGIN = 16  # frames


class _Later(Windows):
    """Windows that end ``delay`` seconds after the snippets do, or before, if it is negative."""

    def __init__(self, rate: int, window: int, seconds: float, delay: float) -> None:
        super().__init__(rate, window, seconds)
        self.late = round(delay * rate)
        early = max(0, -self.late)  # silence ahead of the first window
        self._buffer, self._start = np.zeros(window + early, np.float32), -window - early

    def _end(self, snippet: int) -> int:
        return super()._end(snippet) + self.late


class Film:
    """Gives frames on any clock, and sound. Holds the frames that were asked for last.

    Raises VadkitError for a file that cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_media(path) as media:
            self.fps = media.fps
            self.has_sound = media.audio is not None
            self.size: tuple[int, int] = (media.video.height, media.video.width)
        self._held: tuple[float, int, int] | None = None
        self._frames = np.zeros((0, 1, 1, 3), np.uint8)
        self._sound: tuple[float, list[tuple[int, np.ndarray]]] = (0.0, [])

    def frames(self, fps: float, first: int, last: int) -> np.ndarray:
        """Return uint8 (f, h, w, 3): the frames ``first`` up to ``last`` of the clock; fewer if the video ends."""
        held = self._held
        if held is None or held[0] != fps or first < held[1] or last > held[2]:
            # A little more, so that snippets that begin elsewhere need no second decoding.
            low, high = max(0, first - MARGIN), last + MARGIN
            found = [frame for k, frame in enumerate(self._clock(fps, high)) if k >= low]
            self._frames = np.stack(found) if found else np.zeros((0, *self.size, 3), np.uint8)
            self._held = held = (fps, low, high)
        return self._frames[first - held[1] : last - held[1]]

    def _clock(self, fps: float, last: int) -> Iterator[np.ndarray]:
        """Yield the frames of the clock up to ``last``; decode no more than they need."""
        with open_media(self.path) as media:
            ticks = Ticks(media, fps)
            for event in media.events():
                if isinstance(event, Picture):
                    yield from ticks.feed(event)
                    if ticks.count >= last:
                        return
            yield from ticks.finish()

    def windows(self, rate: int, window: int, hop: float, delay: float, count: int) -> Iterator[np.ndarray]:
        """Yield ``count`` windows of sound, float32 (window,), each ending ``delay`` after a multiple of ``hop``."""
        windows, done = _Later(rate, window, hop, delay), 0
        for source_rate, piece in self._line(count * hop + max(delay, 0.0) + 1.0):
            for found in windows.feed(source_rate, piece):
                if done < count:
                    yield found
                    done += 1
        if done < count:
            yield from windows.finish(count)

    def _line(self, seconds: float) -> list[tuple[int, np.ndarray]]:
        if seconds > self._sound[0]:
            self._sound = (seconds, list(self._decode_sound(seconds)))
        return self._sound[1]

    def _decode_sound(self, seconds: float) -> Iterator[tuple[int, np.ndarray]]:
        line = Line()
        with open_media(self.path) as media:
            for event in media.events():
                if isinstance(event, Samples):
                    for piece in line.lay(event.time, event.rate, event.mono):
                        yield event.rate, piece
                    if line.samples > seconds * event.rate:
                        return
