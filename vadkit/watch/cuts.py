"""From an open source to snippets as they complete, cut as ``vadkit extract`` cuts a file.

Pictures never wait for sound longer than a stated time: what is missing of a snippet's sound then is silence.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vadkit.extract.frame_clock import FrameClock
from vadkit.extract.media import Media, Picture, Samples
from vadkit.extract.one_pass import sound_window
from vadkit.extract.snippets import Clock, Snippets, check_size
from vadkit.extract.sound import SoundLine, SoundWindows, is_silent
from vadkit.kinds import Backbone

LIVE_WAIT, FILE_WAIT = 0.5, 6.0  # seconds of picture after a snippet for which its sound is waited for
WAITING_BYTES = 512 << 20  # ... and what the pictures may take meanwhile


class Window(NamedTuple):
    """What an audio backbone takes of a snippet: ``samples`` at ``rate``."""

    rate: int
    samples: int


@dataclass
class Cut:
    """One snippet of a source.

    Attributes:
        session: which connection of the source it comes from; ``index`` counts from 0 in each.
        start, end: seconds on the source's time line.
        plain: uint8 (n, height, width, 3); ``joined`` has the frame after it, too, if there is one.
        sound: float32 (samples,) by window; ``heard`` is False if nothing can be heard in it.
        pictures: decoded pictures that came since the snippet before.
        arrived: when its last picture was decoded, in seconds of the monotonic clock.
    """

    session: int
    index: int
    start: float
    end: float
    plain: np.ndarray
    joined: np.ndarray
    sound: dict[Window, np.ndarray]
    heard: bool
    pictures: int
    arrived: float

    @property
    def nbytes(self) -> int:
        return int(self.joined.nbytes)


@dataclass
class _Pending:
    """A snippet whose sound is still to come."""

    plain: np.ndarray
    joined: np.ndarray
    pictures: int
    arrived: float


class Cutter:
    """Cuts one session of a source. ``cuts`` yields snippets in order.

    Args:
        windows: what the audio backbones of the model take.
        session: its number.
        wait: seconds of picture for which sound is waited for.
        seen: gets each picture, and returns where the session's first one is on the source's time line, in seconds.
        heard: gets each piece of sound.
    """

    def __init__(
        self,
        media: Media,
        clock: Clock,
        windows: Sequence[Window],
        session: int,
        wait: float,
        seen: Callable[[Picture], float],
        heard: Callable[[Samples], object],
    ) -> None:
        self.media, self.session, self.wait = media, session, wait
        self.fps, self.n = clock.fps or media.fps, clock.snippet_frames
        self.frames = FrameClock(media, self.fps)
        self.snippets = Snippets(self.n, clock.tail)
        self.seen, self.heard = seen, heard
        seconds = self.n / self.fps
        self.line = SoundLine()
        self.windows = {window: SoundWindows(*window, seconds) for window in windows}
        self.ready: dict[Window, deque[np.ndarray]] = {window: deque() for window in windows}
        self.pending: deque[_Pending] = deque()
        self.count = self.pictures = 0
        self.arrivals: deque[tuple[float, float]] = deque(maxlen=64)  # when pictures were decoded, by their times
        self.begin = 0.0  # where the first picture is on the source's time line

    def cuts(self) -> Iterator[Cut]:
        for event in self.media.events():
            if isinstance(event, Picture):
                yield from self._picture(event)
            else:
                yield from self._sound(event)
        if self.frames.size is None:
            return
        for frame in self.frames.finish():
            self._frame(frame)
        for plain, joined in self.snippets.finish():
            self._complete(plain, joined)
        self._finish_sound()
        yield from self._whole()

    def _picture(self, picture: Picture) -> Iterator[Cut]:
        if self.frames.size is None:
            check_size(self.n, *picture.size)
        self.begin = self.seen(picture)
        self.pictures += 1
        self.arrivals.append((picture.time, time.monotonic()))
        for frame in self.frames.feed(picture):
            self._frame(frame)
        self._give_up_sound(picture.time)
        yield from self._whole()

    def _frame(self, frame: np.ndarray) -> None:
        for plain, joined in self.snippets.feed(frame):
            self._complete(plain, joined)

    def _complete(self, plain: np.ndarray, joined: np.ndarray) -> None:
        self.pending.append(_Pending(plain, joined, self.pictures, self._arrival()))
        self.pictures = 0
        if self.media.audio is None:
            self._fill(self.snippets.count)

    def _arrival(self) -> float:
        """Return when the last picture of the snippet that is complete was decoded. Later ones have come since."""
        end = self.snippets.count * self.n / self.fps
        return next((at for shown, at in reversed(self.arrivals) if shown < end - self.frames.slack), time.monotonic())

    def _sound(self, piece: Samples) -> Iterator[Cut]:
        self.heard(piece)
        for part in self.line.lay(piece.time, piece.rate, piece.mono):
            for window, windows in self.windows.items():
                self.ready[window].extend(windows.feed(piece.rate, part))
        yield from self._whole()

    def _give_up_sound(self, time: float) -> None:
        """Take silence for the sound of snippets that ended too long ago."""
        count = self.snippets.count
        if sum(p.joined.nbytes for p in self.pending) < WAITING_BYTES:
            count = min(count, int((time - self.wait) * self.fps / self.n))
        self._fill(count)

    def _fill(self, count: int) -> None:
        """Complete the windows of so many snippets with silence."""
        for window, windows in self.windows.items():
            self.ready[window].extend(windows.overdue(count))

    def _finish_sound(self) -> None:
        for window, windows in self.windows.items():
            self.ready[window].extend(windows.finish(self.snippets.count))

    def _whole(self) -> Iterator[Cut]:
        """Yield the snippets whose sound is complete. Sound may come before its pictures, too."""
        while self.pending and all(self.ready.values()):
            found = self.pending.popleft()
            sound = {window: waiting.popleft() for window, waiting in self.ready.items()}
            start = self.begin + self.count * self.n / self.fps
            yield Cut(
                self.session,
                self.count,
                start,
                start + self.n / self.fps,
                found.plain,
                found.joined,
                sound,
                not all(map(is_silent, sound.values())),
                found.pictures,
                found.arrived,
            )
            self.count += 1


def windows_of(backbones: Mapping[str, Backbone], clock: Clock, fps: float) -> dict[str, Window]:
    """Return what each audio backbone takes of a snippet at ``fps``, by stream."""
    seconds = clock.snippet_frames / (clock.fps or fps)
    return {
        name: Window(*sound_window(backbone, seconds))
        for name, backbone in backbones.items()
        if backbone.modality == "audio"
    }
