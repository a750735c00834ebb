"""A thread works ahead, in order and within its limit, and ends whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from vadkit.extract.ahead import Ahead


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "vadkit-ahead"]


def test_items_come_in_order_and_from_another_thread() -> None:
    names = []

    def items() -> Iterator[int]:
        for i in range(100):
            names.append(threading.current_thread().name)
            yield i

    with Ahead(items(), lambda item: 1, 8) as ahead:
        assert list(ahead) == list(range(100))
    assert {*names} == {"vadkit-ahead"} and not running()


def test_it_pauses_at_its_limit_but_lets_one_large_item_through() -> None:
    begun: list[int] = []
    enough = threading.Event()

    def items() -> Iterator[int]:
        for i in range(10):
            begun.append(i)
            if i == 2:
                enough.set()
            yield i

    with Ahead(items(), lambda item: 100, 150) as ahead:
        assert enough.wait(10)
        assert len(begun) == 3  # two wait, the third is computed and has no room
        for i, item in enumerate(ahead):
            assert item == i and len(begun) <= i + 4


def test_an_error_comes_when_its_turn_comes() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2)
        raise ValueError("damaged")

    found = []
    with pytest.raises(ValueError, match="damaged"), Ahead(items(), lambda item: 1, 100) as ahead:
        for item in ahead:
            found.append(item)
    assert found == [1, 2] and not running()


def test_a_user_that_stops_early_ends_the_thread() -> None:
    def items() -> Iterator[int]:
        while True:
            yield 0

    with pytest.raises(KeyError), Ahead(items(), lambda item: 1, 4) as ahead:
        for _ in ahead:
            raise KeyError
    assert not running()
