"""Tiny videos each unusual in one way, written when a test runs. Pictures are identified by their grey level."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

FPS = 8
RATE = 16_000
CLOCK = Fraction(1, 16_000)
Picture = Callable[[int, int, int], np.ndarray]  # number, height, width


def stripes(number: int, height: int, width: int) -> np.ndarray:
    """Return a picture with something that moves, (height, width, 3)."""
    across = (np.arange(width) * 8 + number * 24) % 200
    picture = np.broadcast_to(across[None, :, None] + 20, (height, width, 3)).astype(np.uint8).copy()
    picture[:, :, 0] = 10 * number % 240
    return picture


def white(number: int, height: int, width: int) -> np.ndarray:
    """Return a picture that springs the trap of ``vadkit_extraction_toys``."""
    return np.full((height, width, 3), 255, np.uint8)


def make_video(
    path: Path,
    frames: int = 40,
    size: tuple[int, int] = (64, 48),
    fps: int = FPS,
    times: Sequence[float] | None = None,
    video: str = "libx264",
    pixels: str = "yuv420p",
    sound: float | None = None,
    rate: int = RATE,
    layout: str = "mono",
    audio: str = "aac",
    picture: Picture = stripes,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video and return its path.

    Args:
        size: width and height.
        times: when the pictures are shown; evenly ``fps`` a second unless given.
        sound: seconds of a 440 Hz tone, or None for no track.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options or {}) as sink:
        pictures = sink.add_stream(video, rate=fps)
        pictures.width, pictures.height, pictures.pix_fmt = *size, pixels
        pictures.codec_context.time_base = CLOCK if times is not None else Fraction(1, fps)
        track = sink.add_stream(audio, rate=rate, layout=layout) if sound is not None else None
        for number, time in enumerate(times if times is not None else np.arange(frames) / fps):
            frame = av.VideoFrame.from_ndarray(picture(number, size[1], size[0]), format="rgb24")
            frame.time_base = pictures.codec_context.time_base
            frame.pts = round(float(time) / frame.time_base)
            sink.mux(pictures.encode(frame))
        sink.mux(pictures.encode(None))
        if track is not None:
            _add_tone(sink, track, sound or 0.0, rate, layout)
    return path


def _add_tone(sink: Any, track: Any, seconds: float, rate: int, layout: str) -> None:
    channels = av.AudioLayout(layout).nb_channels
    tone = 0.4 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    resampler = av.AudioResampler(track.codec_context.format, layout, rate, frame_size=1024)
    frame = av.AudioFrame.from_ndarray(
        np.repeat(tone[None], channels, 0).astype(np.float32), format="fltp", layout=layout
    )
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        sink.mux(track.encode(piece))
    sink.mux(track.encode(None))


def rotate(path: Path) -> Path:
    """Let an mp4 say that its pictures are to be turned by a quarter."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4
    assert content[at] == 0, "a header of version 0"
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    content[at + 40 : at + 76] = matrix
    path.write_bytes(content)
    return path


def sound_only(path: Path, seconds: float = 2.0) -> Path:
    """Write a file with a sound track alone."""
    with av.open(str(path), "w") as sink:
        _add_tone(sink, sink.add_stream("aac", rate=RATE, layout="mono"), seconds, RATE, "mono")
    return path


def cut_off(path: Path, part: float, into: Path) -> Path:
    """Write the first part of a file."""
    content = path.read_bytes()
    into.write_bytes(content[: round(len(content) * part)])
    return into
