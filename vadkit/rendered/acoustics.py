"""The sound of a recording: its background, what distractors sound like, and the reverberation of the scene."""

from __future__ import annotations

import numpy as np

from vadkit.demo import noises
from vadkit.demo.noises import RATE, Rng
from vadkit.demo.script import FPS

LOOP = 128 * 4096  # samples after which the background noise repeats, without a seam
CHUNK = 30 * 4096  # samples that are filtered at a time
WET = (0.12, 0.4)  # loudness of the reverberation, where it is short and where it is long


def background(rng: Rng, frames: int, busy: float, rain: bool) -> np.ndarray:
    """Return a track of everyday sounds, ``busy`` of them in a second, over the noise of the place."""
    length = round(frames / FPS * RATE)
    floor = noises.street(rng, LOOP) * float(rng.uniform(0.4, 1.3))
    if rain:
        floor += rng.uniform(0.5, 1.2) * noises.hiss(rng, LOOP, 400, 7000)
    track: np.ndarray = 0.02 * np.resize(floor, length)
    for _ in range(rng.poisson(busy * frames / FPS)):
        sound = noises.EVERYDAY[rng.integers(len(noises.EVERYDAY))](rng)
        noises.lay(track, sound, int(rng.integers(0, length)), 0.06 * rng.uniform(0.3, 1.4))
    return track


def screams(rng: Rng, track: np.ndarray, start: int, end: int, gain: float) -> None:
    """Lay screams over a track between two frames."""
    at, stop = start / FPS, end / FPS
    while at < stop - 0.5:
        fits = noises.scream(rng)[: round((stop - at) * RATE)]
        noises.lay(track, fits, round(at * RATE), 0.07 * rng.uniform(0.6, 1.3) * gain)
        at += rng.uniform(0.3, 0.9)


def collision(rng: Rng, track: np.ndarray, start: int, gain: float) -> None:
    """Lay the bang of two cars and the breaking of glass over a track."""
    noises.lay(track, noises.bang(rng, 0.7), round(start / FPS * RATE), 0.12 * gain)
    length = round(rng.uniform(0.5, 0.9) * RATE)
    glass = noises.hiss(rng, length, 3000, 7500) * np.exp(-np.arange(length) / (0.2 * RATE))
    noises.lay(track, glass * (rng.random(length) > 0.4), round((start / FPS + 0.08) * RATE), 0.1 * gain)


def slams(rng: Rng, track: np.ndarray, start: int, end: int, gain: float) -> None:
    """Lay doors that fall shut over a track, as loud as shots."""
    for at in rng.uniform(start / FPS, max(start, end - FPS) / FPS, int(rng.integers(1, 5))):
        noises.lay(track, noises.slam(rng), round(at * RATE), 0.12 * rng.uniform(0.8, 1.4) * gain)


def firework(rng: Rng, track: np.ndarray, frame: int, gain: float) -> None:
    """Lay the whistle of a rocket that bursts at ``frame``, the bang and the crackling over a track."""
    time = noises.times(rng.uniform(0.5, 0.9))
    whistle = np.sin(2 * np.pi * (1500 + 900 * time) * time) * noises.swell(len(time))
    bang_at = round((frame / FPS + 0.25) * RATE)
    noises.lay(track, whistle, round(frame / FPS * RATE) - len(time), 0.03 * gain)
    noises.lay(track, noises.bang(rng, rng.uniform(0.3, 0.6)), bang_at, 0.08 * gain)
    length = round(0.7 * RATE)
    crackle = noises.hiss(rng, length, 2000, 7000) * (rng.random(length) > 0.995) * 4
    noises.lay(track, crackle, bang_at + 2000, 0.06 * gain)


def laughter(rng: Rng, track: np.ndarray, start: int, end: int, gain: float) -> None:
    """Lay the shouting and laughing of children over a track: as high as screams, but in short pieces."""
    at = start / FPS
    while at < end / FPS - 1.2:
        time = noises.times(rng.uniform(0.5, 1.1))
        angle = 2 * np.pi * np.cumsum(rng.uniform(480, 820) * (1 + 0.06 * np.sin(9 * time))) / RATE
        voice = np.sin(angle) + 0.5 * np.sin(2 * angle) + 0.3 * np.sin(3 * angle)
        pieces = np.clip(np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * time), 0, 1)
        noises.lay(track, voice * pieces * noises.swell(len(time)), round(at * RATE), 0.06 * gain)
        at += rng.uniform(0.6, 2.0)


def music(rng: Rng, track: np.ndarray, start: int, end: int, beat: float, gain: float) -> None:
    """Lay a drum and a tune over a track, ``beat`` times a second."""
    notes = 220 * 2 ** (rng.choice([0, 3, 5, 7, 10], 8) / 12)
    drum_time = noises.times(0.18)
    drum = np.sin(2 * np.pi * 60 * drum_time) * np.exp(-drum_time / 0.05)
    for number, at in enumerate(np.arange(start / FPS, end / FPS - 0.5, 1 / beat)):
        time = noises.times(0.8 / beat)
        tone = np.sin(2 * np.pi * notes[number % 8] * time) * noises.swell(len(time))
        noises.lay(track, 2.0 * drum, round(at * RATE), 0.08 * gain)
        noises.lay(track, tone, round(at * RATE), 0.04 * gain)


def thunder(rng: Rng, track: np.ndarray, start: int, end: int, gain: float) -> None:
    """Lay a long rumble over a track: as sudden as an explosion, but lower, and later than its flash."""
    length = round(max(1.0, (end - start) / FPS - 1.0) * RATE)
    roll = 1 + 0.6 * np.sin(np.linspace(0, rng.uniform(9, 20), length))
    rumble = noises.hiss(rng, length, 25, 260) * np.exp(-np.arange(length) / (0.35 * length)) * roll
    noises.lay(track, rumble, round((start / FPS + rng.uniform(0.3, 1.0)) * RATE), 0.14 * gain)


def reverberant(track: np.ndarray, decay: float, seed: tuple[int, ...]) -> np.ndarray:
    """Return a track as it is heard in a scene where sound falls by 60 dB in ``decay`` seconds."""
    room = _room(decay, seed)
    size = CHUNK + 4096 * -(-len(room) // 4096)
    spectrum = np.fft.rfft(room, size)
    heard = np.zeros(len(track) + size)
    for start in range(0, len(track), CHUNK):
        part = np.fft.irfft(np.fft.rfft(track[start : start + CHUNK], size) * spectrum, size)
        heard[start : start + size] += part
    return heard[: len(track)]


def _room(decay: float, seed: tuple[int, ...]) -> np.ndarray:
    """Return the impulse response: the sound itself, and dense reflections that die away."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(1.1 * decay * RATE)) / RATE
    tail = rng.standard_normal(len(time)) * np.exp(-6.9 * time / decay)
    tail[: round(rng.uniform(0.004, 0.02) * RATE)] = 0
    tail *= np.interp(decay, (0.3, 2.0), WET) / np.sqrt(np.sum(tail**2) + 1e-12)
    tail[0] = 1.0
    return np.asarray(tail)
