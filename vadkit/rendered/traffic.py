"""Cars, cyclists and runners: those that cross the picture, and cars that stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vadkit.demo import people
from vadkit.demo.scenery import HEIGHT, WIDTH
from vadkit.demo.script import FPS

EDGE = 0.3  # how far outside of the picture a car comes from, in its widths
Rng = np.random.Generator


@dataclass(frozen=True)
class Driven(people.Fast):
    """A car or rider with a place for each frame."""

    path: np.ndarray

    def x(self, frame: int) -> float:
        return float(self.path[frame])


@dataclass(frozen=True)
class Vehicle:
    """Something that moves, from frame ``start`` on."""

    fast: Driven
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.fast.path)

    def draw(self, image: np.ndarray, number: int, level: float) -> None:
        """Draw it as it is in frame ``number``, if it is there."""
        frame = number - self.start
        if not 0 <= frame < len(self.fast.path):
            return
        people.draw_wheels(image, self.fast, frame, level)
        if self.fast.person is not None:
            people.draw_person(image, self.fast.person, frame, 0.9 * frame, level)


def vehicle(rng: Rng, what: str, path: np.ndarray, z: float, start: int) -> Vehicle:
    """Return a car, cyclist or runner on a path (frames,) of places across the picture."""
    colour = people.CLOTHES[rng.integers(len(people.CLOTHES))]
    person = None
    if what != "car":
        person = people.dress(rng, path, np.full(len(path), z))
        person.arms[:] = 0.7
    return Vehicle(Driven(what, 0, 0.0, z, colour, person, path), start)


def passing(rng: Rng, frames: int, cars: float, riders: float) -> list[Vehicle]:
    """Return what crosses the picture; ``cars`` and ``riders`` (cyclists and runners) are numbers a minute."""
    found = []
    for rate, kinds in ((cars, ("car",)), (riders, ("cyclist", "runner"))):
        for start in rng.integers(-2 * FPS, frames, rng.poisson(rate * frames / FPS / 60)):
            path = _across(rng.uniform(0.35, 0.6))[:: int(rng.choice([-1, 1]))]
            found.append(vehicle(rng, str(rng.choice(kinds)), path, rng.uniform(0.1, 0.8), int(start)))
    return found


def parked(rng: Rng, frames: int) -> Vehicle:
    """Return a car that never moves."""
    return vehicle(rng, "car", np.full(frames, rng.uniform(0.1, 0.9)), rng.uniform(0.05, 0.3), 0)


def _across(speed: float) -> np.ndarray:
    return np.linspace(-EDGE, 1 + EDGE, round((1 + 2 * EDGE) / speed * FPS))


def collide(rng: Rng, start: int, end: int) -> tuple[list[Vehicle], float, float]:
    """Return two cars of which one runs into the other, which waits, at ``start``; both drive on at ``end``.

    Also where: the place across the picture and the distance from the horizon.
    """
    z, way = float(rng.uniform(0.25, 0.7)), int(rng.choice([-1, 1]))
    half = (0.15 + 0.2 * z) * HEIGHT / WIDTH  # of a car's length
    at = float(rng.uniform(0.4, 0.6))
    hit, waiting = _mirrored(at - half, way), _mirrored(at + half, way)
    outside, gone = _mirrored(-EDGE, way), _mirrored(1 + EDGE, way)
    speed = rng.uniform(0.45, 0.7)
    coming = np.linspace(outside, hit, round(abs(hit - outside) / speed * FPS))
    slow = np.linspace(outside, waiting, round(abs(waiting - outside) / 0.25 * FPS))
    before = int(rng.integers(2, 9)) * FPS
    stop = end - start
    pushed = waiting + 0.03 * way * np.minimum(np.arange(stop) / 3, 1)
    first = np.concatenate([slow, np.full(before, waiting), pushed, _off(pushed[-1], gone)])
    second = np.concatenate([coming, np.full(stop, hit), _off(hit, gone)])
    return (
        [
            vehicle(rng, "car", first, z, start - before - len(slow)),
            vehicle(rng, "car", second, z, start - len(coming)),
        ],
        at if way > 0 else 1 - at,
        z,
    )


def _mirrored(x: float, way: int) -> float:
    return x if way > 0 else 1 - x


def _off(here: float, gone: float) -> np.ndarray:
    return np.linspace(here, gone, round(abs(gone - here) / 0.2 * FPS))
