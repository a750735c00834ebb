"""Read pictures and sound of one file in one pass, on one time line that starts with the first picture.

Whatever is unusual about the file is put in ``warnings`` in plain words; what makes it unreadable is a
``VadkitError``. Besides the file's first packets, only what is in doubt is held in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np

from vadkit.extract.frame_rate import USUAL_FPS, find_rate
from vadkit.extract.open_file import open_input
from vadkit.extract.orientation import is_oblique, orientation
from vadkit.extract.packets import Packets
from vadkit.extract.time_line import PictureTimes, SoundTimes
from vadkit.extract.tracks import choose_pictures, choose_sound, picture_tracks
from vadkit.problems import fail, plural

EARLY = 300.0  # seconds of sound that wait for the first picture
MATTERS = 0.1  # seconds by which times may differ from a player's


@dataclass(frozen=True)
class Picture:
    """One decoded picture. ``time`` in seconds since the first one; ``duration`` 0 if the file has none."""

    time: float
    duration: float
    frame: Any

    def rgb(self, height: int, width: int) -> np.ndarray:
        """Return uint8 (height, width, 3), upright."""
        shown = orientation(self.frame)
        h, w = (width, height) if shown.swap else (height, width)
        frame = self.frame if (self.frame.height, self.frame.width) == (h, w) else self.frame.reformat(w, h)
        return shown.apply(frame.to_ndarray(format="rgb24"))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, upright."""
        size = (self.frame.height, self.frame.width)
        return size[::-1] if orientation(self.frame).swap else size


@dataclass(frozen=True)
class Samples:
    """One decoded piece of sound: float32 (n,), the mean of all channels."""

    time: float
    rate: int
    mono: np.ndarray


