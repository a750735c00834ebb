"""The sound track: everyday noise in every clip, bangs and screams in some. float32 in [-1, 1]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vadkit.demo.script import FPS

RATE = 16000
Rng = np.random.Generator


def times(seconds: float) -> np.ndarray:
    """Return the time of each sample, in seconds."""
    return np.arange(round(seconds * RATE)) / RATE


def hiss(rng: Rng, length: int, low: float, high: float) -> np.ndarray:
    """Return noise between two frequencies, with a deviation of 1."""
    whole = -(-length // 4096) * 4096  # a length that factors well: a prime one takes many times as long
    spectrum = np.fft.rfft(rng.standard_normal(whole))
    frequency = np.fft.rfftfreq(whole, 1 / RATE)
    spectrum[(frequency < low) | (frequency > high)] = 0
    noise: np.ndarray = np.fft.irfft(spectrum, whole)[:length]
    sound: np.ndarray = noise / (noise.std() + 1e-9)
    return sound


def swell(length: int) -> np.ndarray:
    """Return (length,): half a sine, from 0 to 1 and back."""
    return np.sin(np.linspace(0, np.pi, length))


def street(rng: Rng, length: int) -> np.ndarray:
    """The floor under everything: a distant rumble and mains hum."""
    time = np.arange(length) / RATE
    hum = 0.3 * np.sin(2 * np.pi * 50 * time + rng.uniform(0, 6)) + 0.2 * np.sin(2 * np.pi * 100 * time)
    return hiss(rng, length, 40, 900) + 0.3 * hiss(rng, length, 900, 6000) + hum


def horn(rng: Rng) -> np.ndarray:
    time = times(rng.uniform(0.25, 0.6))
    low = rng.uniform(330, 460)
    tones = [np.sign(np.sin(2 * np.pi * low * ratio * time)) for ratio in (1, 1.26)]
    sound: np.ndarray = 0.5 * sum(tones) * np.minimum(1, swell(len(time)) * 5)
    return sound


def steps(rng: Rng) -> np.ndarray:
    out = np.zeros(round(rng.uniform(1.5, 3.0) * RATE))
    for at in np.arange(0, len(out) - 2000, round(rng.uniform(0.4, 0.55) * RATE)):
        click = hiss(rng, 1600, 150, 2500) * np.exp(-np.arange(1600) / 260)
        out[at : at + 1600] += click
    return out


def talk(rng: Rng) -> np.ndarray:
    """Voices without words: a buzz at speaking pitch, cut into syllables."""
    time = times(rng.uniform(1.0, 2.5))
    pitch = rng.uniform(100, 220) * (1 + 0.08 * np.sin(2 * np.pi * rng.uniform(0.6, 1.4) * time))
    angle = 2 * np.pi * np.cumsum(pitch) / RATE
    buzz = sum(np.sin(k * angle) / k for k in range(1, 14))
    syllables = np.clip(np.sin(2 * np.pi * rng.uniform(2.5, 4) * time + rng.uniform(0, 6)), 0, 1)
    sound: np.ndarray = buzz * syllables * swell(len(time))
    return sound


def bird(rng: Rng) -> np.ndarray:
    time = times(rng.uniform(0.5, 1.2))
    chirp = np.sin(2 * np.pi * (rng.uniform(2800, 4200) * time + 40 * np.sin(2 * np.pi * rng.uniform(6, 12) * time)))
    sound: np.ndarray = chirp * (np.sin(2 * np.pi * rng.uniform(4, 7) * time) > 0) * swell(len(time))
    return sound


def engine(rng: Rng) -> np.ndarray:
    length = round(rng.uniform(1.5, 3.0) * RATE)
    sound: np.ndarray = hiss(rng, length, 60, 500) * swell(length) ** 2
    return sound


def slam(rng: Rng) -> np.ndarray:
    """A door: as sudden as a shot, but dull."""
    length = round(0.35 * RATE)
    return 1.6 * hiss(rng, length, 50, 450) * np.exp(-np.arange(length) / (0.06 * RATE))


EVERYDAY: tuple[Callable[[Rng], np.ndarray], ...] = (horn, steps, talk, bird, engine, slam)


def bang(rng: Rng, seconds: float = 0.35) -> np.ndarray:
    length = round(seconds * RATE)
    decay = np.exp(-np.arange(length) / (0.22 * seconds * RATE))
    return 2.2 * (0.6 * hiss(rng, length, 80, 1200) + 0.5 * hiss(rng, length, 1200, 7000)) * decay


def scream(rng: Rng) -> np.ndarray:
    time = times(rng.uniform(0.6, 1.2))
    pitch = rng.uniform(750, 1250) * (1 + 0.18 * swell(len(time)) + 0.03 * np.sin(2 * np.pi * 7 * time))
    angle = 2 * np.pi * np.cumsum(pitch) / RATE
    cry: np.ndarray = np.sin(angle) + 0.6 * np.sin(2 * angle) + 0.4 * np.sin(3 * angle)
    return np.asarray(cry * np.minimum(1, 4 * swell(len(time))))


def lay(track: np.ndarray, sound: np.ndarray, at: int, gain: float) -> None:
    """Add a sound to a track from sample ``at`` on; what would be after the end is cut off."""
    part = track[max(at, 0) : at + len(sound)]
    part += gain * sound[: len(part)]


def everyday(rng: Rng, frames: int) -> np.ndarray:
    """Return the track of a normal clip: each everyday sound about once in four seconds."""
    length = round(frames / FPS * RATE)
    track = 0.02 * street(rng, length)
    for _ in range(max(3, round(frames / FPS / 1.3))):
        sound = EVERYDAY[rng.integers(len(EVERYDAY))](rng)
        lay(track, sound, int(rng.integers(0, length)), 0.06 * rng.uniform(0.5, 1.4))
    return track


def shots(rng: Rng, track: np.ndarray, start: int, end: int, gain: float = 1.0) -> None:
    """Lay bangs and screams over a track between two frames."""
    at, stop = start / FPS, end / FPS
    while at < stop - 0.3:
        shoot = rng.random() < 0.55
        sound = bang(rng) if shoot else scream(rng)
        fits = sound[: round((stop - at) * RATE)]
        lay(track, fits, round(at * RATE), 0.09 * rng.uniform(0.8, 1.4) * gain)
        at += rng.uniform(0.2, 0.55) if shoot else rng.uniform(0.5, 0.9)


def blast(rng: Rng, track: np.ndarray, start: int, end: int, gain: float = 1.0) -> None:
    """Lay one long bang and the screams after it over a track."""
    lay(track, bang(rng, min(1.6, (end - start) / FPS)), round(start / FPS * RATE), 0.16 * gain)
    at = start / FPS + 0.5
    while at < end / FPS - 0.5:
        lay(track, scream(rng), round(at * RATE), 0.07 * rng.uniform(0.6, 1.3) * gain)
        at += rng.uniform(0.5, 1.0)
