from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadkit.report.axis_ticks import clock, linear_axis, log_axis, moment, short, time_axis, time_label

NUMBERS = st.floats(-1e12, 1e12).filter(lambda v: v == 0 or abs(v) > 1e-9)


@given(NUMBERS, NUMBERS)
def test_a_linear_axis_holds_its_values_and_no_two_ticks_read_alike(a: float, b: float) -> None:
    axis = linear_axis([a, b])
    slack = 1e-8 * (axis.high - axis.low)  # less than a pixel
    assert axis.low - slack <= min(a, b) <= max(a, b) <= axis.high + slack
    places, texts = zip(*axis.ticks)
    assert list(places) == sorted(set(places))
    assert len(set(texts)) == len(texts) >= 2
    assert len(texts) <= 8
    assert all(axis.low - slack <= place <= axis.high + slack for place in places)


@given(st.floats(1e-3, 1e6))
def test_a_time_axis_ends_with_the_video(duration: float) -> None:
    axis = time_axis(duration)
    assert (axis.low, axis.high) == (0.0, duration)
    texts = [text for _, text in axis.ticks]
    assert 2 <= len(set(texts)) == len(texts) <= 10


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0, 1], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ([0.3, 0.76], ["0.3", "0.4", "0.5", "0.6", "0.7", "0.8"]),
        ([0, 8_215_094], ["0", "2M", "4M", "6M", "8M", "10M"]),
        ([10_000.1, 10_000.4], ["10.0001k", "10.0002k", "10.0003k", "10.0004k"]),
        ([-0.25, 0.1], ["-0.3", "-0.2", "-0.1", "0.0", "0.1"]),
        ([5, 5], ["4.4", "4.6", "4.8", "5.0", "5.2", "5.4", "5.6"]),
        ([math.nan], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)
def test_ticks_are_round(values: list[float], texts: list[str]) -> None:
    assert [text for _, text in linear_axis(values).ticks] == texts


def test_given_bounds_are_kept() -> None:
    axis = linear_axis([0.2], (0.0, 0.93))
    assert (axis.low, axis.high) == (0.0, 0.93)
    assert [text for _, text in axis.ticks] == ["0.0", "0.2", "0.4", "0.6", "0.8"]


def test_texts_of_times() -> None:
    assert [clock(v) for v in (0, 59.6, 61, 3725)] == ["0:00", "1:00", "1:01", "1:02:05"]
    assert [moment(v) for v in (0, 3.75, 59.96, 3725.04)] == ["0:00.0", "0:03.8", "1:00.0", "1:02:05.0"]
    assert [text for _, text in time_axis(6).ticks] == ["0", "1", "2", "3", "4", "5", "6"]
    assert [text for _, text in time_axis(150).ticks] == ["0:00", "0:30", "1:00", "1:30", "2:00", "2:30"]
    assert [time_label(v) for v in (5, 150, 7200)] == ["time (s)", "time (min:s)", "time (h:min:s)"]


def test_short_numbers() -> None:
    numbers = (0.0, 0.12345, 12.345, 123.4, 9999, 8_215_094, 0.00001)
    assert [short(v) for v in numbers] == ["0", "0.123", "12.3", "123", "9999", "8.22M", "1e-05"]


def test_a_log_axis_ends_at_powers_of_ten() -> None:
    axis = log_axis([17_578, 3e6, math.nan, 0.0])
    assert (axis.low, axis.high) == (1e4, 1e7)
    assert [text for _, text in axis.ticks] == ["10k", "100k", "1M", "10M"]
    assert axis.place(1e4) == 0 and axis.place(1e7) == 1 and math.isclose(axis.place(1e6), 2 / 3)
    assert log_axis([]).place(10.0) == 1
