"""Damaged logs of events: they are read past the damage, and a watching process goes on with them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from vadkit.events import Event, event_id
from vadkit.problems import fail
from vadkit.watch.event_log import EventLog, replay

from . import mutations

NEW = Event("new", event_id("door", 12.8), "door", 12.8, 12.8, 12.8, 0.9, "fire", {"rgb": 0.5})


class EventLogs:
    name = "event_logs"

    def prepare(self, folder: Path) -> None:
        log = EventLog(folder / "events.jsonl")
        log.unsent("mqtt")
        for event in (NEW, replace(NEW, state="update", end_s=18.0), replace(NEW, state="end", end_s=19.2)):
            log.append(event)
            log.sent(event, "mqtt")
        log.close()

    def mutate(self, folder: Path, canary: Path, rng: random.Random) -> list[Callable[[], Any]]:
        path, kind = folder / "events.jsonl", rng.randrange(20)
        if kind == 0:
            mutations.other_kind(path, rng, canary)
        elif kind < 8:
            path.write_bytes(mutations.some_bytes(path.read_bytes(), rng))
        else:
            lines = path.read_bytes().splitlines()
            i = rng.randrange(len(lines))
            changed = mutations.as_json(mutations.structure(json.loads(lines[i]), rng, canary), rng)
            lines[i] = changed.replace(b"\n", b" ")
            path.write_bytes(b"\n".join(lines) + b"\n")
        return [lambda: _replayed(path), lambda: _continued(path)]


def _replayed(path: Path) -> int:
    """Replay a log; a line that is skipped is a message."""
    said: list[str] = []
    for event in replay(path, said.append):
        assert Event.from_json(event.as_json()) == event
    if said:
        fail(said[0])
    return 0


def _continued(path: Path) -> int:
    log = EventLog(path)
    for event in (*log.unended(), *log.unsent("mqtt"), *log.unsent("webhook")):
        log.sent(event, "mqtt")
    log.append(replace(NEW, id="another", start_s=99.0, end_s=99.0))
    log.close()
    assert list(replay(path))[-1].id == "another"
    return 0
