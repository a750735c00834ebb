"""Read pictures and sound of one file in one pass, on one time line that starts with the first picture.

Whatever is unusual about the file is put in ``warnings`` in plain words; what makes it unreadable is a
``VadkitError``. Only the current packet is held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np

from vadkit.problems import fail

USUAL_FPS = 25.0  # for files without a rate, e.g. a bare H.264 stream or a still image
FPS_RANGE = (0.1, 240.0)  # outside of it a container's rate is a mistake, e.g. 90000 for a 90 kHz clock


@dataclass(frozen=True)
class Picture:
    """One decoded picture. ``time`` in seconds since the origin; ``duration`` 0 if the file has none."""

    time: float
    duration: float
    frame: Any

    def rgb(self, height: int, width: int) -> np.ndarray:
        """Return uint8 (height, width, 3), upright."""
        turns = round(self.frame.rotation / 90) % 4
        h, w = (width, height) if turns % 2 else (height, width)
        frame = self.frame if (self.frame.height, self.frame.width) == (h, w) else self.frame.reformat(w, h)
        pixels = frame.to_ndarray(format="rgb24")
        return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, upright."""
        size = (self.frame.height, self.frame.width)
        return size[::-1] if round(self.frame.rotation / 90) % 2 else size


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

    @property
    def duration(self) -> float | None:
        """What the file says, in seconds: the pictures' length, or else the whole file's."""
        if self.video.duration:
            return float(self.video.duration * self.video.time_base)
        return self.container.duration / av.time_base if self.container.duration else None

    def events(self) -> Iterator[Picture | Samples]:
        """Yield pictures and sound in the order of the file. A damaged part is skipped and counted."""
        start = self.video.start_time
        origin = float(start * self.video.time_base) if start is not None else 0.0
        times = _Times(origin, 1 / self.fps)
        for packet in self._packets():
            for frame in self._decode(packet):
                if isinstance(frame, av.VideoFrame):
                    self.damaged += bool(frame.is_corrupt)
                    yield times.place(frame)
                else:
                    time = origin if frame.pts is None else float(frame.pts * frame.time_base)
                    yield Samples(time - origin, frame.sample_rate, mono(frame))
        self._warn(times)

    def _packets(self) -> Iterator[Any]:
        packets = self.container.demux([s for s in (self.video, self.audio) if s is not None])
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError):  # the rest of the file cannot even be divided into packets
                self.damaged += 1
                return
            if packet is None:
                return
            yield packet

    def _decode(self, packet: Any) -> list[Any]:
        try:
            return packet.decode()  # type: ignore[no-any-return]
        except (av.FFmpegError, ValueError):
            self.damaged += 1
            return []

    def _warn(self, times: _Times) -> None:
        if self.damaged:
            self.warnings.append(f"{self.damaged} damaged pieces were skipped or repaired by the decoder")
        if times.unstamped:
            self.warnings.append(f"{times.unstamped} pictures have no time stamp; {self.fps:g} a second were assumed")
        if times.back_steps:
            self.warnings.append(f"{times.back_steps} pictures are dated before the one that precedes them")

    def close(self) -> None:
        self.container.close()

    def __enter__(self) -> Media:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Times:
    """Gives pictures their times; assumes them where the file has none."""

    def __init__(self, origin: float, step: float) -> None:
        self.origin, self.step = origin, step
        self.next = 0.0
        self.unstamped = self.back_steps = 0

    def place(self, frame: Any) -> Picture:
        time = self.next
        if frame.pts is None:
            self.unstamped += 1
        else:
            time = float(frame.pts * frame.time_base) - self.origin
            self.back_steps += time < self.next - 1.5 * self.step
        duration = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
        self.next = time + self.step
        return Picture(time, duration, frame)


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
    path = Path(path)
    if not path.exists():
        fail(f"{path}: there is no such file")
    if path.is_dir():
        fail(f"{path} is a folder, not a video")
    if path.stat().st_size == 0:
        fail(f"{path} is empty (0 bytes)")
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        fail(
            f"{path} cannot be read as a video: {_reason(error)}",
            hint="it may be cut short (an mp4 without its end has no index) or not be a video at all",
        )
    # A cover picture of a music file is a "video" stream too.
    pictures = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not pictures or pictures[0].codec_context is None:
        sound = ", only sound" if container.streams.audio else ""
        container.close()
        fail(f"{path} has no pictures{sound}")
    media = Media(path, container, pictures[0], None, USUAL_FPS)
    media.fps = _fps(media)
    _choose_sound(media)
    return media


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


def _fps(media: Media) -> float:
    low, high = FPS_RANGE
    for rate in (media.video.average_rate, media.video.guessed_rate, media.video.base_rate):
        if rate and low <= rate <= high:
            return float(rate)
    media.warnings.append(f"the file does not state its frame rate; {USUAL_FPS:g} a second was assumed")
    return USUAL_FPS


def _choose_sound(media: Media) -> None:
    streams = [s for s in media.container.streams.audio if s.codec_context is not None]
    if not streams:
        media.warnings.append("there is no sound")
        return
    media.audio = streams[0]
    if len(streams) > 1:
        media.warnings.append(f"there are {len(streams)} sound tracks; the first was used")
