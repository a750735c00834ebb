"""The log survives a kill, is replayed to the same events, and knows what was sent to which sink."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadkit import VadkitError
from vadkit.events import Event, EventRule, EventTracker, event_id
from vadkit.watch.event_log import EventLog, replay


def life(source: str = "door", start_s: float = 12.8) -> list[Event]:
    new = Event("new", event_id(source, start_s), source, start_s, start_s, start_s, 0.9, None, {"rgb": 0.5})
    return [new, replace(new, state="update", end_s=start_s + 5), replace(new, state="end", end_s=start_s + 6)]


def text_of(events: list[Event]) -> bytes:
    return b"".join(event.as_json().encode() + b"\n" for event in events)


def test_it_is_replayed_byte_for_byte(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    events = [*life(), *life("gate \u00e9", 99.001)]
    assert all(log.append(event) for event in events)
    log.close()
    found = list(replay(tmp_path / "events.jsonl"))
    assert found == events
    assert text_of(found) == (tmp_path / "events.jsonl").read_bytes()


def test_what_was_sent_is_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    new, update, end = life()
    log = EventLog(path)
    assert log.unsent("mqtt") == log.unsent("webhook") == []
    for event in (new, update, end):
        log.append(event)
    log.sent(new, "mqtt")
    log.close()
    again = EventLog(path)
    assert again.unsent("mqtt") == [end]  # the update is out of date
    assert again.unsent("webhook") == [new, end]
    again.sent(end, "mqtt")
    assert again.unsent("mqtt") == []
    assert again.unsent("added_later") == []
    assert list(replay(path)) == [new, update, end]


def test_no_event_is_written_twice(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    new, update, end = life()
    assert [log.append(event) for event in (new, new, update, update, end, end)] == [True, False] * 3
    log.close()
    again = EventLog(tmp_path / "events.jsonl")
    assert not any(again.append(event) for event in (new, update, end))
    assert again.append(life(start_s=50.0)[0])


def test_the_same_video_watched_again_adds_nothing(tmp_path: Path) -> None:
    scores = [0.1, 0.9, 0.9, 0.1] * 20
    for _ in range(2):
        log = EventLog(tmp_path / "events.jsonl")
        tracker = EventTracker("clip.mp4", EventRule(0.8, 0.5))
        for number, score in enumerate(scores):
            for event in tracker.add(number * 0.64, score):
                log.append(event)
        log.close()
    assert len(list(replay(tmp_path / "events.jsonl"))) == 40


def test_a_cut_line_is_skipped_and_reported_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    new, update, end = life()
    path.write_bytes(text_of([new]) + update.as_json().encode()[:40])
    said: list[str] = []
    assert list(replay(path, said.append)) == [new]
    assert said == [f"{path}: line 2: is cut off or damaged; it is skipped"]
    log = EventLog(path, said.append)
    assert len(said) == 2 and log.unended() == [new]
    log.append(end)
    log.close()
    assert list(replay(path)) == [new, end]


def test_a_last_line_without_its_end_counts(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    new, update, _ = life()
    path.write_bytes(text_of([new, update])[:-1])
    assert list(replay(path)) == [new, update]


WRITE = """
import sys
from vadkit.events import Event, event_id
from vadkit.watch.event_log import EventLog
log, number = EventLog(sys.argv[1]), 0
print("begun", flush=True)
while True:
    number += 1
    for state in ("new", "end"):
        log.append(Event(state, event_id("door", number), "door", float(number), number + 0.5, float(number), 0.9))
"""


def test_a_kill_leaves_at_most_one_cut_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for size in (20_000, 40_000):
        writer = subprocess.Popen([sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None and writer.stdout.readline() == b"begun\n"
        while path.stat().st_size < size:
            pass
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
    said: list[str] = []
    events = list(replay(path, said.append))
    lines = path.read_bytes().splitlines()
    assert len(events) > 50 and len(lines) - len(events) == len(said) <= 2
    assert set(text_of(events).splitlines()) <= set(lines)
    assert len({event.key for event in events}) == len(events)


def test_two_processes_do_not_share_a_log(tmp_path: Path) -> None:
    first = EventLog(tmp_path / "events.jsonl")
    with pytest.raises(VadkitError, match="is in use by another process"):
        EventLog(tmp_path / "events.jsonl")
    first.close()
    EventLog(tmp_path / "events.jsonl").close()


def test_files_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VadkitError, match="there is no log"):
        list(replay(tmp_path / "none.jsonl"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(VadkitError, match="cannot be written: it is a file|cannot be written: Is a directory"):
        EventLog(tmp_path / "folder")


def test_a_log_of_absurd_size_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.touch()
    os.truncate(path, 40 << 30)  # a file with a hole
    with pytest.raises(VadkitError, match="is larger than 1.07 GB"):
        EventLog(path)


@given(st.data())
def test_wherever_it_is_cut_the_lines_before_are_replayed(data: st.DataObject) -> None:
    events = [*life(), *life("gate", 3.2)]
    whole = text_of(events)
    at = data.draw(st.integers(0, len(whole)))
    with tempfile.TemporaryDirectory() as folder:
        path, said = Path(folder) / "events.jsonl", list[str]()
        path.write_bytes(whole[:at])
        found = list(replay(path, said.append))
        assert found == events[: len(found)] and len(said) <= 1
        assert len(text_of(found)) - 1 <= at < len(text_of(events[: len(found) + 1])) or len(found) == len(events)
        log = EventLog(path)
        assert [log.append(event) for event in events] == [False] * len(found) + [True] * (len(events) - len(found))
        log.close()
        assert list(replay(path)) == events
