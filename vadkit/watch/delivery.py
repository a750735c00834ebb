"""Events on their way: into the log first, then to every sink in a thread of its own, and into the log that they were.

A sink that fails or is slow stops neither the scoring nor other sinks. What was not delivered when the process ended,
however that was, is delivered by the next one that watches with the same folder.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from vadkit.files import make_folder
from vadkit.watch.event_log import EventLog
from vadkit.watch.events import Event

MOST = 1000  # events that wait for a sink; of more, the oldest wait in the log for the next start
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds between tries
LAST_S = 5.0  # seconds in which sinks may deliver what waits when the watching ends

Report = Callable[[str], None]


class AnySink(Protocol):
    """What is needed of a sink; see ``vadkit.kinds.Sink``."""

    attempts: int
    per_minute: float | None

    def open(self, folder: Path) -> None: ...

    def send(self, event: Event) -> None: ...

    def health(self, source: str, values: Mapping[str, Any]) -> None: ...

    def close(self) -> None: ...


class Delivery:
    """The log of a folder and the sinks that its events go to.

    Args:
        sinks: by a name that is the same at each start, since the log names what each has got.
        again: the sources that are watched from their beginning: their events go on and need no end.
        report: called with what somebody should know, from any thread.
    """

    def __init__(
        self, folder: Path, sinks: Mapping[str, AnySink], again: Sequence[str] = (), report: Report = lambda text: None
    ) -> None:
        self.folder, self.report = folder, report
        self.log = EventLog(folder / "events.jsonl", report)
        self._lock, self._closed = threading.Lock(), False  # nothing is written after the log is closed
        self._end_old(again)
        self.posts = [self._post(name, sink) for name, sink in sinks.items()]
        for post in self.posts:
            post.start()

    def _post(self, name: str, sink: AnySink) -> _Post:
        """Return the queue of a sink, with what an earlier process has not delivered to it."""
        own = self.folder / "sinks" / name
        make_folder(own)
        sink.open(own)
        post = _Post(name, sink, self._sent, self.report)
        for event in self.log.unsent(name):
            post.put(event)
        return post

    def _end_old(self, again: Sequence[str]) -> None:
        """End the events that an earlier process has left open."""
        for event in self.log.unended():
            if event.source not in again:
                self.log.append(replace(event, state="end"))

    def decide(self, event: Event) -> bool:
        """Write an event into the log; return False if it is there already."""
        return self.log.append(event)

    def send(self, event: Event) -> None:
        """Hand an event of the log to the sinks."""
        for post in self.posts:
            post.put(event)

    def health(self, source: str, values: Mapping[str, Any]) -> None:
        """Hand the health of a camera to the sinks."""
        for post in self.posts:
            post.put_health(source, values)

    @property
    def failures(self) -> int:
        return sum(post.failures for post in self.posts)

    def close(self) -> None:
        """Deliver what waits, for some seconds at most, and close sinks and log."""
        until = time.monotonic() + LAST_S
        for post in self.posts:
            post.end()
        for post in self.posts:
            post.join(max(0.1, until - time.monotonic()))
        left = sum(post.left for post in self.posts)
        if left:
            self.report(f"{left} deliveries are left for the next start")
        with self._lock:
            self.log.close()
            self._closed = True

    def _sent(self, event: Event, sink: str) -> None:
        with self._lock:
            if not self._closed:
                self.log.sent(event, sink)


class _Post(threading.Thread):
    """The queue of one sink, and the thread that empties it."""

    def __init__(self, name: str, sink: AnySink, sent: Callable[[Event, str], None], report: Report) -> None:
        super().__init__(daemon=True, name=f"sink {name}")
        self.sink_name, self.sink, self.sent, self.report = name, sink, sent, report
        self.failures = 0
        self._events: deque[Event] = deque()
        self._health: dict[str, Mapping[str, Any]] = {}  # the newest of each camera
        self._changed = threading.Condition()
        self._ending = False
        self._trying: Event | None = None
        self._said = ""
        self._last = -math.inf  # when the last event was delivered

    def put(self, event: Event) -> None:
        with self._changed:
            begun = self._trying
            self._events = deque(
                e for e in self._events if e is begun or e.id != event.id or e.state != "update"
            )  # an update that waits says nothing that the next message does not
            self._events.append(event)
            if len(self._events) > MOST:
                self._events.popleft()
            self._changed.notify()

    def put_health(self, source: str, values: Mapping[str, Any]) -> None:
        with self._changed:
            self._health[source] = values
            self._changed.notify()

    def end(self) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify()

    @property
    def left(self) -> int:
        return len(self._events)

    def run(self) -> None:
        try:
            while self._one():
                pass
        finally:
            self._guarded(self.sink.close)

    def _one(self) -> bool:
        """Deliver what is next; return False once all is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._health or self._ending)
            if not self._events and not self._health:
                return False
            health, self._health = self._health, {}
        for source, values in health.items():
            self._guarded(lambda s=source, v=values: self.sink.health(s, v))  # type: ignore[misc]
        with self._changed:
            event = self._trying = self._events[0] if self._is_due() else None
        if event is None:
            return True
        if self._deliver(event):
            self.sent(event, self.sink_name)
        with self._changed:
            self._trying = None
            if self._events and self._events[0] is event:
                self._events.popleft()
        return True

    def _is_due(self) -> bool:
        """Wait as long as the rate of deliveries demands, or until health comes; return whether an event is next."""
        if not self._events:
            return False
        pause = 60 / self.sink.per_minute if self.sink.per_minute else 0.0
        left = self._last + pause - time.monotonic()
        if left > 0:
            self._changed.wait_for(lambda: self._ending or self._health, left)
            left = self._last + pause - time.monotonic()
            if left > 0 and self._ending:
                self._events.clear()  # they are left for the next start
        return bool(self._events) and left <= 0

    def _deliver(self, event: Event) -> bool:
        wait = FIRST_WAIT
        for _ in range(self.sink.attempts):
            error = self._guarded(lambda: self.sink.send(event))
            self._last = time.monotonic()
            if error is None:
                return True
            if not getattr(error, "again", False):
                break
            with self._changed:
                asked = getattr(error, "after_s", None)
                if self._changed.wait_for(lambda: self._ending, asked if asked is not None else wait):
                    break
            wait = min(2 * wait, LONGEST_WAIT)
        return False

    def _guarded(self, action: Callable[[], object]) -> Exception | None:
        """Do something with the sink; report a failure, equal ones once."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 - whatever a sink does, the watching goes on
            self.failures += 1
            text = f"sink {self.sink_name}: {error or type(error).__name__}"
            if text != self._said:
                self.report(text)
                self._said = text
            return error
        self._said = ""
        return None
