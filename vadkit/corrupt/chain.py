"""Which corruptions a video gets, and the chain that its pictures and its sound go through, in the order given.

What is drawn depends on the seed, the name of the video, the corruption and how often it came before, and on
nothing else: a severity draws as the others do, and a copy on another machine is the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vadkit.components import build_component, find_component
from vadkit.kinds import Corruption, Track
from vadkit.plugin_manager import Plugins
from vadkit.problems import Problem, VadkitError, fail

MOST = 8  # corruptions at once
SEEDS = 2**32


@dataclass(frozen=True)
class Damage:
    """A corruption by name, and its severity from 1 to 5."""

    name: str
    severity: int

    def __str__(self) -> str:
        return f"{self.name}:{self.severity}"

    def build(self, plugins: Plugins | None = None) -> Corruption:
        """Return the component. Raises VadkitError for a name or severity that there is not."""
        component = find_component(self.name, "corruption", plugins)
        return build_component(component, {"severity": self.severity}, str(self))  # type: ignore[no-any-return]


def parse(text: str) -> Damage:
    """Return what NAME:SEVERITY says. Raises VadkitError, also for a name or severity that there is not."""
    name, colon, severity = text.strip().partition(":")
    if not (name and colon and re.fullmatch(r"\d{1,3}", severity)):
        fail(
            f"'{text}' is not NAME:SEVERITY", "for example blur:3; severities are 1 to 5, see 'vadkit list corruption'"
        )
    damage = Damage(name, int(severity))
    if damage.severity not in range(1, 6):
        fail(f"'{text}': the severity must be from 1 to 5")
    damage.build()
    return damage


def parse_all(texts: Iterable[str]) -> tuple[Damage, ...]:
    """Return all corruptions of a video, with everything that is wrong at once."""
    found, problems = [], []
    for text in texts:
        try:
            found.append(parse(text))
        except VadkitError as error:
            problems += error.problems
    if len(found) > MOST:
        problems.append(Problem(f"{len(found)} corruptions at once are too many; at most {MOST}"))
    if problems:
        raise VadkitError(problems)
    return tuple(found)


def described(damages: Sequence[Damage]) -> list[dict[str, Any]]:
    """Return the corruptions as plain data, with the amount of each."""
    built = [(damage, damage.build()) for damage in damages]
    return [
        {"use": damage.name, "severity": damage.severity, "modality": made.modality, "level": made.level,
         "unit": made.unit}
        for damage, made in built
    ]  # fmt: skip


def check_seed(seed: int) -> None:
    """Raise VadkitError for a seed that no generator takes."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < SEEDS:
        fail(f"seed must be from 0 to {SEEDS - 1}, got {seed!r}")


def generator(seed: int, video: str, name: str, earlier: int) -> np.random.Generator:
    """Return the generator of a corruption of a video; ``earlier`` ones of the same name came before."""
    key = f"{video}\0{name}\0{earlier}".encode("utf-8", "surrogateescape")
    return np.random.default_rng([seed, *np.frombuffer(hashlib.sha256(key).digest(), np.uint32).tolist()])


class Chain:
    """The corruptions of one video. Each of its two tracks begins once, and ends once."""

    def __init__(self, damages: Sequence[Damage], seed: int, video: str) -> None:
        names = [damage.name for damage in damages]
        built = [damage.build() for damage in damages]
        rngs = [generator(seed, video, name, names[:i].count(name)) for i, name in enumerate(names)]
        self.both = list(zip(built, rngs))
        self.of_pictures = [corruption for corruption in built if corruption.modality == "rgb"]
        self.of_sound = [corruption for corruption in built if corruption.modality == "audio"]

    def begin(self, pictures: Track, sound: Track) -> None:
        """Begin with a video."""
        for corruption, rng in self.both:
            corruption.begin(pictures if corruption.modality == "rgb" else sound, rng)

    def frame(self, frame: np.ndarray, time: float) -> list[tuple[np.ndarray, float]]:
        """Return the frames that the next frame becomes, or that came to wait and are now ready."""
        return _through(self.of_pictures, [(frame, time)])

    def last_frames(self) -> list[tuple[np.ndarray, float]]:
        """Return the frames that are left at the end."""
        found: list[tuple[np.ndarray, float]] = []
        for number, corruption in enumerate(self.of_pictures):
            found += _through(self.of_pictures[number + 1 :], corruption.last_frames())
        return found

    def samples(self, samples: np.ndarray) -> np.ndarray:
        """Return what the next samples become, float32 (n,)."""
        for corruption in self.of_sound:
            samples = corruption.samples(samples)
        return samples

    def last_samples(self) -> np.ndarray:
        """Return the samples that are left at the end."""
        found = np.zeros(0, np.float32)
        for corruption in self.of_sound:  # what an earlier one still held goes through the later ones first
            found = np.concatenate([corruption.samples(found), corruption.last_samples()])
        return found


def _through(
    corruptions: Sequence[Corruption], frames: list[tuple[np.ndarray, float]]
) -> list[tuple[np.ndarray, float]]:
    for corruption in corruptions:
        frames = [shown for frame, time in frames for shown in corruption.frame(frame, time)]
    return frames
