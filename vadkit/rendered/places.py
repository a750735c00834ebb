"""The empty scenes that cameras see, and the light in them: day, dusk or night, and fog."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vadkit.demo.scenery import HEIGHT, WIDTH, paint

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Place:
    """A kind of scene: its horizon as a part of the height, colours (RGB), and how sound decays in it.

    ``decay`` is the seconds in which sound falls by 60 dB, ``cars`` and ``riders`` how many pass in a minute.
    """

    level: float
    ground: Colour
    wall: Colour
    outdoors: bool
    decay: float
    cars: float
    riders: float


PLACES = {
    "street": Place(0.42, (112, 110, 106), (150, 128, 108), True, 0.5, 4.0, 2.0),
    "hall": Place(0.46, (136, 126, 112), (168, 160, 140), False, 1.6, 0.0, 1.0),
    "yard": Place(0.36, (98, 104, 96), (120, 134, 146), True, 0.4, 0.5, 1.5),
    "square": Place(0.40, (142, 136, 124), (124, 140, 158), True, 0.7, 1.0, 3.0),
    "garage": Place(0.44, (84, 84, 88), (118, 120, 116), False, 2.2, 0.0, 0.5),
    "car_park": Place(0.38, (90, 92, 100), (104, 112, 100), True, 0.3, 3.0, 0.7),
    "market": Place(0.37, (126, 112, 96), (152, 112, 88), True, 0.45, 0.3, 2.0),
    "corridor": Place(0.34, (120, 124, 132), (174, 176, 170), False, 1.1, 0.0, 1.0),
}
LIGHT = {"day": (1.0, 1.0, 1.0), "dusk": (0.74, 0.62, 0.58), "night": (0.27, 0.29, 0.36)}
INDOORS_AT_NIGHT = 0.62
FOG = {"day": 196.0, "dusk": 130.0, "night": 52.0}  # grey level of fog
GRAIN = {"day": 2.5, "dusk": 4.0, "night": 6.0}  # deviation of the sensor's noise, in grey levels


@dataclass(frozen=True)
class Scene:
    """A scene. ``crowd`` is the number of passers-by in a picture on average."""

    name: str
    place: str
    cameras: int
    decay: float
    crowd: float
    seed: tuple[int, int]

    @property
    def outdoors(self) -> bool:
        return PLACES[self.place].outdoors


@dataclass(frozen=True)
class View:
    """What a camera sees while nothing moves.

    ``background`` is uint8 (HEIGHT, WIDTH, 3). A picture is multiplied by ``gain``, float32 of the same shape, after
    people are drawn, and ``haze``, uint8, is added; None changes nothing. Do not write into them.
    """

    level: float
    background: np.ndarray
    gain: np.ndarray | None
    haze: np.ndarray | None
    grain: float


@lru_cache(maxsize=32)
def view(scene: Scene, camera: int, time: str, weather: str) -> View:
    """Return what a camera of a scene sees. All cameras of a scene share its colours, up to their white balance."""
    place, colours = PLACES[scene.place], np.random.default_rng([*scene.seed, 10])
    ground, wall = (_varied(colours, colour) for colour in (place.ground, place.wall))
    rng = np.random.default_rng([*scene.seed, 11, camera])
    level = float(np.clip(place.level + rng.uniform(-0.06, 0.06), 0.28, 0.5))
    background = paint(rng, level, ground, wall)
    if weather == "snow":
        background = _under_snow(background, level)
    gain = np.broadcast_to(1 + rng.uniform(-0.06, 0.06, 3), background.shape).astype(np.float32)
    gain *= _light(rng, scene, level, time)
    haze = None
    if weather == "fog":
        clear = _clearness(rng, level)
        haze = np.broadcast_to((1 - clear) * FOG[time], background.shape).round().astype(np.uint8).copy()
        gain *= clear
    elif weather == "rain":
        gain *= np.array([0.8, 0.84, 0.9], np.float32)
    return View(level, background, gain, haze, GRAIN[time] if scene.outdoors else GRAIN["day"])


def _varied(rng: np.random.Generator, colour: Colour) -> Colour:
    red, green, blue = (int(v) for v in np.clip(np.array(colour) + rng.uniform(-16, 16, 3), 30, 220))
    return red, green, blue


def _rows() -> np.ndarray:
    return np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None, None]


def _under_snow(background: np.ndarray, level: float) -> np.ndarray:
    share = np.where(_rows() > level, 0.72, 0.12)
    covered = background + (np.array([226, 231, 238]) - background) * share
    return np.asarray(covered.astype(np.uint8))


def _light(rng: np.random.Generator, scene: Scene, level: float, time: str) -> np.ndarray:
    """Return the light as factors that broadcast over a picture: at night, lamps light parts of the ground."""
    if not scene.outdoors:
        return np.array([INDOORS_AT_NIGHT if time == "night" else 1.0], np.float32)
    light = np.broadcast_to(np.array(LIGHT[time], np.float32), (HEIGHT, WIDTH, 3)).copy()
    if time == "night":
        y, x = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j].astype(np.float32)
        for _ in range(int(rng.integers(2, 4))):
            column, row = rng.uniform(0.05, 0.95), rng.uniform(level, 0.9)
            pool = np.exp(-(((x - column) / rng.uniform(0.12, 0.24)) ** 2) - ((y - row) / rng.uniform(0.2, 0.4)) ** 2)
            light += 0.62 * pool[..., None] * np.array([1.0, 0.9, 0.68], np.float32)
    return np.minimum(light, 1.1)


def _clearness(rng: np.random.Generator, level: float) -> np.ndarray:
    """Return how much of each row is seen through fog, (HEIGHT, 1, 1): the nearer, the more."""
    far, near = rng.uniform(0.15, 0.35), rng.uniform(0.75, 0.95)
    along = np.clip((_rows() - level) / (1 - level), 0, 1)
    return np.asarray(far + (near - far) * along, np.float32)
