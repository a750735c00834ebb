"""The anomalies. The only place where an abnormal recording differs from a normal one."""

from __future__ import annotations

import cv2
import numpy as np

from vadkit.demo import noises, people, sights
from vadkit.demo.scenery import HEIGHT, WIDTH
from vadkit.demo.script import FPS
from vadkit.rendered import acoustics, cast, traffic
from vadkit.rendered.contents import Contents, Happen
from vadkit.rendered.plan import Happening

Rng = np.random.Generator


def fire(rng: Rng, contents: Contents, event: Happening) -> None:
    _burn(rng, contents, event)


def fight(rng: Rng, contents: Contents, event: Happening) -> None:
    group = _group(rng, contents, event, 2 + round(3 * event.strength))
    first = group.actors[0].start
    reach = 0.45 + 0.65 * event.strength
    people.shove(rng, [a.person for a in group.actors], event.start - first, event.end - first, reach)


def gunshots(rng: Rng, contents: Contents, event: Happening) -> None:
    noises.shots(rng, contents.track, event.start, event.end, 0.25 + 0.85 * event.strength)


def explosion(rng: Rng, contents: Contents, event: Happening) -> None:
    _burn(rng, contents, event)
    contents.flashes.append((event.start, 0.3 + 0.7 * event.strength))
    noises.blast(rng, contents.track, event.start, event.end, 0.3 + 0.7 * event.strength)
    _run(rng, contents, event)


def panic(rng: Rng, contents: Contents, event: Happening) -> None:
    acoustics.screams(rng, contents.track, event.start, event.end, 0.3 + 0.8 * event.strength)
    _run(rng, contents, event)


def crash(rng: Rng, contents: Contents, event: Happening) -> None:
    cars, x, z = traffic.collide(rng, event.start, event.end)
    contents.vehicles += cars
    contents.glows.append(_steam(rng, contents, event, x, z))
    acoustics.collision(rng, contents.track, event.start, 0.35 + 0.75 * event.strength)


HAPPEN: dict[str, Happen] = {
    "fire": fire,
    "fight": fight,
    "gunshots": gunshots,
    "explosion": explosion,
    "panic": panic,
    "crash": crash,
}


def _burn(rng: Rng, contents: Contents, event: Happening) -> None:
    size, dense = 0.4 + 0.75 * event.strength, 0.5 + 0.5 * event.strength
    contents.glows.append(sights.fire(rng, contents.frames, event.start, event.end, contents.level, size, dense))


def _group(rng: Rng, contents: Contents, event: Happening, size: int) -> cast.Stay:
    """Return a group that has stood there for a while, so that somebody is there when it happens."""
    before, after = int(rng.integers(4, 15)) * FPS, int(rng.integers(1, 5)) * FPS
    group = cast.stay(rng, event.start - before, event.end + after, size)
    contents.actors += group.actors
    return group


def _run(rng: Rng, contents: Contents, event: Happening) -> None:
    _group(rng, contents, event, int(rng.integers(2, 5)))
    cast.scatter(rng, contents.actors, event.start, event.end, 0.4 + 0.6 * event.strength)


def _steam(rng: Rng, contents: Contents, event: Happening, x: float, z: float) -> sights.Glow:
    """Return the steam of a broken radiator, which rises for as long as the cars stand."""
    column, foot, h = people.place(x, z, contents.level)
    height, width = round(1.5 * h) + 8, round(1.1 * h) + 8
    y, across = np.mgrid[0 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    ragged = cv2.resize(rng.standard_normal((6, 6)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    cloud = np.clip(0.9 - np.abs(across) * 1.2 - np.abs(y - 0.45) * 1.3 + 0.14 * ragged, 0, 1)[..., None]
    colours = np.broadcast_to(np.array([206, 208, 212], np.float32), (height, width, 3))
    row = max(0, min(round(foot - 0.4 * h) - height, HEIGHT - 8))
    at = max(0, min(round(column) - width // 2, WIDTH - 8))
    strength = (0.4 + 0.5 * event.strength) * sights.fade(contents.frames, event.start, event.end, 1.5)
    return sights.Glow(colours, cloud, row, at, strength)
