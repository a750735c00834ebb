"""Check whether browsers play a video file, and write a copy for them if they do not."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from vadkit.extract.media import Picture, Samples, open_media
from vadkit.extract.open_file import open_output
from vadkit.extract.sound import SoundLine
from vadkit.problems import fail

# container -> the video and sound codecs in it that all current browsers play
PLAYED: dict[str, tuple[set[str], set[str]]] = {
    "mp4": ({"h264", "vp9", "av1", "libdav1d"}, {"aac", "mp3", "mp3float", "opus", "flac"}),
    "webm": ({"vp8", "vp9", "av1", "libdav1d"}, {"opus", "vorbis"}),
}
SUFFIXES = {".mp4": "mp4", ".m4v": "mp4", ".webm": "webm"}
PIXELS = {"yuv420p", "yuvj420p"}
WIDEST = 1280  # pixels; the copy is only for viewing
CLOCK = Fraction(1, 90_000)  # seconds; fine enough for any frame rate
SOUND_RATE = 48_000


@dataclass(frozen=True)
class Packing:
    """Container and codecs of a file, as FFmpeg names them. ``sound`` is None without a sound track."""

    container: tuple[str, ...]
    video: str
    pixels: str
    sound: str | None
    brand: str = ""


def probe(path: Path) -> Packing:
    """Return container and codecs of a file. Raises VadkitError, with the cause, if it holds no video."""
    with open_media(path) as media:
        context, sound = media.video.codec_context, media.audio and media.audio.codec_context.name
        names = tuple(media.container.format.name.split(","))
        brand = media.container.metadata.get("major_brand", "").strip()
        return Packing(names, context.name, context.pix_fmt or "", sound, brand)


def unplayable(path: Path, packing: Packing, offset: float | None = 0.0) -> str | None:
    """Return why some browsers may not play the file as it was scored, or None if all do.

    ``offset`` is that of ``Extracted``.
    """
    if offset is None:
        return "players may show another track of it, or other times"
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None or kind not in packing.container or packing.brand == "qt":
        return f"not every browser opens the container {path.suffix or packing.container[0]}"
    video, sound = PLAYED[kind]
    if packing.video not in video or packing.pixels not in PIXELS:
        return f"not every browser plays {packing.video} video with {packing.pixels} pixels"
    if packing.sound is not None and packing.sound not in sound:
        return f"not every browser plays {packing.sound} sound"
    return None


def transcode(path: Path, target: Path) -> None:
    """Write a copy of ``path`` as H.264 and mono AAC in mp4 to ``target``, at most 1280 pixels wide.

    Times are kept, from the first picture on; damaged parts are skipped. Raises VadkitError if no picture
    can be decoded or this build of PyAV lacks an encoder.
    """
    try:
        with open_media(path) as media:
            with open_output(target, options={"movflags": "+faststart"}) as sink:
                copy = _Copy(sink, media.fps, media.audio is not None)
                for event in media.events():
                    copy.add(event)
                copy.finish()
    except (av.error.FFmpegError, ValueError) as error:
        fail(f"{path}: cannot write a copy for browsers ({getattr(error, 'strerror', None) or error})")


class _Copy:
    """Encodes pictures and sound in the order of the file."""

    def __init__(self, sink: Any, fps: float, has_sound: bool) -> None:
        self.sink, self.step = sink, round(1 / fps / CLOCK)
        self.ticks = -1  # time of the last picture, in CLOCK
        self.line, self.samples = SoundLine(), 0
        self.video = sink.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        self.audio = sink.add_stream("aac", rate=SOUND_RATE, layout="mono") if has_sound else None
        self.resampler = av.AudioResampler("fltp", "mono", SOUND_RATE)

    def add(self, event: Picture | Samples) -> None:
        if isinstance(event, Picture):
            self._picture(event)
        else:
            self._sound(event)

    def finish(self) -> None:
        if self.ticks < 0:
            raise ValueError("no picture can be decoded")
        self.sink.mux(self.video.encode(None))
        if self.audio is not None:
            self._encode(self.resampler.resample(None))
            self.sink.mux(self.audio.encode(None))

    def _open(self, height: int, width: int) -> None:
        shown = min(WIDEST, width)
        # H.264 with 4:2:0 pixels needs even sizes.
        self.video.width = max(2, shown // 2 * 2)
        self.video.height = max(2, round(height * shown / width) // 2 * 2)
        self.video.pix_fmt = "yuv420p"
        self.video.options = {"preset": "veryfast", "crf": "24"}
        self.video.codec_context.time_base = CLOCK

    def _picture(self, picture: Picture) -> None:
        if self.ticks < 0:
            self._open(*picture.size)
        pixels = picture.rgb(self.video.height, self.video.width)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        self.ticks = max(self.ticks + 1, round(picture.time / CLOCK))
        frame.pts, frame.time_base = self.ticks, CLOCK
        self.sink.mux(self.video.encode(frame))

    def _sound(self, sound: Samples) -> None:
        for piece in self.line.lay(sound.time, sound.rate, sound.mono):
            frame = av.AudioFrame.from_ndarray(piece[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = sound.rate, None
            self._encode(self.resampler.resample(frame))

    def _encode(self, pieces: list[Any]) -> None:
        # The sound has no gaps and starts with the first picture, so a sample count is enough.
        for piece in pieces:
            piece.pts, piece.time_base = self.samples, Fraction(1, SOUND_RATE)
            self.samples += piece.samples
            self.sink.mux(self.audio.encode(piece))  # type: ignore[union-attr]
