"""consecutive_parts against its formula, row by row."""

from __future__ import annotations

import numpy as np
import pytest
from vadkit_consecutive_parts import ConsecutiveParts

from vadkit.testing import check_component


class Fixed(np.random.Generator):
    """Draws the smallest or the largest number there is."""

    def __init__(self, largest: bool) -> None:
        super().__init__(np.random.PCG64(0))
        self.largest = largest

    def integers(self, high: int) -> int:  # type: ignore[override]
        return high - 1 if self.largest else 0


def by_hand(t: int, parts: int, run: int, largest: bool) -> list[int]:
    step = (t - run) / parts
    most = (t - run) // (parts + 1)
    offset = most - 1 if largest and most >= 1 else 0
    return [int(i * step) + offset + k for i in range(parts) for k in range(run)]


def test_contract() -> None:
    check_component(ConsecutiveParts)


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("t", [7, 8, 16, 40, 129, 600, 6749])
def test_rows(t: int, largest: bool) -> None:
    sampler = ConsecutiveParts(parts=16, run=7)
    assert sampler.rows(t, Fixed(largest)).tolist() == by_hand(t, 16, 7, largest)
    assert sampler.rows(t, Fixed(largest)).max() < t


def test_a_video_shorter_than_a_run_repeats_its_snippets() -> None:
    assert ConsecutiveParts(parts=2, run=4).rows(2, np.random.default_rng(0)).tolist() == [0, 0, 1, 1] * 2
    assert ConsecutiveParts(parts=1, run=5).rows(1, np.random.default_rng(0)).tolist() == [0] * 5


def test_streams_of_one_video_get_the_same_rows() -> None:
    streams = {"rgb": np.arange(101.0)[:, None], "flow": np.arange(100.0)[:, None]}
    taken, real = ConsecutiveParts(parts=4, run=3).sample(streams, np.random.default_rng(1))
    np.testing.assert_array_equal(taken["rgb"], taken["flow"])
    assert real == 12


def test_every_offset_is_drawn() -> None:
    rng = np.random.default_rng(0)
    firsts = {int(ConsecutiveParts(parts=4, run=3).rows(43, rng)[0]) for _ in range(200)}
    assert firsts == set(range(8))  # (43 - 3) // 5


@pytest.mark.parametrize("arguments", [{"parts": 0}, {"run": 0}])
def test_refuses_zero(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least 1, not 0"):
        ConsecutiveParts(**arguments)