@dataclass
class Media:
    """An open file. Iterate ``events()`` once; ``warnings`` is complete afterwards."""

    path: Path
    container: Any
    video: Any
    audio: Any
    fps: float
    warnings: list[str] = field(default_factory=list)
    damaged: int = 0
    packets: Any = None
    use_stamps: bool = True
    use_durations: bool = True
    pictures: PictureTimes = field(default_factory=lambda: PictureTimes(1 / USUAL_FPS))
    sound_end: float = 0.0
    _oblique: bool = False

    @property
    def duration(self) -> float | None:
        """Seconds from the first picture on, by what the file states: of its pictures, or else of all of it."""
        if not self.use_stamps or self.pictures.resets or self.pictures.wrong:
            return None
        first = self.pictures.bases[0] if self.pictures.bases else None
        if self.video.duration:
            start = _seconds(self.video.start_time, self.video.time_base) or 0.0
            return float(self.video.duration * self.video.time_base) - (0.0 if first is None else first - start)
        if not self.container.duration:
            return None
        whole = self.container.duration / av.time_base
        begin = (self.container.start_time or 0) / av.time_base
        late = begin if first is None else first
        # Matroska states when a file ends or how long it is, others how long it is.
        ends = "matroska" in self.container.format.name and whole > late
        return float(whole - late if ends else whole - (late - begin))

    def missing(self, end: float) -> float:
        """Return how much longer the file should be, by what it states, if its pictures end at ``end``."""
        if self.video is not None and not self.video.duration:  # what is stated may be the length of the sound
            end = max(end, self.sound_end)
        return (self.duration or 0.0) - end

    @property
    def offset(self) -> float | None:
        """Time of the first picture as players count, after a pass; None if theirs may differ in other ways, too."""
        begin = (self.container.start_time or 0) / av.time_base
        clean = self.use_stamps and not self.pictures.resets and not self.pictures.wrong and self.pictures.bases
        first_track = self.video is self.container.streams.video[0]
        if not clean or not first_track or abs(begin) > MATTERS or self.packets.order.reordered:
            return None
        late = self.pictures.bases[0]
        return round(late, 3) if late > MATTERS else 0.0

    def events(self) -> Iterator[Picture | Samples]:
        """Yield pictures and sound in about the order of the file. A damaged part is skipped and counted."""
        sound = SoundTimes(self.pictures.bases)
        early: deque[tuple[float | None, int, np.ndarray]] = deque()
        for packet in self.packets:
            for frame in self.packets.decode(packet):
                if isinstance(frame, av.VideoFrame):
                    yield from map(self._picture, self.pictures.place(*self._stamped(frame)))
                    continue
                early.append((_seconds(frame.pts, frame.time_base), frame.sample_rate, mono(frame)))
                _forget(early)
            while early and self.pictures.bases:
                yield from map(_samples, sound.place(*early.popleft()))
        yield from map(self._picture, self.pictures.finish())
        for piece in early:  # no picture has a time stamp
            yield from map(_samples, sound.place(*piece))
        yield from map(_samples, sound.finish())
        self.sound_end = sound.end or 0.0
        self.damaged += self.packets.damaged
        self._warn(sound)

    def _stamped(self, frame: Any) -> tuple[float | None, Any, int]:
        stamp = self.packets.order.stamp_of(frame, self.video.codec_context.has_b_frames)
        self._oblique |= is_oblique(frame)
        self.damaged += bool(frame.is_corrupt)
        return _seconds(stamp, frame.time_base) if self.use_stamps else None, frame, frame.width * frame.height * 2

    def _picture(self, placed: tuple[float, Any]) -> Picture:
        time, frame = placed
        lasts = _seconds(frame.duration, frame.time_base) if self.use_durations else None
        return Picture(time, lasts or 0.0, frame)

    def _warn(self, sound: SoundTimes) -> None:
        if self.damaged:
            self.warnings.append(f"{plural(self.damaged, 'damaged piece')} skipped or repaired by the decoder")
        if self._oblique:
            self.warnings.append(
                "the file turns its pictures by an angle between the quarters; the nearest quarter turn was used"
            )
        base, first = self.pictures.bases[:1], self.packets.first
        lost = base[0] - first if base and first is not None else 0.0
        if self.use_stamps and lost > 1.5 / self.fps:
            self.warnings.append(
                f"the file begins between key frames: its first {lost:.1f} s cannot be decoded; times count from the "
                "first picture that can"
            )
        if self.packets.order.reordered:
            self.warnings.append("the file has no times of presentation; its pictures are in the decoder's order")
        self.warnings += self.pictures.doubts(self.fps if self.use_stamps else None)
        self.warnings += sound.doubts()

    def close(self) -> None:
        self.container.close()

    def __enter__(self) -> Media:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _seconds(stamp: int | None, unit: Any) -> float | None:
    return None if stamp is None or not unit else float(stamp * unit)


def _samples(placed: tuple[float, int, np.ndarray]) -> Samples:
    return Samples(*placed)


def _forget(early: deque[tuple[float | None, int, np.ndarray]]) -> None:
    """Keep the last minutes of what comes before the first picture."""
    while sum(len(piece) / rate for _, rate, piece in early) > EARLY:
        early.popleft()


def mono(frame: Any) -> np.ndarray:
    """Return a decoded sound frame as float32 (n,) in [-1, 1]: the mean of its channels.

    Done here and not by FFmpeg, whose down-mix of 5.1 sound changes the level.
    """
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    folded: np.ndarray = samples.astype(np.float32, copy=False).mean(0)
    return folded


def open_media(path: str | Path) -> Media:
    """Open a file for one pass. Raises VadkitError if it is missing, unreadable or has no picture."""
    container = open_input(path)
    tracks = picture_tracks(container)
    if not tracks:
        sound = ", only sound" if container.streams.audio else ""
        container.close()
        fail(f"{path} has no pictures{sound}")
    audio, heard = choose_sound(container)
    packets = Packets(container, [*tracks, *([audio] if audio is not None else [])])
    video, seen = choose_pictures(tracks, packets.head)
    packets.choose(video, audio)
    rate = find_rate(video, packets.of_pictures())
    times = PictureTimes(1 / rate.fps)
    warnings = [*rate.warnings, *seen, *heard]
    return Media(
        Path(path), container, video, audio, rate.fps, warnings, 0, packets, rate.stamps, rate.durations, times
    )
