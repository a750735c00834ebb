"""What looks or sounds like an anomaly and is none; it is in normal and in abnormal recordings alike."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from vadkit.demo import people, sights
from vadkit.demo.scenery import HEIGHT, WIDTH
from vadkit.demo.script import FPS
from vadkit.rendered import acoustics, cast
from vadkit.rendered.contents import Contents, Happen
from vadkit.rendered.plan import Happening

Rng = np.random.Generator
SPARKS, GLOW = 26, 13  # of a rocket, and frames for which they glow


def camp_fire(rng: Rng, contents: Contents, event: Happening) -> None:
    """A small fire without smoke, with a calm group around it."""
    group = cast.stay(rng, event.start, event.end, int(rng.integers(3, 6)))
    contents.actors += group.actors
    middle = (event.start + event.end) // 2 - group.actors[0].start
    x, z = (float(np.mean([getattr(a.person, axis)[middle] for a in group.actors])) for axis in ("x", "z"))
    contents.glows.append(_flames(rng, contents, event, x, min(1.0, z + 0.05)))


def door_slams(rng: Rng, contents: Contents, event: Happening) -> None:
    acoustics.slams(rng, contents.track, event.start, event.end, event.strength)


def fireworks(rng: Rng, contents: Contents, event: Happening) -> None:
    """Rockets that burst above the wall. There is no running and no screaming."""
    at = event.start
    while at < event.end:
        contents.sparks.append(_burst(rng, at, contents.level))
        acoustics.firework(rng, contents.track, at, 0.5 + 0.6 * event.strength)
        at += int(rng.integers(FPS // 2, 3 * FPS))


def running_children(rng: Rng, contents: Contents, event: Happening) -> None:
    contents.actors += cast.children(rng, event.start, event.end)
    acoustics.laughter(rng, contents.track, event.start, event.end, 0.4 + 0.6 * event.strength)


def dance(rng: Rng, contents: Contents, event: Happening) -> None:
    """A group that dances to music."""
    group = cast.stay(rng, event.start - 3 * FPS, event.end + 2 * FPS, int(rng.integers(2, 6)))
    beat = float(rng.uniform(1.5, 2.4))
    cast.dance(rng, group, event.start, event.end, beat)
    contents.actors += group.actors
    acoustics.music(rng, contents.track, event.start, event.end, beat, 0.4 + 0.6 * event.strength)


def thunder(rng: Rng, contents: Contents, event: Happening) -> None:
    """Lightning, and the thunder after it."""
    contents.flashes += [(event.start, 0.7 * event.strength), (event.start + 3, event.strength)]
    acoustics.thunder(rng, contents.track, event.start, event.end, 0.4 + 0.7 * event.strength)


HAPPEN: dict[str, Happen] = {
    "camp fire": camp_fire,
    "door slams": door_slams,
    "fireworks": fireworks,
    "running children": running_children,
    "dance": dance,
    "thunder": thunder,
}


def _flames(rng: Rng, contents: Contents, event: Happening, x: float, z: float) -> sights.Glow:
    column, foot, h = people.place(x, z, contents.level)
    height, width = round(0.55 * h) + 6, round(0.5 * h) + 6
    y, across = np.mgrid[0 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    ragged = cv2.resize(rng.standard_normal((5, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    flame = np.clip(1.35 * y - 0.35 - np.abs(across) * (1.5 - 0.4 * y) + 0.14 * ragged, 0, 1)[..., None]
    core = np.clip(flame * 2.2 - 0.5, 0, 1)
    colours = np.array([255, 118, 18], np.float32) + core * np.array([0, 110, 120], np.float32)
    flicker = np.convolve(rng.uniform(0.55, 1.0, contents.frames + 2), np.ones(3) / 3, "valid")
    row = max(0, min(round(foot) - height, HEIGHT - 8))
    at = max(0, min(round(column) - width // 2, WIDTH - 8))
    strength = flicker * sights.fade(contents.frames, event.start, event.end, 2.0)
    return sights.Glow(colours, np.clip(flame * 3.2, 0, 0.95), row, at, strength)


def _burst(rng: Rng, start: int, level: float) -> Callable[[np.ndarray, int], None]:
    """Return what draws a rocket's sparks into the picture of a frame."""
    column, row = rng.uniform(0.1, 0.9) * WIDTH, rng.uniform(0.08, 0.8 * level) * HEIGHT
    colour = np.array(sights.SIGNS[rng.integers(len(sights.SIGNS))], float)
    angles, speeds = rng.uniform(0, 2 * np.pi, SPARKS), rng.uniform(0.6, 2.2, SPARKS)

    def draw(image: np.ndarray, number: int) -> None:
        since = number - start
        if not 0 <= since < GLOW:
            return
        shade = [float(v) for v in colour * (1 - since / GLOW)]
        for angle, speed in zip(angles, speeds):
            reach = speed * since * (1 - 0.03 * since)
            x, y = column + reach * np.cos(angle), row + reach * np.sin(angle) + 0.05 * since**2
            cv2.circle(image, (round(x), round(y)), 1, shade, -1)

    return draw
