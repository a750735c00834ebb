"""What is recorded: scenes, their cameras, and what happens in each recording. Decided by one seed.

Recordings come in pairs of one camera, time of day, weather and crowd, of which one has anomalies and the other has
none, so that no condition gives a label away. Both have distractors, which look or sound like an anomaly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vadkit.demo.script import FPS
from vadkit.problems import fail, plural
from vadkit.rendered.places import PLACES, Scene

Split = Literal["train", "test"]
Time = Literal["day", "dusk", "night"]
Weather = Literal["clear", "rain", "snow", "fog"]
KINDS = ("fire", "fight", "gunshots", "explosion", "panic", "crash")
SHOWS_IN = {
    "fire": "appearance",
    "fight": "motion",
    "gunshots": "sound",
    "explosion": "all three",
    "panic": "motion and sound",
    "crash": "all three",
}
LENGTHS = {
    "fire": (6.0, 40.0),
    "fight": (3.0, 25.0),
    "gunshots": (1.5, 12.0),
    "explosion": (3.0, 10.0),
    "panic": (3.0, 10.0),
    "crash": (4.0, 12.0),
}  # seconds
# Distractors and their lengths in seconds; those of OUTSIDE happen outdoors only, thunder in rain.
DISTRACTORS = {
    "camp fire": (25.0, 90.0),
    "door slams": (2.0, 8.0),
    "fireworks": (5.0, 20.0),
    "running children": (8.0, 25.0),
    "dance": (8.0, 30.0),
    "thunder": (4.0, 8.0),
}
OUTSIDE = {"camp fire", "fireworks", "thunder", "crash"}
TIMES: dict[Time, float] = {"day": 0.5, "dusk": 0.15, "night": 0.35}
WEATHERS: dict[Weather, float] = {"clear": 0.5, "rain": 0.2, "snow": 0.12, "fog": 0.18}
SHORTEST, LONGEST = 45.0, 200.0  # seconds of a recording, where there are hours enough
LEAST = 8.0  # seconds of a recording, however few hours there are
FIRST, LAST = 2.0, 1.5  # seconds without an anomaly at the beginning and at the end
MOST_HOURS, MOST_SCENES = 1000.0, 1000
STRENGTH = (0.35, 1.0)


@dataclass(frozen=True)
class Wanted:
    """How much to render, and its seed. Raises VadkitError for impossible values."""

    hours: float = 2.0
    scenes: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.scenes <= MOST_SCENES:
            what = f"the number of scenes must be from 2 to {MOST_SCENES}, not {self.scenes}"
            fail(what, "training and test share no scene")
        if self.seed < 0:
            fail(f"the seed must be 0 or more, not {self.seed}")
        least = 2 * self.scenes * LEAST / 3600
        if not least <= self.hours <= MOST_HOURS:
            needs = f"{plural(self.scenes, 'scene')} need at least {least:.3g}" if self.hours < least else "too many"
            fail(f"the hours must be from {least:.3g} to {MOST_HOURS:g}, not {self.hours:g}", needs)


@dataclass(frozen=True)
class Happening:
    """Something that happens from frame ``start`` up to ``end``. ``strength`` is 1 at its plainest."""

    kind: str
    start: int
    end: int
    strength: float = 1.0


@dataclass(frozen=True)
class Recording:
    """One video. Its anomalies are all of one ``kind``; a normal one has none.

    ``crowd`` is the number of passers-by in the picture on average. ``domain`` is "a" or "b", a half of the scenes,
    and ``domain_split`` the split within it, for transfer from one half to the other.
    """

    name: str
    scene: Scene
    camera: int
    split: Split
    domain: Literal["a", "b"]
    domain_split: Split
    kind: str
    frames: int
    time: Time
    weather: Weather
    crowd: float
    anomalies: tuple[Happening, ...]
    distractors: tuple[Happening, ...]
    seed: tuple[int, int, int]

    @property
    def seconds(self) -> float:
        return self.frames / FPS

    @property
    def clicks(self) -> tuple[int, ...]:
        """A frame of each anomaly, drawn by the recording's own seed, as a labeller's click would be."""
        rng = np.random.default_rng([*self.seed, 1])
        return tuple(int(rng.integers(happening.start, happening.end)) for happening in self.anomalies)


def make_plan(wanted: Wanted) -> list[Recording]:
    """Return all recordings, scene by scene."""
    rng = np.random.default_rng([wanted.seed, 0])
    tested = {int(i) for i in rng.permutation(wanted.scenes)[: max(1, round(wanted.scenes / 3))]}
    kinds: dict[Split, Iterator[str]] = {"train": _in_turn(rng), "test": _in_turn(rng)}
    recordings: list[Recording] = []
    for index in range(wanted.scenes):
        scene = _scene(rng, wanted.seed, index)
        split: Split = "test" if index in tested else "train"
        seconds = wanted.hours * 3600 / wanted.scenes
        recordings += _of_scene(rng, scene, split, seconds, kinds[split], wanted.seed)
    return _with_domains(recordings)


def _in_turn(rng: np.random.Generator) -> Iterator[str]:
    """Yield kinds of anomalies, each as often as the others."""
    while True:
        yield from (KINDS[i] for i in rng.permutation(len(KINDS)))


def _scene(rng: np.random.Generator, seed: int, index: int) -> Scene:
    name = list(PLACES)[index % len(PLACES)]
    place = PLACES[name]
    return Scene(
        name=f"{name}_{index // len(PLACES) + 1}",
        place=name,
        cameras=int(rng.integers(2, 5)),
        decay=place.decay * float(rng.uniform(0.7, 1.4)),
        crowd=float(np.exp(rng.uniform(np.log(1.5), np.log(7.0)))),
        seed=(seed, index),
    )


def _of_scene(
    rng: np.random.Generator, scene: Scene, split: Split, seconds: float, kinds: Iterator[str], seed: int
) -> list[Recording]:
    """Return the recordings of a scene, in pairs, which are ``seconds`` long in all."""
    mean = (LONGEST - SHORTEST) / np.log(LONGEST / SHORTEST)
    pairs = max(1, round(seconds / mean / 2))
    lengths = np.exp(rng.uniform(np.log(SHORTEST), np.log(LONGEST), 2 * pairs))
    lengths = np.maximum(lengths * seconds / lengths.sum(), LEAST)
    recordings: list[Recording] = []
    for pair in range(pairs):
        time, weather = _conditions(rng, scene)
        crowd = scene.crowd * float(np.exp(rng.uniform(np.log(0.4), np.log(1.8)))) * (0.6 if time == "night" else 1)
        kind = next(kind for kind in kinds if scene.outdoors or kind not in OUTSIDE)
        for normal in rng.permutation([True, False]):
            number = len(recordings)
            recording = Recording(
                f"{scene.name}_{number:03d}", scene, pair % scene.cameras, split, "a", "train",
                "normal" if normal else kind, round(float(lengths[number]) * FPS), time, weather, crowd, (), (),
                (seed, scene.seed[1], number),
            )  # fmt: skip
            recordings.append(_filled(rng, recording))
    return recordings


def _conditions(rng: np.random.Generator, scene: Scene) -> tuple[Time, Weather]:
    time = [*TIMES][int(rng.choice(len(TIMES), p=[*TIMES.values()]))]
    weather = [*WEATHERS][int(rng.choice(len(WEATHERS), p=[*WEATHERS.values()]))]
    return time, weather if scene.outdoors else "clear"


def _filled(rng: np.random.Generator, recording: Recording) -> Recording:
    """Return the recording with what happens in it."""
    anomalies: tuple[Happening, ...] = ()
    if recording.kind != "normal":
        most = min(3, max(1, int(recording.seconds // 20)))
        anomalies = _spread(rng, [recording.kind] * int(rng.integers(1, most + 1)), recording.frames, LENGTHS)
    possible = [kind for kind in DISTRACTORS if _fits(kind, recording)]
    count = min(8, int(rng.poisson(recording.seconds / 35)))
    chosen = [str(kind) for kind in rng.choice(possible, count)]
    return replace(recording, anomalies=anomalies, distractors=_spread(rng, chosen, recording.frames, DISTRACTORS))


def _fits(kind: str, recording: Recording) -> bool:
    if kind == "thunder" and recording.weather != "rain":
        return False
    return recording.scene.outdoors or kind not in OUTSIDE


def _spread(
    rng: np.random.Generator, kinds: Sequence[str], frames: int, lengths: dict[str, tuple[float, float]]
) -> tuple[Happening, ...]:
    """Return happenings in order of time: each takes at most 0.6 of a part of the recording that is its own."""
    if not kinds:
        return ()
    part = (frames / FPS - FIRST - LAST) / len(kinds)
    found = []
    for number, kind in enumerate(kinds):
        low, high = lengths[kind]
        length = min(float(np.exp(rng.uniform(np.log(low), np.log(high)))), 0.6 * part)
        start = FIRST + part * number + float(rng.uniform(0, part - length))
        found.append(
            Happening(kind, round(start * FPS), round((start + length) * FPS), round(float(rng.uniform(*STRENGTH)), 3))
        )
    return tuple(found)


def _with_domains(recordings: Sequence[Recording]) -> list[Recording]:
    """Return the recordings with their domains: every other scene, of which every third pair is for testing.

    A domain of fewer than three pairs tests on its last.
    """
    scenes = list(dict.fromkeys(recording.scene.name for recording in recordings))
    of_domain: dict[str, list[Recording]] = {"a": [], "b": []}
    for recording in recordings:
        of_domain["ab"[scenes.index(recording.scene.name) % 2]].append(recording)
    places: dict[str, tuple[Literal["a", "b"], Split]] = {}
    for domain, own in of_domain.items():
        last = len(own) // 2 - 1
        for number, recording in enumerate(own):
            pair = number // 2
            test = pair % 3 == 2 or (pair == last and last < 2)
            places[recording.name] = domain, "test" if test else "train"  # type: ignore[assignment]
    return [replace(r, domain=places[r.name][0], domain_split=places[r.name][1]) for r in recordings]
