"""The promises of a corruption, on a moving picture and on a tone that becomes louder.

Legend: n samples of a piece of sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vadkit.kinds import Track
from vadkit.testing.report import Broken
from vadkit.testing.subject import Subject

FPS, SIZE = 10, (32, 48)
SECONDS = 12.0
RATE = 8_000
LATEST = 10.0  # seconds of sound, and of frames, that may wait
SAME = 1e-6
Shown = list[tuple[np.ndarray, float]]


def declares_its_levels(subject: Subject) -> None:
    """it says what it damages, "rgb" or "audio", and the amount at each of five severities"""
    modality, levels = getattr(subject.cls, "modality", None), getattr(subject.cls, "levels", ())
    if modality not in ("rgb", "audio"):
        raise Broken(f"modality is {modality!r}")
    if len(levels) != 5 or len(set(levels)) != 5 or sorted(levels) not in (list(levels), list(levels)[::-1]):
        raise Broken(f"levels are {levels!r}, not five that rise or fall")


def takes_five_severities(subject: Subject) -> None:
    """its severity is 1, 2, 3, 4 or 5, and any other is refused with a ValueError"""
    for severity in (1, 2, 3, 4, 5):
        subject.build({"severity": severity})
    for severity in (0, 6):
        try:
            subject.build({"severity": severity})
        except ValueError:
            continue
        raise Broken(f"it takes the severity {severity}")


def keeps_the_form(subject: Subject) -> None:
    """it keeps sizes and types, leaves what it is given as it is, and returns frames in order and all of the sound"""
    for severity in (1, 5):
        corruption = subject.build({"severity": severity})
        if subject.cls.modality == "audio":
            _check_sound(_sound(corruption, 0, (1000, 7, 4096)), _given_sound())
        else:
            _check_frames(_frames(corruption, 0))


def _check_sound(found: np.ndarray, given: np.ndarray) -> None:
    if found.dtype != np.float32 or found.shape != given.shape:
        raise Broken(f"{len(given)} samples become {found.dtype} {found.shape}; the track must keep its length")
    if not np.isfinite(found).all():
        raise Broken("some samples are not finite")


def _check_frames(found: Shown) -> None:
    if not found:
        raise Broken("it returns no frame at all")
    for frame, time in found:
        if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.shape != (*SIZE, 3):
            raise Broken(f"a frame at {time} s is {getattr(frame, 'dtype', '')} {np.shape(frame)}, not as it was given")
    times = [time for _, time in found]
    if any(later <= earlier for earlier, later in zip(times, times[1:])) or not np.isfinite(times).all():
        raise Broken("the times of its frames do not rise")


def draws_from_its_generator(subject: Subject) -> None:
    """equal generators give equal bytes, also from an object that has damaged another track before"""
    used, fresh = subject.build(), subject.build()
    _changed(used, 1)
    if not _equal(_changed(used, 3), _changed(fresh, 3)):
        raise Broken("a second run with an equal generator differs: begin must forget what was before")


def takes_any_pieces(subject: Subject) -> None:
    """how the sound is cut into pieces changes nothing"""
    if subject.cls.modality == "audio":
        whole = _sound(subject.build(), 3, (len(_given_sound()),))
        pieces = _sound(subject.build(), 3, (1, 999, 333, 4096))
        if whole.shape != pieces.shape or np.abs(whole - pieces).max() > SAME:
            raise Broken("in pieces of 1, 999, 333 and 4096 samples the sound differs from that in one piece")


def damages_more(subject: Subject) -> None:
    """the mildest severity changes something, and the most severe one more"""
    mild, severe = (_distance(subject, severity) for severity in (1, 5))
    if not 0 < mild < severe:
        raise Broken(f"the mean change is {mild:.3g} at severity 1 and {severe:.3g} at severity 5")


def _distance(subject: Subject, severity: int) -> float:
    """Return the mean change over two tracks: of frames as they are shown, of sound in its loudness, too."""
    corruption, sums = subject.build({"severity": severity}), 0.0
    for seed in (0, 1):
        found = _changed(corruption, seed).astype(np.float64)
        if subject.cls.modality == "audio":
            sums += float(np.abs(_loudness(found) - _loudness(_given_sound())).mean())
        else:
            clean = np.stack([frame for frame, _ in _given_frames()])
            sums += float(np.abs(found - clean).mean())
    return sums


def _loudness(sound: np.ndarray) -> np.ndarray:
    """Return the root mean square of every 5 ms."""
    power: np.ndarray = np.mean(np.square(sound, dtype=np.float64).reshape(-1, RATE // 200), axis=1)
    return np.asarray(np.sqrt(power))


def _changed(corruption: Any, seed: int) -> np.ndarray:
    """Return the damaged track: its sound, or the frames that are shown at even times."""
    if corruption.modality == "audio":
        return _sound(corruption, seed, (4096,))
    found = _frames(corruption, seed)
    times = np.array([time for _, time in found])
    ticks = np.searchsorted(times, np.arange(round(SECONDS * FPS)) / FPS + 1e-9) - 1
    return np.stack([found[max(0, tick)][0] for tick in ticks])


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(np.array_equal(one, other))


# -- what it is given ------------------------------------------------------------------------------
def _given_frames() -> Shown:
    """Return a texture that moves to the right, with its times."""
    texture = np.random.default_rng(0).integers(60, 256, (SIZE[0] // 8, SIZE[1] // 8, 3), dtype=np.uint8)
    image = texture.repeat(8, 0).repeat(8, 1)
    return [(np.roll(image, number, 1), number / FPS) for number in range(round(SECONDS * FPS))]


def _given_sound() -> np.ndarray:
    """Return a tone that changes its pitch and becomes louder, float32 (n,)."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    wave = np.sin(2 * np.pi * (300 + 50 * time) * time) * (0.02 + 0.05 * time)
    return wave.astype(np.float32)


def _frames(corruption: Any, seed: int) -> Shown:
    corruption.begin(Track(FPS), np.random.default_rng(seed))
    found: Shown = []
    for frame, time in _given_frames():
        kept = frame.copy()
        found += [(shown.copy(), at) for shown, at in corruption.frame(frame, time)]
        if not np.array_equal(frame, kept):
            raise Broken("it modifies the frames it was given")
        if time > LATEST and not found:
            raise Broken(f"after {LATEST:g} s no frame has come: it holds too many")
    return [*found, *corruption.last_frames()]


def _sound(corruption: Any, seed: int, pieces: Sequence[int]) -> np.ndarray:
    """Return all of the sound, given in pieces of these lengths by turns."""
    given, found, at, turn = _given_sound(), [np.zeros(0, np.float32)], 0, 0
    level = float(np.sqrt(np.mean(given.astype(np.float64) ** 2)))
    corruption.begin(Track(RATE, level), np.random.default_rng(seed))
    while at < len(given):
        piece = given[at : at + pieces[turn % len(pieces)]].copy()
        kept = piece.copy()
        found.append(corruption.samples(piece))
        at, turn = at + len(piece), turn + 1
        if not np.array_equal(piece, kept):
            raise Broken("it modifies the samples it was given")
        if at - sum(map(len, found)) > LATEST * RATE:
            raise Broken(f"more than {LATEST:g} s of sound wait: it holds too many samples")
    return np.concatenate([*found, corruption.last_samples()])


CORRUPTION = [
    declares_its_levels,
    takes_five_severities,
    keeps_the_form,
    draws_from_its_generator,
    takes_any_pieces,
    damages_more,
]
