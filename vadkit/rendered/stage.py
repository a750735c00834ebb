"""A recording with all that is in it, ready to be drawn frame by frame. Decided by the recording's seed alone."""

from __future__ import annotations

import cv2
import numpy as np

from vadkit.demo import people, sights
from vadkit.demo.render import grainy
from vadkit.demo.script import FPS
from vadkit.rendered import acoustics, cast, distractors, incidents, traffic
from vadkit.rendered.contents import Contents
from vadkit.rendered.places import PLACES, view
from vadkit.rendered.plan import Recording
from vadkit.rendered.weather import draw_weather

SIGNS = 18.0  # seconds in which a coloured light goes on and off once, on average


class Stage:
    """The ``Shot`` of a recording: pictures, which must be drawn in order, and sound."""

    def __init__(self, recording: Recording) -> None:
        rng = np.random.default_rng(recording.seed)
        self.recording, self.frames = recording, recording.frames
        self.view = view(recording.scene, recording.camera, recording.time, recording.weather)
        contents = _everyday(rng, recording, self.view.level)
        # Each happening has its own random numbers: without it, all else is the same.
        for number, event in enumerate(recording.distractors):
            own = np.random.default_rng([*recording.seed, 2, number])
            distractors.HAPPEN[event.kind](own, contents, event)
        for number, event in enumerate(recording.anomalies):
            own = np.random.default_rng([*recording.seed, 3, number])
            incidents.HAPPEN[event.kind](own, contents, event)
        self.contents = contents
        self.actors = [actor for actor in contents.actors if actor.start < min(actor.end, self.frames)]
        time = np.arange(self.frames) / FPS
        self.light = 1 + 0.12 * rng.uniform(-1, 1) + 0.04 * np.sin(time / rng.uniform(1, 9) + rng.uniform(0, 6))
        loudness = rng.uniform(0.6, 1.3)
        seed = (*recording.scene.seed, 20)
        self.sound = loudness * acoustics.reverberant(contents.track, recording.scene.decay, seed)
        self.rng = rng

    def frame(self, number: int) -> np.ndarray:
        """Return uint8 (HEIGHT, WIDTH, 3)."""
        image = self.view.background.copy()
        for vehicle in self.contents.vehicles:
            vehicle.draw(image, number, self.view.level)
        self._draw_people(image, number)
        image = self._lit(image)
        for glow in self.contents.glows:
            glow.draw(image, number)
        for draw in self.contents.sparks:
            draw(image, number)
        image = draw_weather(image, self.recording.weather, number, self.recording.seed[-1])
        extra = sum(strength * sights.flash(start, number) for start, strength in self.contents.flashes)
        return grainy(self.rng, cv2.convertScaleAbs(image, alpha=self.light[number], beta=extra), self.view.grain)

    def _draw_people(self, image: np.ndarray, number: int) -> None:
        there = [actor for actor in self.actors if actor.start <= number < actor.end]
        for actor in sorted(there, key=lambda actor: actor.person.z[number - actor.start]):
            at = number - actor.start
            people.draw_person(image, actor.person, at, actor.stride[at], self.view.level)

    def _lit(self, image: np.ndarray) -> np.ndarray:
        if self.view.gain is not None:
            image = cv2.multiply(image, self.view.gain, dtype=cv2.CV_8U)
        return image if self.view.haze is None else cv2.add(image, self.view.haze)


def _everyday(rng: np.random.Generator, recording: Recording, level: float) -> Contents:
    """Return what is in every recording: passers-by, groups, traffic, coloured lights and the sounds of the place."""
    frames, place = recording.frames, PLACES[recording.scene.place]
    busy = 0.15 + 0.1 * recording.crowd**0.5 * rng.uniform(0.5, 1.8)
    contents = Contents(frames, level, acoustics.background(rng, frames, busy, recording.weather == "rain"))
    contents.actors += cast.passers(rng, frames, recording.crowd)
    contents.actors += [actor for group in cast.stays(rng, frames) for actor in group.actors]
    contents.vehicles += traffic.passing(rng, frames, place.cars, place.riders)
    if place.cars and rng.random() < 0.4:
        contents.vehicles.append(traffic.parked(rng, frames))
    for _ in range(max(1, round(recording.seconds / SIGNS))):
        contents.glows.append(sights.sign(rng, frames, level))
    return contents
