"""Broken promises of sinks are found, each broken once on purpose."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from faulty import broken, named

from vadkit import Sink
from vadkit.sinks import Event, SinkError
from vadkit.testing.sinks import VARIABLE

pytestmark = pytest.mark.guards("6")


@named
class Lines(Sink):
    """Append the id of each message."""

    timeout_s = 0.2

    def open(self, folder: Path) -> None:
        self.folder = folder

    def send(self, event: Event) -> None:
        (self.folder / "ids").write_text(event.id)


def faulty(**members: Any) -> str:
    return str(broken(type("F", (Lines,), {"name": "f", "__doc__": "Break it.", **members})))


def test_a_sound_one_passes() -> None:
    assert broken(Lines) == {}


def test_a_sink_whose_receiver_is_gone_is_sound() -> None:
    def send(self: Any, event: Event) -> None:
        raise SinkError("the receiver is gone")

    assert faulty(send=send) == "{}"


def test_an_error_of_another_kind_is_found() -> None:
    assert "it raised KeyError" in faulty(send=lambda self, event: {}["clip"])
    assert "it raised KeyError" in faulty(health=lambda self, source, values: values["latency"])


def test_a_sink_that_writes_elsewhere_is_found() -> None:
    assert "outside the folder" in faulty(open=lambda self, folder: setattr(self, "folder", folder.parent))


def test_a_sink_that_is_too_slow_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vadkit.testing.sinks.GRACE", 0.05)
    assert "timeout_s is 0.01" in faulty(timeout_s=0.01, send=lambda self, event: time.sleep(0.1))


def test_a_secret_in_an_error_is_found() -> None:
    def send(self: Any, event: Event) -> None:
        raise SinkError(f"no answer from http://user:{os.environ[VARIABLE]}@host")

    assert f"the value of {VARIABLE} is in" in faulty(send=send)


def test_a_thread_that_stays_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vadkit.testing.sinks.GRACE", 0.05)
    done = threading.Event()

    def start(self: Any, folder: Path) -> None:
        self.folder = folder
        threading.Thread(target=done.wait, name="forgotten", daemon=True).start()

    try:
        assert "these threads still run: forgotten" in faulty(open=start)
    finally:
        done.set()


def test_limits_that_are_none_are_found() -> None:
    assert "they are 0.2, 0 and 10" in faulty(per_minute=0) and "they are 0.2, None and 0" in faulty(attempts=0)


def test_arguments_without_a_value_are_found() -> None:
    def init(self: Any, *, url: str) -> None:
        self.url = url

    assert "set 'example'" in faulty(__init__=init)
