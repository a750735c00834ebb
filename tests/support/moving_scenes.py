"""Tiny videos in which much happens: colours, corners and movement all differ, so that no mistake can hide."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (72, 96)  # height, width
FPS = 24
RATE = 16_000


def pictures(count: int, seed: int = 0) -> np.ndarray:
    """Return uint8 (count, height, width, 3): blobs of colour that move over a ground of stripes."""
    rng = np.random.default_rng(seed)
    y, x = np.arange(SIZE[0]), np.arange(SIZE[1])
    ground = 60 + 40 * np.sin(x[:, None] / 7 + y[:, None, None] / 23 + np.array([0.0, 1.0, 2.5]))
    frames = np.broadcast_to(ground, (count, *SIZE, 3)).astype(np.float32)
    for _ in range(5):
        colour, radius = rng.uniform(-60, 190, 3).astype(np.float32), rng.uniform(6, 18)
        sides = [_bump(side, count, radius, rng) for side in (y, x)]
        frames += np.einsum("fh,fw,c->fhwc", *sides, colour)
    return np.clip(frames, 0, 255).astype(np.uint8)


def _bump(side: np.ndarray, count: int, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Return float32 (count, side): how near each pixel of a side is to a place that swings to and fro."""
    centre = len(side) * (0.5 + 0.45 * np.sin(rng.uniform(0.02, 0.12) * np.arange(count) + rng.uniform(0, 6.3)))
    return np.exp(-(((side - centre[:, None]) / radius) ** 2)).astype(np.float32)


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    """Return float32 samples: a tone that wanders and notes that come and go."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    wave = 0.2 * np.sin(2 * np.pi * 300 * time + 40 * np.sin(2 * time))
    for start in np.arange(0, seconds, 0.4):
        tone = rng.uniform(200, 5000)
        wave += 0.5 * np.sin(2 * np.pi * tone * time) * np.exp(-(((time - start) / 0.08) ** 2))
    return np.clip(wave, -1, 1).astype(np.float32)


def write_scene(path: Path, frames: int = 200, seed: int = 0) -> Path:
    """Write a video with sound, almost without loss, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as sink:
        track = sink.add_stream("libx264", rate=FPS, options={"crf": "4", "preset": "veryfast"})
        track.height, track.width, track.pix_fmt = *SIZE, "yuv444p"
        audio = sink.add_stream("aac", rate=RATE, layout="mono")
        for picture in pictures(frames, seed):
            sink.mux(track.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        sink.mux(track.encode(None))
        resampler = av.AudioResampler("fltp", "mono", RATE, frame_size=1024)
        frame = av.AudioFrame.from_ndarray(sound(frames / FPS, seed)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            sink.mux(audio.encode(piece))
        sink.mux(audio.encode(None))
    return path
