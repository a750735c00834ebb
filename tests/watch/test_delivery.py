"""Events reach sinks whatever those do, and the log says what was sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vadkit.sinks import SinkError
from vadkit.watch.delivery import Delivery
from vadkit.watch.event_log import replay
from vadkit.watch.events import Event


def event(name: str = "a", state: Any = "new", end: float = 2.0, source: str = "door") -> Event:
    return Event(state, name, source, 1.0, end, 1.5, 0.9)


class Sink:
    """Keeps what it gets; ``fails`` decides what to raise."""

    attempts, per_minute = 3, None

    def __init__(self, fails: Callable[[Event], Exception | None] = lambda event: None) -> None:
        self.fails, self.got, self.healths, self.tries = fails, [], {}, 0
        self.closed = threading.Event()

    def open(self, folder: Path) -> None:
        assert folder.is_dir()

    def send(self, event: Event) -> None:
        self.tries += 1
        error = self.fails(event)
        if error:
            raise error
        self.got.append((event.id, event.state))

    def health(self, source: str, values: Mapping[str, Any]) -> None:
        self.healths[source] = dict(values)

    def close(self) -> None:
        self.closed.set()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vadkit.watch.delivery.FIRST_WAIT", 0.01)


def deliver(folder: Path, sinks: dict[str, Any], events: list[Event]) -> list[str]:
    said: list[str] = []
    delivery = Delivery(folder, sinks, ["door"], said.append)
    for one in events:
        if delivery.decide(one):
            delivery.send(one)
    delivery.health("door", {"state": "online"})
    delivery.close()
    return said


def test_events_and_health_reach_every_sink(tmp_path: Path) -> None:
    one, two = Sink(), Sink()
    said = deliver(tmp_path, {"one": one, "two": two}, [event(), event(state="end", end=3.0), event()])
    for sink in (one, two):
        assert sink.got == [("a", "new"), ("a", "end")]
        assert sink.healths == {"door": {"state": "online"}} and sink.closed.is_set()
    assert said == []
    assert [e.state for e in replay(tmp_path / "events.jsonl")] == ["new", "end"]


def test_a_failed_delivery_is_tried_again_and_stops_no_other_sink(tmp_path: Path) -> None:
    left = [2]

    def fails_twice(event: Event) -> Exception | None:
        left[0] -= 1
        return SinkError("no answer") if left[0] >= 0 else None

    shaky, fine = Sink(fails_twice), Sink()
    said: list[str] = []
    delivery = Delivery(tmp_path, {"shaky": shaky, "fine": fine}, report=said.append)
    delivery.decide(event())
    delivery.send(event())
    for _ in range(500):
        if shaky.got:
            break
        threading.Event().wait(0.01)
    delivery.close()
    assert (shaky.got, shaky.tries, fine.got) == ([("a", "new")], 3, [("a", "new")])
    assert said == ["sink shaky: no answer"]  # once


def test_what_a_sink_refuses_is_not_tried_again(tmp_path: Path) -> None:
    strict = Sink(lambda event: SinkError("refused with status 400", again=False))
    broken = Sink(lambda event: ZeroDivisionError("oops"))
    said = deliver(tmp_path, {"strict": strict, "broken": broken}, [event()])
    assert (strict.tries, broken.tries) == (1, 1)
    assert sorted(said) == ["sink broken: oops", "sink strict: refused with status 400"]


def test_the_next_start_delivers_what_was_not_sent(tmp_path: Path) -> None:
    down = Sink(lambda event: SinkError("down", again=False))
    up = Sink()
    deliver(tmp_path, {"hook": down, "file": up}, [event("a"), event("a", "end", 3.0)])
    again, other = Sink(), Sink()
    deliver(tmp_path, {"hook": again, "file": other}, [event("b")])
    assert again.got == [("a", "new"), ("a", "end"), ("b", "new")]
    assert other.got == [("b", "new")]


def test_an_event_that_a_kill_has_left_open_is_ended(tmp_path: Path) -> None:
    first = Delivery(tmp_path, {"file": Sink()})
    for one in (event("a"), event("b", source="clip")):
        first.decide(one)
        first.send(one)
    first.close()
    second = Sink()
    Delivery(tmp_path, {"file": second}, again=["clip"]).close()  # the recording is watched again and will end its own
    assert second.got == [("a", "end")]


def test_an_update_that_waits_is_replaced(tmp_path: Path) -> None:
    free = threading.Event()

    def waits(event: Event) -> None:
        free.wait(10)

    slow = Sink(waits)
    delivery = Delivery(tmp_path, {"slow": slow})
    messages = [event(), *(event(state="update", end=2.0 + i) for i in range(1, 5)), event(state="end", end=9.0)]
    for one in messages:
        delivery.decide(one)
        delivery.send(one)
    free.set()
    delivery.close()
    assert slow.got == [("a", "new"), ("a", "end")]


def test_a_rate_limit_leaves_the_rest_for_the_next_start(tmp_path: Path) -> None:
    limited = Sink()
    limited.per_minute = 1.0
    deliver(tmp_path, {"hook": limited}, [event("a"), event("b"), event("c")])
    assert limited.got == [("a", "new")]
    later = Sink()
    deliver(tmp_path, {"hook": later}, [])
    assert later.got == [("b", "new"), ("c", "new")]


def test_messages_with_a_clip_are_equal_in_the_log(tmp_path: Path) -> None:
    one = replace(event(state="end"), clip="clips/a.mp4")
    deliver(tmp_path, {}, [event(), one])
    assert list(replay(tmp_path / "events.jsonl"))[-1] == one
