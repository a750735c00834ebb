"""A cache of the small feature files read last: a small data set is read once, a large one takes bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np

LIMIT = 256 << 20  # bytes


class ArrayCache:
    """The arrays requested last, as many as fit into ``limit`` bytes."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit, self.size = limit, 0
        self._arrays: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, read: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the array of that key, by ``read`` if it is not in the cache."""
        with self._lock:
            array = self._arrays.get(key)
            if array is not None:
                self._arrays.move_to_end(key)
                return array
        array = read()  # not under the lock: others read meanwhile
        with self._lock:
            if key not in self._arrays and array.nbytes <= self.limit:
                self._arrays[key] = array
                self.size += array.nbytes
            while self.size > self.limit:
                self.size -= self._arrays.popitem(last=False)[1].nbytes
        return array
