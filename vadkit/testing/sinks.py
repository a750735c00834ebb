"""The promises of a sink. Its receiver need not be there: a delivery may fail, but as a sink fails."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from vadkit.events import Event, event_id
from vadkit.sinks import SinkError
from vadkit.testing.arrays import builds_without_arguments
from vadkit.testing.report import Broken
from vadkit.testing.subject import Subject

VARIABLE, SECRET = "VADKIT_TEST_SECRET", "s3cret-of-the-contract-test"
GRACE = 2.0  # seconds over its time-out, for a slow machine


def _life(source: str, start_s: float) -> list[Event]:
    """Return the messages of one event."""
    contributions = {"rgb": 1.5, "audio": -0.25}
    new = Event(
        "new", event_id(source, start_s), source, start_s, start_s + 0.64, start_s, 0.9, "fighting", contributions
    )
    update = replace(new, state="update", end_s=start_s + 5.76, peak_s=start_s + 3.2, peak=0.95)
    end = replace(update, state="end", end_s=start_s + 9.6, class_name=None, clip="clips/0.mp4")
    return [new, update, end]


EVENTS = [*_life("door", 12.8), *_life("rtsp://***@10.0.0.7:554/stream 1?channel=2#", 1_764_374_400.64)]
HEALTH: list[dict[str, Any]] = [
    {"state": "online", "fps": 25.0, "dropped": 3, "sound": True},
    {"state": "offline", "why": "no picture for 10 s", "fps": 0.0},
]


@contextmanager
def _opened(subject: Subject) -> Iterator[tuple[Any, Path, Path]]:
    """Yield a sink that is open, its folder, and the folder around it; close it."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = SECRET
    try:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "sinks" / "own"
            folder.mkdir(parents=True)
            sink = subject.build()
            sink.open(folder)
            try:
                yield sink, folder, Path(place)
            finally:
                sink.close()
    finally:
        del os.environ[VARIABLE]
        if before is not None:
            os.environ[VARIABLE] = before


def _call(sink: Any, call: Callable[[], None]) -> str:
    """Return the message of a call that failed, empty if it did not."""
    begun = time.monotonic()
    try:
        call()
        said = ""
    except SinkError as error:
        said = str(error) or "an error without a message"
    took = time.monotonic() - begun
    if took > sink.timeout_s + GRACE:
        raise Broken(f"a call took {took:.1f} s; timeout_s is {sink.timeout_s:g}")
    return said


def takes_events(subject: Subject) -> None:
    """it takes every message of an event, and health, of any source, or raises SinkError within its time-out"""
    with _opened(subject) as (sink, folder, place):
        for event in EVENTS:
            _call(sink, lambda event=event: sink.send(event))  # type: ignore[misc]
        for source in ("door", EVENTS[-1].source):
            for values in HEALTH:
                _call(sink, lambda source=source, values=values: sink.health(source, dict(values)))  # type: ignore[misc]
        if [path.name for path in folder.parent.iterdir()] != ["own"] or len(list(place.iterdir())) != 1:
            raise Broken("it wrote outside the folder that open was given")


def shows_no_secret(subject: Subject) -> None:
    """neither its errors nor its repr show a secret"""
    with _opened(subject) as (sink, _, _):
        said = [_call(sink, lambda event=event: sink.send(event)) for event in EVENTS[:3]]  # type: ignore[misc]
        if any(SECRET in text for text in (*said, repr(sink), str(sink))):
            raise Broken(f"the value of {VARIABLE} is in {next(t for t in (*said, repr(sink)) if SECRET in t)!r}")


def leaves_nothing_running(subject: Subject) -> None:
    """after close, none of its threads runs"""
    before = set(threading.enumerate())
    with _opened(subject) as (sink, _, _):
        _call(sink, lambda: sink.send(EVENTS[0]))
    until = time.monotonic() + GRACE
    while left := [thread.name for thread in threading.enumerate() if thread not in before]:
        if time.monotonic() > until:
            raise Broken(f"these threads still run: {', '.join(left)}")
        time.sleep(0.02)


def limits_are_numbers(subject: Subject) -> None:
    """timeout_s and per_minute are above 0, and attempts is at least 1"""
    with _opened(subject) as (sink, _, _):
        rate = sink.per_minute
        if not sink.timeout_s > 0 or sink.attempts < 1 or (rate is not None and not rate > 0):
            raise Broken(f"they are {sink.timeout_s}, {rate} and {sink.attempts}")


SINK = [builds_without_arguments, limits_are_numbers, takes_events, shows_no_secret, leaves_nothing_running]
