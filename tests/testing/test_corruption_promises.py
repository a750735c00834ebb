"""Broken promises of corruptions are found, each broken once on purpose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faulty import broken, named

from vadkit import Corruption, Track

pytestmark = pytest.mark.guards("6")


class Fade(Corruption):
    """Make the pictures darker."""

    modality = "rgb"
    levels = (10, 20, 30, 40, 50)

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        self.count = 0

    def frame(self, frame: np.ndarray, time: float) -> list[tuple[np.ndarray, float]]:
        return [((frame * (1 - self.level / 100)).astype(np.uint8), time)]


class Quieter(Corruption):
    """Make the sound quieter."""

    modality = "audio"
    levels = (10, 20, 30, 40, 50)

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        self.rng, self.kept = rng, np.zeros(0, np.float32)

    def samples(self, samples: np.ndarray) -> np.ndarray:
        return samples * np.float32(1 - self.level / 100)


def faulty(base: type, **members: Any) -> str:
    """Return the broken promises of a class with other members, as text."""
    return str(broken(type("F", (base,), {"name": "f", "__doc__": "Break it.", **members})))


def test_sound_ones_pass() -> None:
    assert [broken(named(cls)) for cls in (Fade, Quieter)] == [{}, {}]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"modality": "flow"}, "modality is 'flow'"),
        ({"levels": (1, 2, 3)}, "not five that rise or fall"),
        ({"levels": (10, 30, 20, 40, 50)}, "not five that rise or fall"),
        ({"frame": lambda self, frame, time: []}, "holds too many"),
        ({"frame": lambda self, frame, time: [(frame[1:], time)]}, "not as it was given"),
        ({"frame": lambda self, frame, time: [(frame / 2, time)]}, "not as it was given"),
        ({"frame": lambda self, frame, time: [(frame // 2, 0.0)]}, "do not rise"),
        ({"frame": lambda self, frame, time: [(frame, time)]}, "the mean change is 0"),
        ({"frame": lambda self, frame, time: [(frame // 2, time)]}, "at severity 5"),
    ],
)
def test_frames(members: dict[str, Any], said: str) -> None:
    assert said in faulty(Fade, **members)


def test_the_frames_it_is_given_stay_as_they_are() -> None:
    def frame(self: Any, frame: np.ndarray, time: float) -> list[tuple[np.ndarray, float]]:
        frame[:] = 0
        return [(frame, time)]

    assert "modifies the frames" in faulty(Fade, frame=frame)


def test_what_was_before_is_forgotten() -> None:
    def frame(self: Any, frame: np.ndarray, time: float) -> list[tuple[np.ndarray, float]]:
        self.seen = getattr(self, "seen", 0) + 1
        return [((frame * (1 - self.level / 100) + self.seen % 7).astype(np.uint8), time)]

    assert "must forget what was before" in faulty(Fade, frame=frame)


def test_any_severity_is_checked() -> None:
    def init(self: Any, *, severity: int = 3) -> None:
        self.severity, self.level = severity, 10.0 * severity

    assert "takes the severity 0" in faulty(Fade, __init__=init)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (lambda self, samples: samples[:-1], "must keep its length"),
        (lambda self, samples: samples.astype(np.float64), "must keep its length"),
        (lambda self, samples: samples * np.float32("nan"), "not finite"),
        (lambda self, samples: samples[:0], "holds too many samples"),
        (lambda self, samples: samples / (1 + len(samples) * self.level), "in pieces"),
        (lambda self, samples: np.multiply(samples, np.float32(0.5), out=samples), "modifies the samples"),
    ],
)
def test_samples(samples: Any, said: str) -> None:
    assert said in faulty(Quieter, samples=samples)
