"""Rain and snow in front of the picture."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from vadkit.demo.scenery import HEIGHT, WIDTH

SPEED = {"rain": 41, "snow": 3}  # rows in a frame


def draw_weather(image: np.ndarray, weather: str, number: int, seed: int) -> np.ndarray:
    """Return a picture with what falls in frame ``number``; fog and a clear sky leave it alone."""
    if weather not in SPEED:
        return image
    row = -number * SPEED[weather] % HEIGHT
    # Rain is too fast to follow; each frame shows other drops.
    column = (seed + number * 67) % WIDTH if weather == "rain" else round(seed + 4 * np.sin(number / 9)) % WIDTH
    part = _texture(weather)[row : row + HEIGHT, column : column + WIDTH]
    return np.asarray(cv2.add(image, part))


@lru_cache(maxsize=2)
def _texture(weather: str) -> np.ndarray:
    """Return uint8 of twice the picture's size, which repeats itself in both directions."""
    rng = np.random.default_rng(12)
    picture = np.zeros((HEIGHT, WIDTH), np.uint8)
    if weather == "rain":
        for x, y, length in zip(rng.integers(WIDTH, size=90), rng.integers(HEIGHT, size=90), rng.integers(7, 17, 90)):
            cv2.line(picture, (int(x), int(y)), (int(x) - 2, int(y + length)), int(rng.integers(24, 60)), 1)
    else:
        for x, y in rng.integers(0, (WIDTH, HEIGHT), (130, 2)):
            cv2.circle(picture, (int(x), int(y)), int(rng.integers(0, 2)), int(rng.integers(70, 190)), -1, cv2.LINE_AA)
    return np.repeat(np.tile(picture, (2, 2))[..., None], 3, axis=2)
