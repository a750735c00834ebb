"""Files that stay open: the last ones, in bounded memory, from several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vadkit.store.array_cache import ArrayCache


def test_the_last_ones_are_kept_as_far_as_they_fit() -> None:
    read: list[str] = []

    def get(key: str, size: int = 4) -> np.ndarray:
        return kept.get(key, lambda: (read.append(key), np.zeros(size, np.uint8))[1])  # type: ignore[func-returns-value]

    kept = ArrayCache(10)
    for key in "aabbabcab":  # c does not fit next to a and b; the longest unused one goes
        assert get(key).nbytes == 4
    assert read == list("abcab")
    assert get("large", 11).nbytes == 11 and get("large", 11).nbytes == 11 and read[-2:] == ["large", "large"]
    assert kept.size == 8


def test_what_is_refused_is_not_kept() -> None:
    kept = ArrayCache()
    for _ in range(2):
        with pytest.raises(ValueError, match="damaged"):
            kept.get("a", lambda: (_ for _ in ()).throw(ValueError("damaged")))
    assert kept.get("a", lambda: np.ones(1))[0] == 1


def test_many_threads_get_what_they_asked_for() -> None:
    kept = ArrayCache(2000)
    keys = [n % 37 for n in range(2000)]
    with ThreadPoolExecutor(8) as pool:
        arrays = list(pool.map(lambda key: kept.get(key, lambda: np.full(10, key)), keys))
    assert all(array[0] == key for array, key in zip(arrays, keys))
    assert kept.size == sum(array.nbytes for array in kept._arrays.values()) <= 2000
