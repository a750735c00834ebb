"""Snippets that wait to be scored, of all cameras: bounded for each, the oldest of a live camera dropped first.

The rule: at most ``MOST`` snippets of a camera wait, and at most ``MOST_BYTES`` of pictures, but one in any case. When
another comes, the oldest waiting one is dropped and its pictures are counted. A recording that is read as fast as it
can be is never dropped: its reader waits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from vadkit.watch.cuts import Cut

MOST = 4
MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class End:
    """The end of a session of a source. ``handled`` is set once its last snippets are scored."""

    session: int
    handled: threading.Event = field(default_factory=threading.Event, compare=False)


Item = Cut | End


class Inbox:
    """Takes snippets from the threads of the cameras and hands them to the one that scores."""

    def __init__(self, names: Sequence[str], dropped: Callable[[str, Cut], object]) -> None:
        self.dropped = dropped
        self._waiting: dict[str, deque[Item]] = {name: deque() for name in names}
        self._changed = threading.Condition()
        self._closed = False

    def put(self, name: str, item: Item, drop: bool) -> None:
        """Add an item of a camera. If there is no room: ``drop`` the oldest snippet, or wait."""
        lost: list[Cut] = []
        with self._changed:
            waiting = self._waiting[name]
            if drop:
                while isinstance(item, Cut) and not self._room(waiting, item) and (old := _oldest(waiting)):
                    waiting.remove(old)
                    lost.append(old)
            else:
                self._changed.wait_for(lambda: self._closed or self._room(waiting, item))
            if not self._closed:
                waiting.append(item)
                self._changed.notify_all()
        for cut in lost:
            self.dropped(name, cut)

    def _room(self, waiting: deque[Item], item: Item) -> bool:
        if not isinstance(item, Cut) or not waiting:
            return True
        cuts = [one for one in waiting if isinstance(one, Cut)]
        return len(cuts) < MOST and sum(cut.nbytes for cut in cuts) + item.nbytes <= MOST_BYTES

    def take(self, timeout: float) -> dict[str, Item]:
        """Return the oldest item of every camera that has one; empty after ``timeout`` seconds without any."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or any(self._waiting.values()), timeout)
            found = {name: waiting.popleft() for name, waiting in self._waiting.items() if waiting}
            self._changed.notify_all()
            return found

    @property
    def waiting(self) -> bool:
        with self._changed:
            return any(self._waiting.values())

    def wake(self) -> None:
        """Let ``take`` return."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """End all waiting; what comes now is dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _oldest(waiting: deque[Item]) -> Cut | None:
    return next((item for item in waiting if isinstance(item, Cut)), None)
