"""Tiny videos of known contents, written with PyAV when a test runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

SIZE = (64, 48)  # width, height
FPS = 8
RATE = 16_000
CLOCK = Fraction(1, 16_000)
GREY, RED = (60, 60, 60), (250, 30, 30)


def alarm(start: float, end: float) -> Callable[[float], tuple[int, int, int]]:
    """Return a picture that is red from ``start`` to ``end`` seconds and grey otherwise."""
    return lambda time: RED if start <= time < end else GREY


ALARM = alarm(2, 4)


def make_clip(
    path: Path,
    seconds: float = 6.0,
    colour: Callable[[float], tuple[int, int, int]] = ALARM,
    sound: str | None = "beep",
    times: Sequence[float] | None = None,
    video: str = "libx264",
    audio: str = "aac",
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video and return its path.

    Args:
        sound: "beep" (loud from 2 s to 4 s, soft otherwise), "lost" (the same, and nothing from 4 s on), "silence", or
            None for no track.
        times: when the pictures are shown; evenly ``FPS`` a second unless given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options or {}) as sink:
        pictures = sink.add_stream(video, rate=FPS)
        pictures.width, pictures.height, pictures.pix_fmt = *SIZE, "yuv420p"
        pictures.codec_context.time_base = CLOCK if times is not None else Fraction(1, FPS)
        track = sink.add_stream(audio, rate=RATE, layout="mono") if sound else None
        for time in times if times is not None else np.arange(round(seconds * FPS)) / FPS:
            frame = av.VideoFrame.from_ndarray(_picture(colour(float(time))), format="rgb24")
            frame.time_base = pictures.codec_context.time_base
            frame.pts = round(float(time) / frame.time_base)
            sink.mux(pictures.encode(frame))
        sink.mux(pictures.encode(None))
        if track is not None:
            _add_sound(sink, track, _samples(seconds, sound))
    return path


def _picture(colour: tuple[int, int, int]) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (SIZE[1], SIZE[0], 3)).copy()


def _samples(seconds: float, sound: str | None) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    loud = np.where((time >= 2) & (time < 4), 0.8, 0.05)
    wave = np.sin(2 * np.pi * 440 * time) * loud
    heard = {"beep": True, "lost": time < 4}.get(sound or "", False)
    return (wave * heard).astype(np.float32)


def _add_sound(sink: Any, track: Any, samples: np.ndarray) -> None:
    resampler = av.AudioResampler(track.codec_context.format, "mono", RATE, frame_size=1024)
    frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        sink.mux(track.encode(piece))
    sink.mux(track.encode(None))
