"""Bounded queues, health and the waits between attempts."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from vadkit.watch.cuts import Cut
from vadkit.watch.health import Health, percentile
from vadkit.watch.inbox import MOST, End, Inbox
from vadkit.watch.reader import Backoff


def cut(index: int) -> Cut:
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    return Cut(0, index, index, index + 1, frames, frames, {}, False, 16, 0.0)


def test_the_oldest_snippet_is_dropped_and_counted() -> None:
    dropped: list[tuple[str, int]] = []
    inbox = Inbox(["door", "hall"], lambda name, one: dropped.append((name, one.index)))
    for index in range(MOST + 3):
        inbox.put("door", cut(index), drop=True)
    inbox.put("hall", cut(0), drop=True)
    inbox.put("door", End(0), drop=True)
    assert dropped == [("door", 0), ("door", 1), ("door", 2)]
    taken = inbox.take(0)
    assert {name: item.index for name, item in taken.items() if isinstance(item, Cut)} == {"door": 3, "hall": 0}
    rest = [inbox.take(0)["door"] for _ in range(MOST)]
    assert [item.index for item in rest if isinstance(item, Cut)] == [4, 5, 6] and isinstance(rest[-1], End)
    assert not inbox.waiting and inbox.take(0) == {}


def test_large_pictures_wait_in_smaller_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vadkit.watch.inbox.MOST_BYTES", 2 * cut(0).nbytes)
    dropped: list[int] = []
    inbox = Inbox(["door"], lambda name, one: dropped.append(one.index))
    for index in range(4):
        inbox.put("door", cut(index), drop=True)
    assert dropped == [0, 1]


def test_a_recording_waits_for_room() -> None:
    inbox = Inbox(["file"], lambda name, one: pytest.fail("nothing of it is dropped"))
    putting = threading.Thread(target=lambda: [inbox.put("file", cut(i), drop=False) for i in range(20)], daemon=True)
    putting.start()
    found = []
    while len(found) < 20:
        found += [item.index for item in inbox.take(5).values() if isinstance(item, Cut)]
    putting.join(5)
    assert found == list(range(20))
    for i in range(MOST):
        inbox.put("file", cut(i), drop=False)
    blocked = threading.Thread(target=inbox.put, args=("file", cut(9), False), daemon=True)
    blocked.start()
    inbox.close()
    blocked.join(5)
    assert not blocked.is_alive()


def test_waits_double_up_to_a_limit_and_differ_by_chance() -> None:
    longest = Backoff(first=1, most=60, draw=lambda: 1.0)
    shortest = Backoff(first=1, most=60, draw=lambda: 0.0)
    assert [longest.next() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [shortest.next() for _ in range(3)] == [0.5, 1, 2]
    longest.reset()
    assert longest.next() == 1


def test_the_health_of_a_camera() -> None:
    now = [100.0]
    health = Health(lambda: now[0])
    values = health.values()
    assert (values["state"], values["connection"], values["last_frame_age_s"]) == ("offline", "connecting", None)
    health.enter("live")
    for _ in range(50):
        now[0] += 0.04
        health.picture()
    health.sound(8000, np.full(8000, 0.5, np.float32))
    for latency in (0.1, 0.2, 0.3):
        health.scored(latency)
    health.drop(16)
    values = health.values()
    assert values["state"] == "online" and values["frames_dropped"] == 16
    assert values["fps_in"] == pytest.approx(25, abs=0.1) and values["snippets_per_s"] == pytest.approx(1.5)
    assert values["latency_p50_s"] == pytest.approx(0.2) and values["sound_dbfs"] == pytest.approx(-6.0)
    now[0] += 5
    assert health.values()["state"] == "offline" and health.values()["last_frame_age_s"] == 5
    health.enter("waiting", "no packet came in time")
    health.enter("live")
    assert health.values()["reconnects"] == 1
    now[0] += 20
    assert health.values()["fps_in"] == 0
    assert percentile([], 50) is None
