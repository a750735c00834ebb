"""The resampler against the definition, sample by sample. Records of the original are among the reference cases."""

from __future__ import annotations

import numpy as np
import pytest
from resampy_kaiser import BETA, ROLLOFF, ZEROS, resample

RATES = [8000, 11025, 22050, 44100, 48000]


def filter_at(distance: np.ndarray) -> np.ndarray:
    inside = np.abs(distance) <= ZEROS
    window = np.i0(BETA * np.sqrt(np.where(inside, 1 - (distance / ZEROS) ** 2, 0))) / np.i0(BETA)
    return inside * window * ROLLOFF * np.sinc(ROLLOFF * distance)


@pytest.mark.parametrize("rate", RATES)
def test_each_sample_is_the_filtered_sum_of_its_neighbours(rate):
    x = np.random.default_rng(rate).normal(size=3000)
    y = resample(x, rate, 16000)
    assert y.shape == (int(3000 * 16000 / rate),) and y.dtype == np.float64
    scale = min(1, 16000 / rate)
    for n in (0, 1, 7, 500, len(y) - 1):
        distance = (n * rate / 16000 - np.arange(3000)) * scale
        wanted = (scale * filter_at(distance) * x).sum()
        # The original steps through its table in whole entries, which moves the outer taps a little.
        assert y[n] == pytest.approx(wanted, abs=5e-3)


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_stays_what_it_is(rate):
    def tone(at, seconds=0.5):
        return np.sin(2 * np.pi * 440 * np.arange(int(at * seconds)) / at)

    y = resample(tone(rate), rate, 16000)
    middle = slice(1000, 7000)
    np.testing.assert_allclose(y[middle], tone(16000)[middle], atol=2e-3)


def test_what_cannot_be_heard_at_the_new_rate_is_gone():
    high = np.sin(2 * np.pi * 11000 * np.arange(24000) / 48000)
    assert np.abs(resample(high, 48000, 16000)[500:-500]).max() < 1e-4


def test_too_little_sound():
    with pytest.raises(ValueError, match="2 samples at 48000"):
        resample(np.zeros(2), 48000, 16000)
