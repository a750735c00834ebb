"""Which bags are in a step: pure in (seed, step), each once per pass."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadkit.data.batch_order import EndlessShuffle, Paired, Unpaired, share


def test_each_pass_has_every_number_once_in_another_order() -> None:
    sequence = EndlessShuffle(50, 3, 0).take(0, 150)
    passes = [sequence[i : i + 50] for i in (0, 50, 100)]
    assert all(sorted(numbers) == list(range(50)) for numbers in passes)
    assert passes[0] != passes[1] != passes[2]


def test_any_part_can_be_had_alone() -> None:
    whole = EndlessShuffle(7, 1, 0).take(0, 100)
    assert EndlessShuffle(7, 1, 0).take(61, 83) == whole[61:83]


def test_seeds_and_streams_differ() -> None:
    orders = {tuple(EndlessShuffle(20, seed, stream).take(0, 20)) for seed in (0, 1) for stream in (0, 1)}
    assert len(orders) == 4


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(0, 3))
def test_paired_steps_are_pieces_of_two_endless_sequences(first: int, second: int, batch: int, step: int) -> None:
    ours = Paired(first, second, batch, 0).bags(step)
    for stream, count in enumerate((first, second)):
        assert ours[stream] == EndlessShuffle(count, 0, stream).take(step * batch, (step + 1) * batch)


@pytest.mark.parametrize(("counts", "batch", "steps"), [((10245, 9525), 32, 297), ((8, 8), 3, 2), ((2, 9), 4, 1)])
def test_paired_epoch_ends_with_the_smaller_group(counts: tuple[int, int], batch: int, steps: int) -> None:
    assert Paired(*counts, batch, 0).steps == steps


@given(st.integers(1, 30), st.integers(1, 8))
def test_unpaired_epoch_uses_each_bag_once(count: int, batch: int) -> None:
    order = Unpaired(count, batch, 5)
    for epoch in (0, 1):
        bags = [bag for step in range(order.steps) for bag in order.bags(epoch * order.steps + step)]
        assert Counter(bags) == Counter(range(count))


def test_listed_pairs_are_the_same_in_every_epoch() -> None:
    """810 abnormal and 800 normal videos in batches of 16: 50 steps, and the last 10 are never shown."""
    order = Paired(800, 810, 16, 0, listed=True)
    epochs = [[order.bags(epoch * order.steps + step) for step in range(order.steps)] for epoch in (0, 1)]
    assert order.steps == 50 and epochs[0] == epochs[1]
    assert [bag for first, _ in epochs[0] for bag in first] == list(range(800))
    assert all(first == second for first, second in epochs[0])


def test_a_listed_group_smaller_than_the_batch_begins_again() -> None:
    assert Paired(2, 9, 4, 0, listed=True).bags(7) == ([0, 1, 0, 1], [0, 1, 2, 3])


def test_listed_bags_that_are_not_paired_come_in_order() -> None:
    order = Unpaired(5, 2, 0, listed=True)
    assert [order.bags(step) for step in range(6)] == [[0, 1], [2, 3], [4]] * 2


@given(st.lists(st.integers(), max_size=20), st.integers(1, 6))
def test_shares_of_all_ranks_are_the_whole(rows: list[int], world_size: int) -> None:
    shares = [share(rows, rank, world_size) for rank in range(world_size)]
    assert [row for part in shares for row in part] == rows
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
