"""Render one clip of the script to a real mp4 file: H.264 pictures and AAC sound."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np

from vadkit.demo import noises, people, sights
from vadkit.demo.scenery import HEIGHT, WIDTH, background, horizon
from vadkit.demo.script import FPS, Clip
from vadkit.extract.open_file import open_output
from vadkit.files import replacing

GRAIN = 2.5  # deviation of the sensor's noise, in grey levels
BLOCK = 1024  # sound samples in an encoded frame


class Shot(Protocol):
    """What is written to a file: ``frames`` pictures, which are drawn in order, and the sound (samples,)."""

    frames: int
    sound: np.ndarray

    def frame(self, number: int) -> np.ndarray:
        """Return uint8 (HEIGHT, WIDTH, 3)."""
        ...


class Stage:
    """A clip with all its actors, ready to be drawn frame by frame. Decided by the clip's seed alone."""

    def __init__(self, clip: Clip) -> None:
        rng = np.random.default_rng(clip.seed)
        self.clip, self.frames, self.level = clip, clip.frames, horizon(clip.camera)
        self.group = people.group(rng, clip.frames, int(rng.integers(3, 5)))
        walkers = [people.walker(rng, clip.frames) for _ in range(int(rng.integers(2, 5)))]
        self.people = [*self.group, *walkers]
        self.fast = [people.crossing(rng, clip.frames) for _ in range(2)]
        self.glows = [sights.sign(rng, clip.frames, self.level)]
        self.light = 1 + 0.12 * rng.uniform(-1, 1) + 0.03 * np.sin(np.arange(clip.frames) / FPS + rng.uniform(0, 6))
        self.sound = noises.everyday(rng, clip.frames)
        self.flash_at: int | None = None
        if clip.span:
            self._happen(rng, *clip.span)
        self.strides = [person.stride for person in self.people]
        self.rng = rng

    def _happen(self, rng: np.random.Generator, start: int, end: int) -> None:
        """Let the anomaly happen. The only place where an abnormal clip differs from a normal one."""
        frames = self.clip.frames
        if self.clip.kind == "fire":
            self.glows.append(sights.fire(rng, frames, start, end, self.level))
        elif self.clip.kind == "fight":
            people.shove(rng, self.group, start, end)
        elif self.clip.kind == "gunshots":
            noises.shots(rng, self.sound, start, end)
        else:
            self.glows.append(sights.fire(rng, frames, start, end, self.level))
            self.flash_at = start
            people.flee(rng, self.people, start, end)
            noises.blast(rng, self.sound, start, end)

    def frame(self, number: int) -> np.ndarray:
        """Return uint8 (HEIGHT, WIDTH, 3)."""
        image = background(self.clip.camera).copy()
        self.glows[0].draw(image, number)
        for fast in self.fast:
            people.draw_wheels(image, fast, number, self.level)
            if fast.person is not None:
                people.draw_person(image, fast.person, number, 0.9 * number, self.level)
        order = sorted(range(len(self.people)), key=lambda i: self.people[i].z[number])
        for i in order:
            people.draw_person(image, self.people[i], number, self.strides[i][number], self.level)
        for glow in self.glows[1:]:
            glow.draw(image, number)
        extra = 0.0 if self.flash_at is None else sights.flash(self.flash_at, number)
        lit = cv2.convertScaleAbs(image, alpha=float(self.light[number]), beta=extra)
        return grainy(self.rng, lit)


def grainy(rng: np.random.Generator, image: np.ndarray, deviation: float = GRAIN) -> np.ndarray:
    """Return a picture with the sensor's noise."""
    row, column = int(rng.integers(HEIGHT)), int(rng.integers(WIDTH))
    part = _grain(deviation)[row : row + HEIGHT, column : column + WIDTH]
    return cv2.add(image, part, dtype=cv2.CV_8U)


@lru_cache(maxsize=4)
def _grain(deviation: float) -> np.ndarray:
    """Return int16 noise of twice the picture's size, of which each frame takes another part."""
    grey = deviation * np.random.default_rng(0).standard_normal((2 * HEIGHT, 2 * WIDTH, 1))
    return np.repeat(grey.round().astype(np.int16), 3, axis=2)


def render(clip: Clip, path: Path) -> None:
    """Write the clip to ``path``. The file appears whole or not at all."""
    write(Stage(clip), path)


def write(shot: Shot, path: Path) -> None:
    """Write pictures and sound to ``path``, an mp4 file that appears whole or not at all."""
    with (
        replacing(path, durable=False) as temporary,
        open_output(temporary, options={"movflags": "faststart"}) as file,
    ):
        _encode(shot, file)


def _encode(shot: Shot, file: av.container.OutputContainer) -> None:
    # Without the macroblock tree, whose result differs from run to run: the clips are the same bytes each time.
    options = {"preset": "veryfast", "crf": "27", "threads": "1", "x264-params": "mbtree=0"}
    video = file.add_stream("libx264", rate=FPS, options=options)
    video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    audio = file.add_stream("aac", rate=noises.RATE, layout="mono")
    audio.bit_rate = 48000
    audio.options = {"aac_coder": "fast"}
    sent = 0
    for number in range(shot.frames):
        picture = av.VideoFrame.from_ndarray(shot.frame(number), format="rgb24")
        file.mux(video.encode(picture))
        due = round((number + 1) / FPS * noises.RATE)
        while sent + BLOCK <= due:
            file.mux(audio.encode(_sound(shot.sound, sent)))
            sent += BLOCK
    if sent < len(shot.sound):
        file.mux(audio.encode(_sound(shot.sound, sent)))
    for stream in (video, audio):
        file.mux(stream.encode(None))


def _sound(track: np.ndarray, start: int) -> av.AudioFrame:
    samples = np.clip(track[start : start + BLOCK], -1, 1).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts = noises.RATE, start
    return frame
