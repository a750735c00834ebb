"""Lights: the fire that is an anomaly, the coloured sign that is none, and the flash."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vadkit.demo.people import place
from vadkit.demo.scenery import HEIGHT, WIDTH
from vadkit.demo.script import FPS

SIGNS = ((60, 130, 255), (70, 230, 120), (235, 90, 200), (240, 240, 250), (255, 150, 60), (255, 60, 60))


@dataclass(frozen=True)
class Glow:
    """A picture part that is blended in: colours (h, w, 3) with opacity (h, w, 1) at row, column.

    ``strength`` (frames,) is its opacity over time. It never moves.
    """

    colours: np.ndarray
    opacity: np.ndarray
    row: int
    column: int
    strength: np.ndarray

    def draw(self, image: np.ndarray, frame: int) -> None:
        strength = float(self.strength[frame])
        if strength <= 0:
            return
        part = image[self.row : self.row + len(self.colours), self.column : self.column + self.colours.shape[1]]
        rows, columns = part.shape[:2]
        alpha = self.opacity[:rows, :columns] * strength
        part[:] = (part + (self.colours[:rows, :columns] - part) * alpha).astype(np.uint8)


def fade(frames: int, start: int, end: int, ramp: float = 0.8) -> np.ndarray:
    """Return (frames,): 0, rising to 1 within ``ramp`` seconds from ``start``, falling to 0 at ``end``."""
    time = np.arange(frames)
    return np.clip(np.minimum(time - start + 1, end - time) / (ramp * FPS), 0, 1)


def fire(
    rng: np.random.Generator, frames: int, start: int, end: int, level: float, size: float = 1.0, dense: float = 1.0
) -> Glow:
    """Return flames with smoke above them, somewhere on the ground; ``dense`` multiplies their opacity."""
    column, foot, h = place(rng.uniform(0.15, 0.85), rng.uniform(0.25, 0.85), level)
    h *= size
    height, width = round(rng.uniform(1.4, 1.9) * h) + 8, round(rng.uniform(1.0, 1.4) * h) + 8
    y, across = np.mgrid[0 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    ragged = cv2.resize(rng.standard_normal((6, 7)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    flame = np.clip(1.35 * y - 0.35 - np.abs(across) * (1.3 - 0.4 * y) + 0.16 * ragged, 0, 1)
    smoke = np.clip(0.75 - np.abs(across) * 1.1 - np.abs(y - 0.3) * 1.1 + 0.16 * ragged, 0, 1)
    hot = np.clip(flame * 3.2, 0, 1)[..., None]
    core = np.clip(flame * 2.2 - 0.5, 0, 1)[..., None]
    orange = np.array([255, 118, 18], np.float32) + core * np.array([0, 110, 120], np.float32)
    colours = hot * orange + (1 - hot) * np.array([46, 42, 42], np.float32)
    opacity = np.clip(np.maximum(flame * 3.2, smoke * 0.9), 0, 0.95)[..., None]
    row = max(0, min(round(foot) - height, HEIGHT - 8))
    at = max(0, min(round(column) - width // 2, WIDTH - 8))
    return Glow(colours, opacity, row, at, dense * fade(frames, start, end))


def sign(rng: np.random.Generator, frames: int, level: float) -> Glow:
    """Return a coloured light on the wall that goes on and off once. Normal."""
    height, width = int(rng.integers(10, 18)), int(rng.integers(16, 34))
    colour = np.array(SIGNS[rng.integers(len(SIGNS))], np.float32)
    start = int(rng.integers(0, frames - 2 * FPS))
    end = start + int(rng.integers(2 * FPS, 5 * FPS))
    soft = cv2.GaussianBlur(np.pad(np.ones((height, width), np.float32), 4), (0, 0), 2.0)[..., None]
    row = int(rng.integers(2, max(3, round(level * HEIGHT) - height - 8)))
    column = int(rng.integers(0, WIDTH - width - 8))
    colours = np.broadcast_to(colour, (*soft.shape[:2], 3))
    return Glow(colours, soft * 0.9, row, column, fade(frames, start, end))


def flash(start: int, frame: int) -> float:
    """Return how much brighter the whole picture is at ``frame``: a burst that fades within half a second."""
    since = frame - start
    return 110 * 0.5**since if 0 <= since < 6 else 0.0
