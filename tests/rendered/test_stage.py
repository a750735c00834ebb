"""What is drawn and heard: an anomaly is where it is said to be, in what it shows in, and nothing else differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vadkit.demo.noises import RATE
from vadkit.demo.scenery import HEIGHT, WIDTH
from vadkit.demo.script import FPS
from vadkit.rendered.acoustics import reverberant
from vadkit.rendered.places import PLACES, Scene, view
from vadkit.rendered.plan import DISTRACTORS, KINDS, OUTSIDE, Happening, Recording
from vadkit.rendered.stage import Stage

SCENE = Scene("street_1", "street", 2, 0.4, 3.0, (0, 0))
START, END, FRAMES = 72, 132, 192
# Whether pictures and sound differ while it happens.
SHOWS = {
    "fire": (True, False),
    "fight": (True, False),
    "gunshots": (False, True),
    "explosion": (True, True),
    "panic": (True, True),
    "crash": (True, True),
    "camp fire": (True, False),
    "door slams": (False, True),
    "fireworks": (True, True),
    "running children": (True, True),
    "dance": (True, True),
    "thunder": (True, True),
}


def recording(kind: str = "normal", **changes: object) -> Recording:
    event = (Happening(kind, START, END, 1.0),)
    plain = Recording(
        "street_1_000", SCENE, 0, "train", "a", "train", kind if kind in KINDS else "normal", FRAMES, "day", "clear",
        3.0, event if kind in KINDS else (), event if kind in DISTRACTORS else (), (0, 0, 0),
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def pictures(stage: Stage, numbers: range) -> np.ndarray:
    stage.rng = np.random.default_rng(0)  # the same grain
    return np.stack([stage.frame(number) for number in numbers]).astype(int)


BEFORE, DURING = range(0, START, 9), range(START, END, 7)


@pytest.fixture(scope="module")
def calm() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    stage = Stage(recording())
    return pictures(stage, BEFORE), pictures(stage, DURING), stage.sound


@pytest.mark.parametrize("kind", SHOWS)
def test_it_shows_where_it_is_said_to(kind: str, calm: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    stage = Stage(recording(kind))
    before, during, sound = calm
    heard = np.abs(stage.sound - sound) > 2e-3
    in_samples = slice(round(START / FPS * RATE), round(END / FPS * RATE))
    seen = bool((np.abs(pictures(stage, DURING) - during) > 20).any())
    assert (seen, bool(heard[in_samples].any())) == SHOWS[kind]
    assert not heard[: round((START / FPS - 1) * RATE)].any()  # the whistle of a rocket is before its bang
    if kind in ("fire", "gunshots", "door slams", "thunder", "fireworks"):  # others come before it happens
        assert np.array_equal(pictures(stage, BEFORE), before)


def test_every_kind_is_tested() -> None:
    assert set(SHOWS) == {*KINDS, *DISTRACTORS}
    assert set(SHOWS) > OUTSIDE


@pytest.mark.parametrize("weather", ["clear", "rain", "snow", "fog"])
def test_times_and_weathers_are_seen(weather: str) -> None:
    day, dusk, night = (Stage(recording(time=time, weather=weather)) for time in ("day", "dusk", "night"))
    means = [stage.frame(0).mean() for stage in (day, dusk, night)]
    assert means[0] > means[1] > means[2] > 5
    if weather != "clear":
        clear = Stage(recording()).frame(0).astype(int)
        assert np.abs(day.frame(1).astype(int) - clear).mean() > 8


def test_a_frame_is_a_picture_and_the_sound_as_long() -> None:
    stage = Stage(recording())
    assert stage.frame(0).shape == (HEIGHT, WIDTH, 3) and stage.frame(0).dtype == np.uint8
    assert len(stage.sound) == round(FRAMES / FPS * RATE)
    assert np.abs(stage.sound).max() < 2 and stage.sound.std() > 1e-3


def test_cameras_and_scenes_differ() -> None:
    other = replace(SCENE, name="street_2", seed=(0, 8))
    seen = [view(scene, camera, "day", "clear").background for scene in (SCENE, other) for camera in (0, 1)]
    assert all(np.abs(a.astype(int) - b).mean() > 3 for i, a in enumerate(seen) for b in seen[:i])


@pytest.mark.parametrize("place", PLACES)
def test_every_place_can_be_drawn(place: str) -> None:
    scene = replace(SCENE, place=place, decay=PLACES[place].decay)
    assert Stage(recording(scene=scene, time="night", frames=96)).frame(5).std() > 5


def test_sound_dies_away_as_the_scene_says() -> None:
    click = np.zeros(3 * RATE)
    click[0] = 1.0
    for decay in (0.4, 1.6):
        heard = reverberant(click, decay, (1,))
        energy = np.cumsum(heard[1:][::-1] ** 2)[::-1]
        late = np.searchsorted(-energy, -1e-3 * energy[0]) / RATE  # 30 dB less
        assert decay / 2 == pytest.approx(late, rel=0.2)
    assert heard[0] == pytest.approx(1.0)


def test_sound_is_filtered_in_chunks_as_in_one() -> None:
    track = np.random.default_rng(0).standard_normal(300_000)
    one = np.convolve(track[-20_000:], reverberant(np.eye(1, 6_000)[0], 0.3, (1,)))[6_000:20_000]
    assert np.allclose(reverberant(track, 0.3, (1,))[-14_000:], one)
