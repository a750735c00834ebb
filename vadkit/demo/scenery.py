"""The empty scenes that the fixed cameras see."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

HEIGHT, WIDTH = 144, 192
# Horizon (part of the height), ground and wall colours (RGB) of each camera.
_PLACES = (
    (0.42, (112, 110, 106), (150, 128, 108)),  # street with a brick front
    (0.36, (98, 104, 96), (120, 134, 146)),  # yard before a concrete wall
    (0.46, (136, 126, 112), (168, 160, 140)),  # station hall
    (0.38, (90, 92, 100), (104, 112, 100)),  # car park with a hedge
)


def horizon(camera: int) -> float:
    """Return where the ground begins, as a part of the height."""
    return _PLACES[camera % len(_PLACES)][0]


@lru_cache(maxsize=8)
def background(camera: int) -> np.ndarray:
    """Return uint8 (HEIGHT, WIDTH, 3). The same for every clip of a camera; do not write into it."""
    return paint(np.random.default_rng([1000, camera]), *_PLACES[camera % len(_PLACES)])


def paint(
    rng: np.random.Generator, level: float, ground: tuple[int, int, int], wall: tuple[int, int, int]
) -> np.ndarray:
    """Return an empty scene, uint8 (HEIGHT, WIDTH, 3). ``level`` is the horizon, as a part of the height."""
    h, w = 2 * HEIGHT, 2 * WIDTH
    line = round(level * h)
    picture = np.empty((h, w, 3), np.float32)
    picture[:line] = np.array(wall) * np.linspace(1.08, 0.9, line)[:, None, None]
    picture[line:] = np.array(ground) * np.linspace(0.78, 1.12, h - line)[:, None, None]
    for cells, strength in ((6, 9.0), (24, 7.0), (96, 6.0)):  # stains, patches, grain
        spots = rng.standard_normal((cells, cells)).astype(np.float32)
        picture += strength * cv2.resize(spots, (w, h), interpolation=cv2.INTER_CUBIC)[..., None]
    image = np.clip(picture, 0, 255).astype(np.uint8)
    _furnish(image, line, rng)
    return cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def _furnish(image: np.ndarray, line: int, rng: np.random.Generator) -> None:
    """Put windows or posts on the wall, marks on the ground, a bench and a lamp post."""
    h, w = image.shape[:2]
    for x in range(round(rng.uniform(10, 40)), w - 30, round(rng.uniform(54, 80))):
        shade = [int(v) for v in rng.uniform(40, 90, 3)]
        top = round(rng.uniform(0.15, 0.3) * line)
        cv2.rectangle(image, (x, top), (x + 26, top + round(0.42 * line)), shade, -1, cv2.LINE_AA)
        cv2.rectangle(image, (x, top), (x + 26, top + round(0.42 * line)), (196, 192, 184), 1, cv2.LINE_AA)
    cv2.line(image, (0, line), (w, line), (70, 68, 66), 3, cv2.LINE_AA)
    vanishing = (round(rng.uniform(0.3, 0.7) * w), line - 30)
    for x in np.linspace(-0.3 * w, 1.3 * w, 7):
        near = np.array([x, h])
        far = near + (np.array(vanishing) - near) * 0.62
        cv2.line(image, near.astype(int).tolist(), far.astype(int).tolist(), (168, 164, 156), 2, cv2.LINE_AA)
    x = round(rng.uniform(0.1, 0.9) * w)
    cv2.line(image, (x, round(0.1 * h)), (x, line + 14), (54, 56, 60), 5, cv2.LINE_AA)
    cv2.circle(image, (x, round(0.1 * h)), 9, (214, 210, 190), -1, cv2.LINE_AA)
    x = round(rng.uniform(0.15, 0.7) * w)
    cv2.rectangle(image, (x, line + 4), (x + 60, line + 16), (92, 70, 52), -1, cv2.LINE_AA)
