"""The people of a recording: each is there for a part of it, with a place and a pose for each frame of that part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from vadkit.demo import people
from vadkit.demo.script import FPS

EDGE = 0.14  # how far outside of the picture people come from and go to, in its widths
Rng = np.random.Generator


class Actor:
    """A person who is in the recording from frame ``start`` on, for as many frames as ``person`` has places."""

    def __init__(self, person: people.Person, start: int) -> None:
        self.person, self.start = person, start

    @property
    def end(self) -> int:
        return self.start + len(self.person.x)

    @cached_property
    def stride(self) -> np.ndarray:
        """The angle of the step in each frame; asked for once all has happened to the person."""
        return self.person.stride

    def is_in(self, start: int, end: int) -> bool:
        """Return whether the person is there from frame ``start`` up to ``end``."""
        return self.start <= start and end <= self.end

    def is_seen(self, frame: int) -> bool:
        return self.is_in(frame, frame + 1) and 0 < self.person.x[frame - self.start] < 1

    def cut(self, frame: int) -> None:
        """Let the person end before a frame."""
        keep = max(0, frame - self.start)
        self._set(self.person.x[:keep], self.person.z[:keep], self.person.arms[:keep])

    def extend(self, x: np.ndarray) -> None:
        """Let the person go on through places ``x``, at the same distance from the camera."""
        z = np.full(len(x), self.person.z[-1])
        arms = np.full((len(x), 2), 0.3)
        old = self.person
        self._set(np.append(old.x, x), np.append(old.z, z), np.concatenate([old.arms, arms]))

    def _set(self, x: np.ndarray, z: np.ndarray, arms: np.ndarray) -> None:
        self.person = replace(self.person, x=x, z=z, arms=arms)


@dataclass(frozen=True)
class Stay:
    """A group that stands somewhere from frame ``start`` up to ``end``."""

    actors: Sequence[Actor]
    start: int
    end: int


def passers(rng: Rng, frames: int, crowd: float) -> list[Actor]:
    """Return people who cross the picture at walking pace, ``crowd`` of them at a time on average."""
    longest = round((1 + 2 * EDGE) / 0.07 * FPS)
    # A crossing takes 12.2 s on average.
    count = rng.poisson(crowd * (frames + longest) / (12.2 * FPS))
    return [_passer(rng, int(start)) for start in rng.integers(-longest, frames, count)]


def _passer(rng: Rng, start: int) -> Actor:
    speed = rng.uniform(0.07, 0.15)
    steps = round((1 + 2 * EDGE) / speed * FPS)
    x = np.linspace(-EDGE, 1 + EDGE, steps)[:: int(rng.choice([-1, 1]))]
    sway = 0.06 * np.sin(rng.uniform(0, 6) + np.arange(steps) / FPS * rng.uniform(0.2, 0.6))
    return Actor(people.dress(rng, x, np.clip(rng.uniform(0.05, 0.95) + sway, 0.02, 1)), start)


def stay(rng: Rng, start: int, end: int, size: int) -> Stay:
    """Return a group that comes from the edge, stands and talks from ``start`` to ``end``, and leaves."""
    standing = people.group(rng, end - start, size)
    side = float(rng.choice([-EDGE, 1 + EDGE]))
    coming = round(abs(np.mean([p.x[0] for p in standing]) - side) / rng.uniform(0.09, 0.14) * FPS)
    actors = []
    for person in standing:
        there, away = np.linspace(side, person.x[0], coming), np.linspace(person.x[-1], side, coming)
        walking = np.full((coming, 2), 0.15)
        x = np.concatenate([there, person.x, away])
        z = np.concatenate([np.full(coming, person.z[0]), person.z, np.full(coming, person.z[-1])])
        arms = np.concatenate([walking, person.arms, walking])
        actors.append(Actor(replace(person, x=x, z=z, arms=arms), start - coming))
    return Stay(actors, start, end)


def stays(rng: Rng, frames: int) -> list[Stay]:
    """Return groups one after the other, over all of the recording."""
    found, at = [], -int(rng.integers(5, 30)) * FPS
    while at < frames:
        length = int(rng.integers(20, 60)) * FPS
        found.append(stay(rng, at, at + length, int(rng.integers(2, 6))))
        at += length + int(rng.integers(-8, 12)) * FPS
    return found


def scatter(rng: Rng, actors: Iterable[Actor], start: int, end: int, share: float = 1.0) -> None:
    """Let people who are seen at ``start`` run about in panic up to ``end`` and leave; ``share`` of them do.

    Those who would come meanwhile stay away.
    """
    for actor in actors:
        if start < actor.start < end:
            actor.cut(actor.start)
        elif actor.is_seen(start) and (share >= 1 or rng.random() < share):
            local, length = start - actor.start, end - start
            actor.cut(start + 1)
            actor.extend(np.full(length, actor.person.x[-1]))
            people.flee(rng, [actor.person], local, local + length)
            here, side = float(actor.person.x[-1]), float(rng.choice([-EDGE, 1 + EDGE]))
            actor.extend(np.linspace(here, side, max(2, round(abs(side - here) / 0.25 * FPS))))


def children(rng: Rng, start: int, end: int) -> list[Actor]:
    """Return children who come running, chase each other to and fro, and leave."""
    time = np.arange(end - start) / FPS
    inside = np.clip(np.minimum(time, time[-1] - time) / 1.5, 0, 1)  # at the ends, outside of the picture
    middle, z0, side = rng.uniform(0.35, 0.65), rng.uniform(0.3, 0.8), float(rng.choice([-EDGE, 1 + EDGE]))
    found = []
    for _ in range(int(rng.integers(3, 6))):
        path = middle + 0.3 * np.sin(time * rng.uniform(1.2, 2.0) + rng.uniform(0, 6))
        path += 0.05 * np.sin(time * rng.uniform(3, 5) + rng.uniform(0, 6))
        z = np.clip(z0 + 0.12 * np.sin(time * rng.uniform(0.8, 2.0) + rng.uniform(0, 6)), 0.02, 1)
        child = people.dress(rng, side + (path - side) * inside, z)
        child.size = rng.uniform(0.52, 0.66)
        child.arms = 0.6 + 0.5 * np.sin(time[:, None] * rng.uniform(4, 8, 2) + rng.uniform(0, 6, 2))
        found.append(Actor(child, start))
    return found


def dance(rng: Rng, group: Stay, start: int, end: int, beat: float) -> None:
    """Let a group dance from ``start`` to ``end``, ``beat`` times a second: fast as a fight, but regular."""
    time = np.arange(end - start) / FPS
    for actor in group.actors:
        local = slice(start - actor.start, end - actor.start)
        side = int(rng.choice([-1, 1]))
        actor.person.x[local] += 0.022 * side * np.sin(np.pi * beat * time)
        actor.person.arms[local] = 1.5 + 1.0 * np.sin(2 * np.pi * beat * time[:, None] + rng.uniform(0, 1, 2))
