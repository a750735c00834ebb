"""What each corruption does to frames and samples, against slow and obvious forms of the same."""

from __future__ import annotations

import numpy as np
import pytest

from vadkit.components import find_component
from vadkit.kinds import Track

RATE, FPS = 16_000, 25


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def tone(seconds: float = 12.0, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def sound(name: str, severity: int, given: np.ndarray, seed: int = 0) -> np.ndarray:
    corruption = find_component(name, "corruption")(severity=severity)  # type: ignore[call-arg]
    corruption.begin(Track(RATE, float(np.sqrt(np.mean(given.astype(float) ** 2)))), rng(seed))
    return np.concatenate([corruption.samples(given), corruption.last_samples()])


def frames(name: str, severity: int, given: list[np.ndarray], seed: int = 0) -> list[tuple[np.ndarray, float]]:
    corruption = find_component(name, "corruption")(severity=severity)  # type: ignore[call-arg]
    corruption.begin(Track(FPS), rng(seed))
    found = [shown for number, frame in enumerate(given) for shown in corruption.frame(frame, number / FPS)]
    return [*found, *corruption.last_frames()]


def moving(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    texture = rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return [np.roll(texture, number, 1) for number in range(count)]


# -- sound -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("severity", "decibels"), [(1, 20), (2, 10), (3, 5), (4, 0), (5, -5)])
def test_noise_has_the_stated_distance_from_the_track(severity: int, decibels: float) -> None:
    given = tone()
    noise = sound("noise", severity, given).astype(float) - given
    ratio = 10 * np.log10(np.mean(given.astype(float) ** 2) / np.mean(noise**2))
    assert ratio == pytest.approx(decibels, abs=0.1)
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.02


def test_noise_is_heard_in_silence() -> None:
    assert 0 < np.abs(sound("noise", 1, np.zeros(RATE, np.float32))).max() < 0.01


def test_clipping_cuts_off_what_is_louder_and_nothing_else() -> None:
    given = tone()
    level = float(np.sqrt(np.mean(given.astype(float) ** 2)))
    for severity, times in enumerate((2, 1, 0.5, 0.25, 0.125), 1):
        wanted = [max(-times * level, min(times * level, float(x))) for x in given[:500]]
        np.testing.assert_allclose(sound("clipping", severity, given)[:500], wanted, rtol=1e-6)


@pytest.mark.parametrize(("severity", "share"), [(1, 0.1), (2, 0.25), (3, 0.5), (4, 0.75), (5, 0.9)])
def test_so_much_of_the_sound_is_lost_in_one_hole_of_every_4_seconds(severity: int, share: float) -> None:
    given = np.ones(12 * RATE, np.float32)
    found = sound("dropped_sound", severity, given)
    assert set(np.unique(found)) == {0, 1}
    holes = [np.flatnonzero(part == 0) for part in found.reshape(3, -1)]
    assert [len(hole) for hole in holes] == [round(share * 4 * RATE)] * 3
    assert all((np.diff(hole) == 1).all() for hole in holes)
    assert len({int(hole[0]) for hole in holes}) == 3


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_sound_is_shifted_and_keeps_its_length(severity: int) -> None:
    given = rng(2).standard_normal(8 * RATE).astype(np.float32)
    shift, empty = round((0.5, 1, 2, 3.5, 5)[severity - 1] * RATE), np.zeros(8 * RATE, np.float32)
    late, early = empty.copy(), empty.copy()
    late[shift:], early[:-shift] = given[:-shift], given[shift:]
    found = {seed: sound("sound_shift", severity, given, seed) for seed in range(6)}
    assert all(np.array_equal(x, late) or np.array_equal(x, early) for x in found.values())
    assert any(np.array_equal(x, late) for x in found.values()) and any(
        np.array_equal(x, early) for x in found.values()
    )


def test_sound_shorter_than_its_shift_becomes_silence() -> None:
    assert all(not sound("sound_shift", 5, tone(1.0), seed).any() for seed in range(4))


def test_a_low_bit_rate_delays_nothing_and_costs_the_high_tones() -> None:
    given = (tone() + 0.2 * rng(3).standard_normal(12 * RATE)).astype(np.float32)
    found = sound("low_bit_rate", 5, given)
    lags = range(-400, 401)
    middle = slice(RATE, 3 * RATE)
    match = [float(np.dot(given[middle], found[RATE + lag : 3 * RATE + lag])) for lag in lags]
    assert abs(lags[int(np.argmax(match))]) <= 40  # 2.5 ms
    assert np.std(found) == pytest.approx(np.std(given), rel=0.3)
    power = np.abs(np.fft.rfft(found[RATE : 9 * RATE])) ** 2
    hertz = np.fft.rfftfreq(8 * RATE, 1 / RATE)
    assert power[hertz > 5000].sum() < 0.01 * power[hertz < 4000].sum()


# -- pictures --------------------------------------------------------------------------------------
def test_blur_is_three_means_of_a_square() -> None:
    (given,) = moving(1, 20, 24)
    wanted = given.astype(int)
    for _ in range(3):
        for axis in (0, 1):
            padded = np.pad(wanted, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
            length = wanted.shape[axis]
            parts = [padded.take(range(i, i + length), axis) for i in range(3)]
            wanted = (parts[0] + parts[1] + parts[2] + 1) // 3
    ((found, _),) = frames("blur", 5, [given])  # 5 % of 20
    np.testing.assert_array_equal(found, wanted)


def test_low_light_leaves_so_much_of_the_light_and_adds_noise() -> None:
    given = np.full((60, 80, 3), 200, np.uint8)
    for severity, share in enumerate((0.5, 0.3, 0.18, 0.1, 0.05), 1):
        ((found, _),) = frames("low_light", severity, [given])
        assert found.mean() == pytest.approx(200 * share, abs=0.2)
        assert found.std() == pytest.approx(np.sqrt(4 + 0.5 * 200 * share), rel=0.05)


@pytest.mark.parametrize(("severity", "share"), [(1, 0.1), (2, 0.2), (3, 0.35), (4, 0.5), (5, 0.7)])
def test_an_occlusion_covers_its_share_at_one_place(severity: int, share: float) -> None:
    given = [np.full((120, 160, 3), 255, np.uint8)] * 3
    masks = [(frame != 255).all(2) for frame, _ in frames("occlusion", severity, given)]
    assert masks[0].mean() == pytest.approx(share, abs=0.01)
    assert all(np.array_equal(mask, masks[0]) for mask in masks)
    rows, columns = np.flatnonzero(masks[0].any(1)), np.flatnonzero(masks[0].any(0))
    assert masks[0].sum() == len(rows) * len(columns)


@pytest.mark.parametrize(("severity", "share"), [(1, 0.1), (2, 0.25), (3, 0.5), (4, 0.75), (5, 0.9)])
def test_a_freeze_holds_the_picture_for_its_share_of_the_time(severity: int, share: float) -> None:
    given = moving(12 * FPS)
    found = frames("freeze", severity, given)
    assert [time for _, time in found] == [number / FPS for number in range(12 * FPS)]
    held = [not np.array_equal(shown, frame) for (shown, _), frame in zip(found, given)]
    assert np.mean(held) == pytest.approx(share, abs=0.02)
    for (before, _), (shown, _), is_held in zip(found, found[1:], held[1:]):
        assert not is_held or np.array_equal(before, shown)


def test_dropped_frames_are_left_out_and_the_others_keep_their_times() -> None:
    given = moving(400)
    for severity, share in enumerate((0.1, 0.25, 0.5, 0.75, 0.9), 1):
        found = frames("dropped_frames", severity, given)
        assert 1 - len(found) / 400 == pytest.approx(share, abs=0.06)
        numbers = [round(time * FPS) for _, time in found]
        assert numbers[0] == 0 and numbers[-1] == 399
        assert all(np.array_equal(frame, given[number]) for (frame, _), number in zip(found, numbers))


def test_blocks_lose_more_with_each_severity_and_no_frame() -> None:
    given = [np.roll(np.kron(image, np.ones((4, 4, 1), np.uint8)), 3, 0) for image in moving(12, 13, 17)]
    errors = []
    for severity in (1, 2, 3, 4, 5):
        found = frames("blocks", severity, given)
        assert [time for _, time in found] == [number / FPS for number in range(12)]
        assert all(frame.shape == (52, 68, 3) for frame, _ in found)
        errors.append(np.mean([np.abs(frame.astype(int) - own).mean() for (frame, _), own in zip(found, given)]))
    assert errors == sorted(errors) and errors[0] > 1


def test_blocks_take_odd_sizes() -> None:
    found = frames("blocks", 3, moving(3, 33, 35))
    assert [frame.shape for frame, _ in found] == [(33, 35, 3)] * 3


def test_a_wrong_frame_rate_stretches_the_times_or_shortens_them() -> None:
    given = moving(50)
    for severity, factor in enumerate((1.04, 1.1, 1.2, 1.5, 2), 1):
        ends = {frames("wrong_frame_rate", severity, given, seed)[-1][1] for seed in range(6)}
        assert sorted(ends) == pytest.approx([49 / FPS / factor, 49 / FPS * factor])
