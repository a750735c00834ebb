"""People and vehicles: where they are in each frame, and how they are drawn.

Places are on the ground: ``x`` runs 0..1 across the picture, ``z`` 0..1 from the horizon to the
camera. Everybody gets smaller with distance.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from vadkit.demo.scenery import HEIGHT, WIDTH
from vadkit.demo.script import FPS

Colour = tuple[int, int, int]
# Clothes are as bright, and as often orange, as a fire is: colour alone must not give it away.
CLOTHES: tuple[Colour, ...] = (
    (226, 116, 34),
    (196, 44, 40),
    (232, 196, 60),
    (36, 92, 180),
    (40, 140, 84),
    (236, 236, 232),
    (44, 44, 52),
    (130, 60, 140),
    (108, 84, 62),
    (90, 130, 150),
    (220, 120, 160),
    (70, 76, 66),
)
SKIN: tuple[Colour, ...] = ((224, 182, 152), (182, 132, 98), (112, 76, 56))
_SHIFT = 4  # fractional bits of drawn coordinates, so that slow motion is smooth


@dataclass
class Person:
    """A person with a place and a pose for every frame.

    ``x``, ``z``: (frames,). ``arms``: (frames, 2) angles from hanging down, in radians. ``size`` is 1 for an adult.
    """

    x: np.ndarray
    z: np.ndarray
    clothes: Colour
    trousers: Colour
    skin: Colour
    phase: float
    arms: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    size: float = 1.0

    @property
    def stride(self) -> np.ndarray:
        """The angle of the step, (frames,): legs swing as far as the feet travel."""
        travelled = np.cumsum(np.hypot(np.diff(self.x, prepend=self.x[0]), np.diff(self.z, prepend=self.z[0])))
        return self.phase + travelled * 70


def dress(rng: np.random.Generator, x: np.ndarray, z: np.ndarray) -> Person:
    """Return a person at these places in random clothes."""
    clothes, trousers = (CLOTHES[i] for i in rng.integers(0, len(CLOTHES), 2))
    skin = SKIN[rng.integers(len(SKIN))]
    return Person(x, z, clothes, trousers, skin, rng.uniform(0, 6), np.full((len(x), 2), 0.15))


def walker(rng: np.random.Generator, frames: int) -> Person:
    """A person who crosses the picture at walking pace, entering and leaving at any time."""
    time = np.arange(frames) / FPS
    way = rng.choice([-1, 1])
    speed = rng.uniform(0.07, 0.15)
    x = (rng.uniform(-0.3, 1.3) + way * speed * time + 0.4) % 1.8 - 0.4
    z = rng.uniform(0.1, 0.9) + 0.06 * np.sin(rng.uniform(0, 6) + time * rng.uniform(0.2, 0.6))
    return dress(rng, x, np.clip(z, 0.02, 1))


def group(rng: np.random.Generator, frames: int, size: int) -> list[Person]:
    """People who stand together and talk: they sway a little and move their arms slowly."""
    time = np.arange(frames) / FPS
    x0, z0 = rng.uniform(0.2, 0.8), rng.uniform(0.4, 0.8)
    people = []
    for index in range(size):
        angle = 2 * np.pi * (index / size + rng.uniform(-0.08, 0.08))
        sway = 0.006 * np.sin(time * rng.uniform(0.8, 2.0) + rng.uniform(0, 6))
        person = dress(rng, x0 + 0.06 * np.cos(angle) + sway, np.full(frames, z0 + 0.07 * np.sin(angle)))
        person.arms = 0.25 + 0.35 * np.sin(time[:, None] * rng.uniform(1, 3, 2) + rng.uniform(0, 6, 2))
        people.append(person)
    return people


def shove(rng: np.random.Generator, people: list[Person], start: int, end: int, reach: float = 1.0) -> None:
    """Make a standing group fight from ``start`` to ``end``: fast, erratic, arms flailing, on the spot.

    ``reach`` multiplies how far they are pushed.
    """
    for person in people:
        length = end - start
        kicks = rng.uniform(-1, 1, (length // 2 + 3, 2)) * (0.06 * reach)
        steps = np.linspace(0, len(kicks) - 1.001, length)
        low = steps.astype(int)
        path = kicks[low] + (kicks[low + 1] - kicks[low]) * (steps - low)[:, None]
        person.x[start:end] += path[:, 0]
        person.z[start:end] = np.clip(person.z[start:end] + path[:, 1], 0.02, 1)
        person.arms[start:end] = rng.uniform(-0.3, 1.6, (length, 2))


def flee(rng: np.random.Generator, people: list[Person], start: int, end: int) -> None:
    """Make everybody run to and fro in panic from ``start`` to ``end``, and walk on from where they are then."""
    for person in people:
        length = end - start
        pace = rng.choice([-1, 1]) * rng.uniform(0.45, 0.75) / FPS
        run = np.clip(person.x[start], 0.05, 0.95) + pace * np.arange(length)
        run = np.abs((run + 1) % 2 - 1)  # turn round at the edges of the picture
        person.x[end:] += run[-1] - person.x[end - 1]
        person.x[start:end] = run
        person.z[start:end] = np.clip(person.z[start:end] + 0.04 * rng.standard_normal(length), 0.02, 1)
        person.arms[start:end] = rng.uniform(0.2, 1.2, (length, 2))


@dataclass(frozen=True)
class Fast:
    """Something that crosses quickly and straight: a cyclist, a runner or a car. Normal, if fast."""

    what: str
    start: int
    speed: float  # picture widths per second, signed
    z: float
    colour: Colour
    person: Person | None

    def x(self, frame: int) -> float:
        along = (frame - self.start) / FPS * abs(self.speed) - 0.2
        return along if self.speed > 0 else 1 - along


def crossing(rng: np.random.Generator, frames: int) -> Fast:
    """Return something fast that crosses at any time of the clip."""
    what = str(rng.choice(["car", "cyclist", "runner"]))
    speed = rng.choice([-1, 1]) * rng.uniform(0.35, 0.6)
    start = int(rng.integers(0, max(1, frames - 2 * FPS)))
    colour = CLOTHES[rng.integers(len(CLOTHES))]
    fast = Fast(what, start, speed, rng.uniform(0.1, 0.8), colour, None)
    if what == "car":
        return fast
    x = np.array([fast.x(frame) for frame in range(frames)])
    person = dress(rng, x, np.full(frames, fast.z))
    person.arms[:] = 0.7
    return Fast(what, start, speed, fast.z, colour, person)


def place(x: float, z: float, level: float) -> tuple[float, float, float]:
    """Return the foot's column and row in pixels and a person's height there."""
    return x * WIDTH, HEIGHT * (level + (0.97 - level) * (0.08 + 0.92 * z)), HEIGHT * (0.15 + 0.2 * z)


def _point(x: float, y: float) -> tuple[int, int]:
    return round(x * 2**_SHIFT), round(y * 2**_SHIFT)


def draw_person(image: np.ndarray, person: Person, frame: int, stride: float, level: float) -> None:
    """Draw a person as shadow, legs, body, arms and head."""
    x, y, h = place(person.x[frame], person.z[frame], level)
    h *= person.size
    if not -h < x < WIDTH + h:
        return
    swing = 0.13 * h * np.sin(stride)
    limb = max(1, round(0.09 * h))
    shadow = (44, 44, 46)
    cv2.ellipse(image, _point(x + 0.12 * h, y), _point(0.22 * h, 0.05 * h), 0, 0, 360, shadow, -1, cv2.LINE_AA, _SHIFT)
    for side in (-1, 1):
        foot = _point(x + side * swing, y)
        cv2.line(image, _point(x + side * 0.03 * h, y - 0.45 * h), foot, person.trousers, limb, cv2.LINE_AA, _SHIFT)
    axes = _point(0.12 * h, 0.23 * h)
    cv2.ellipse(image, _point(x, y - 0.62 * h), axes, 0, 0, 360, person.clothes, -1, cv2.LINE_AA, _SHIFT)
    for side, angle in zip((-1, 1), person.arms[frame]):
        shoulder = (x + side * 0.1 * h, y - 0.76 * h)
        hand = (shoulder[0] + side * 0.3 * h * np.sin(angle), shoulder[1] + 0.3 * h * np.cos(angle))
        cv2.line(image, _point(*shoulder), _point(*hand), person.clothes, max(1, limb - 1), cv2.LINE_AA, _SHIFT)
    cv2.circle(image, _point(x, y - 0.91 * h), round(0.085 * h * 2**_SHIFT), person.skin, -1, cv2.LINE_AA, _SHIFT)


def draw_wheels(image: np.ndarray, fast: Fast, frame: int, level: float) -> None:
    """Draw a car, or the wheels under a cyclist."""
    x, y, h = place(fast.x(frame), fast.z, level)
    if not -2 * h < x < WIDTH + 2 * h or fast.what == "runner":
        return
    if fast.what == "car":
        for top, reach, colour in ((0.75, 0.55, (64, 72, 84)), (0.5, 1.0, fast.colour)):
            corner, opposite = _point(x - reach * h, y - 0.12 * h), _point(x + reach * h, y - top * h)
            cv2.rectangle(image, corner, opposite, colour, -1, cv2.LINE_AA, _SHIFT)
    reach, radius = (0.62, 0.16) if fast.what == "car" else (0.3, 0.18)
    for side in (-1, 1):
        centre = _point(x + side * reach * h, y - radius * h)
        cv2.circle(image, centre, round(radius * h * 2**_SHIFT), (28, 28, 30), -1, cv2.LINE_AA, _SHIFT)
