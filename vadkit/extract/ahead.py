"""Let a thread prepare what is used next, up to a limited number of bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Ahead(Generic[Item]):
    """Iterates over ``items``, which a thread of its own computes: the next while the last one is used.

    What computing an item raises is raised when its turn comes. Use as a context, which ends the thread.

    Args:
        items: what to iterate over; used in the thread alone.
        size: bytes that an item takes while it waits.
        limit: bytes of waiting items at which the thread pauses.
    """

    def __init__(self, items: Iterator[Item], size: Callable[[Item], int], limit: int) -> None:
        self.items, self.size, self.limit = items, size, limit
        self.waiting: deque[tuple[Item, int]] = deque()
        self.bytes, self.ended, self.stopped = 0, False, False
        self.error: BaseException | None = None
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._work, daemon=True, name="vadkit-ahead")

    def __enter__(self) -> Ahead[Item]:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self.changed:
            self.stopped = True
            self.changed.notify_all()
        self.thread.join()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.waiting or self.ended)
                if not self.waiting:
                    break
                item, size = self.waiting.popleft()
                self.bytes -= size
                self.changed.notify_all()
            yield item
        if self.error is not None:
            raise self.error

    def _work(self) -> None:
        try:
            for item in self.items:
                if not self._put(item):
                    break
        except BaseException as error:  # noqa: BLE001 - whatever it is, the user of the items raises it
            self.error = error
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _put(self, item: Item) -> bool:
        """Add an item once there is room; return whether more are wanted."""
        with self.changed:
            self.changed.wait_for(lambda: self.bytes < self.limit or self.stopped)
            size = self.size(item)
            self.waiting.append((item, size))
            self.bytes += size
            self.changed.notify_all()
            return not self.stopped
