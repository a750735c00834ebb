"""The log of events: a line for each message, and one for each delivery of a message to a sink. Lines are only added.

{"opened": "mqtt"}                                                     what follows is to be sent to this sink
{"state": "new", "id": "0f3c...", "source": "door", ...}              a message, as ``Event.as_json``
{"sent": "0f3c...", "state": "new", "end_s": 12.8, "sink": "mqtt"}    it was delivered

A line is written by one call, so that a killed process leaves at most one cut line, the last. Whoever opens the log
next ends that line, and readers skip and report it.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from vadkit import json_file
from vadkit.events import Event, State
from vadkit.files import cannot_read, in_bytes, locked, open_file, open_to_append, why
from vadkit.problems import VadkitError, fail

LARGEST = 1 << 30  # bytes of a log: two million messages
LONGEST = 1 << 16  # bytes of a line
KEPT = 10_000  # messages that are known in memory; a camera sends a few a day
Report = Callable[[str], None]
Key = tuple[str, str, float]


class OpenedJson(msgspec.Struct):
    """A line from which on messages are to be sent to a sink."""

    opened: str


class SentJson(msgspec.Struct):
    """A line that says what was delivered to which sink."""

    sent: str
    state: State
    end_s: float
    sink: str


Line = Event | SentJson | OpenedJson


def replay(path: Path | str, report: Report = lambda text: None) -> Iterator[Event]:
    """Yield the events of a log, in order, each equal to the one that was appended.

    A line that a kill has cut off is skipped, and ``report`` is called about it. Raises VadkitError for a file that
    cannot be read.
    """
    for line in _lines(Path(path), report):
        if isinstance(line, Event):
            yield line


def _lines(path: Path, report: Report) -> Iterator[Line]:
    try:
        with open_file(path) as file:
            if os.fstat(file.fileno()).st_size > LARGEST:
                fail(f"{path}: is larger than {in_bytes(LARGEST)}", "move it away; a new one is begun")
            for number, line in enumerate(iter(lambda: file.readline(LONGEST), b""), 1):
                try:
                    yield _line(line, f"{path}: line {number}")
                except VadkitError as error:
                    report(f"{error.problems[0].message}; it is skipped")
    except FileNotFoundError:
        fail(f"there is no log {path}")
    except OSError as error:
        cannot_read(path, error)


def _line(line: bytes, where: str) -> Line:
    plain = json_file.from_bytes(line, dict[str, Any], where)
    kind: Any = SentJson if "sent" in plain else OpenedJson if "opened" in plain else Event
    return json_file.typed(plain, kind, where)  # type: ignore[no-any-return]


class EventLog:
    """The log of one watching process, which appends to the file of an earlier one. Threads may share it.

    Args:
        path: of the file; it is created if there is none.
        report: called about each line that an earlier process has left cut off.

    Raises VadkitError if the file cannot be read or written, or another process has it open.
    """

    def __init__(self, path: Path | str, report: Report = lambda text: None) -> None:
        self.path = Path(path)
        self._events: dict[Key, Event] = {}  # the newest messages, in order
        self._last: dict[str, Event] = {}  # of each of their events
        self._sent: dict[str, dict[Key, None]] = {}  # by sink, in order
        self._is_cut = False
        self._lock = threading.RLock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open_to_append(self.path)
        except OSError as error:
            fail(f"the log {self.path} cannot be written: {why(error)}")
        if locked(self._file.fileno()) is False:
            self._file.close()
            fail(f"the log {self.path} is in use by another process", "choose another folder")
        for line in _lines(self.path, report):
            self._note(line)
        self._end_cut_line()

    def append(self, event: Event) -> bool:
        """Write a message; return False if the log has it, or the end of its event, already."""
        with self._lock:
            last = self._last.get(event.id)
            if event.key in self._events or (last is not None and (last.state == "end" or event.state == "new")):
                return False
            self._write(event.as_json())
            self._note(event)
            return True

    def sent(self, event: Event, sink: str) -> None:
        """Write that a message was delivered to a sink."""
        with self._lock:
            self._write(json.dumps({"sent": event.id, "state": event.state, "end_s": event.end_s, "sink": sink}))
            self._note(SentJson(event.id, event.state, event.end_s, sink))

    def unsent(self, sink: str) -> list[Event]:
        """Return the messages that were not delivered to a sink, in order. To be called for each sink at the start.

        A sink that the log does not know gets none of the messages so far, and a line says that it gets those from
        here on. An update that a later message of its event replaces is left out.
        """
        with self._lock:
            if sink not in self._sent:
                self._write(json.dumps({"opened": sink}))
                self._note(OpenedJson(sink))
            known = self._sent[sink]
            return [
                event
                for key, event in self._events.items()
                if key not in known and (event.state != "update" or self._last[event.id] is event)
            ]

    def unended(self) -> list[Event]:
        """Return the last message of each event that has not ended: of those that a kill has interrupted."""
        with self._lock:
            return [event for event in self._last.values() if event.state != "end"]

    def close(self) -> None:
        """Close the file, with its lines on the disk."""
        with self._lock, contextlib.suppress(OSError):
            os.fsync(self._file.fileno())
        self._file.close()

    def _note(self, line: Line) -> None:
        if isinstance(line, Event):
            self._note_event(line)
        elif isinstance(line, OpenedJson):
            self._sent.setdefault(line.opened, dict.fromkeys(self._events))
        else:
            known = self._sent.setdefault(line.sink, {})
            known[line.sent, line.state, line.end_s] = None
            if len(known) > KEPT:
                del known[next(iter(known))]

    def _note_event(self, event: Event) -> None:
        self._events[event.key] = self._last[event.id] = event
        if len(self._events) > KEPT:
            oldest = self._events.pop(next(iter(self._events)))
            if self._last[oldest.id] is oldest:
                del self._last[oldest.id]

    def _end_cut_line(self) -> None:
        end = self._file.seek(0, os.SEEK_END)
        if end:
            self._file.seek(end - 1)
            self._is_cut = self._file.read(1) != b"\n"

    def _write(self, text: str) -> None:
        line = f"{chr(10) * self._is_cut}{text}\n".encode("ascii")
        try:
            written = os.write(self._file.fileno(), line)
        except OSError as error:
            fail(f"the log {self.path} cannot be written: {why(error)}", "make room, or allow writing")
        self._is_cut = written < len(line)
        if self._is_cut:
            fail(f"the log {self.path} cannot be written: the disk is full", "make room")
