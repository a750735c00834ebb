"""A real RTSP server on loopback: it is watched, killed, and watched again when it comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clips import alarm, make_clip
from rtsp_server import RtspServer

import vadkit
from vadkit.predict.system import load_system
from vadkit.problems import VadkitError
from vadkit.watch.cameras import Camera, entry_of, find_cameras
from vadkit.watch.events import Event, EventRule
from vadkit.watch.reader import Backoff
from vadkit.watch.run import Listener, Settings, Watch

RULE = EventRule(0.5, 0.4, before_s=0.5, after_s=0.5)


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def watching(model: Path, cameras: list[Camera], out: Path, **more: Any) -> tuple[Watch, list[Event], list[Any]]:
    system = load_system(model, "cpu")
    events: list[Event] = []
    scores: list[Any] = []
    listener = Listener(event=events.append, score=lambda source, score: scores.append((source, score)))
    watch = Watch(system, lambda: vadkit.stream(system.model), cameras, Settings(out, RULE, **more), {}, listener)
    for reader in watch.readers.values():
        reader.backoff = Backoff(first=0.1, most=0.5)
    return watch, events, scores


def test_a_camera_that_is_killed_comes_back_and_the_other_goes_on(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_clip(tmp_path / "door.mp4", 2.5, alarm(0.5, 1.5), sound="silence")
    steady = make_clip(tmp_path / "steady.mp4", 60.0, alarm(99, 99), sound=None)
    with RtspServer(tmp_path) as server:
        monkeypatch.setenv("CAM_PASS", "hush-hush")
        secret = server.url("door.mp4").replace("rtsp://", "rtsp://anna:{CAM_PASS}@")
        cameras = find_cameras([entry_of(f"door={secret}"), entry_of(f"yard={steady}")])
        watch, events, scores = watching(model, cameras, tmp_path / "out", pace=1.0)
        running = threading.Thread(target=watch.run, daemon=True)
        running.start()
        health = watch.health["door"]
        wait_for(lambda: any(event.state == "end" and event.source == "door" for event in events))
        server.kill()
        wait_for(lambda: health.state == "waiting")
        others = len([1 for source, _ in scores if source == "yard"])
        server.start()
        wait_for(lambda: health.state == "live")
        known = len(events)
        wait_for(lambda: len(events) > known)
        assert len([1 for source, _ in scores if source == "yard"]) > others
        assert health.values()["reconnects"] == 1 and health.values()["sound_dbfs"] is not None
        for reader in watch.readers.values():
            reader.stop.set()
        running.join(30)
        assert not running.is_alive()
    door = [event for event in events if event.source == "door"]
    assert abs(door[0].start_s - time.time()) < 120  # the time of day
    assert Path(next(event for event in door if event.state == "end").clip or "").is_file()
    written = "".join(path.read_text() for path in (tmp_path / "out").glob("*.jsonl"))
    assert "hush-hush" not in written + str(watch.state.as_dict())
    assert any("door: lost, will be tried again" in note for note in watch.state.notes)


def test_a_source_that_can_never_be_opened_is_an_error(model: Path, tmp_path: Path) -> None:
    make_clip(tmp_path / "door.mp4", 1.0)
    with RtspServer(tmp_path) as server:
        (missing,) = find_cameras([entry_of(server.url("none.mp4").replace("rtsp://", "rtsp://me:hush@"))])
        watch, _, _ = watching(model, [missing], tmp_path / "out")
        with pytest.raises(VadkitError) as caught:
            watch.run()
    assert "cannot be opened" in str(caught.value) and "hush" not in str(caught.value)
    (gone,) = find_cameras([entry_of(server.url("door.mp4"))])
    watch, _, _ = watching(model, [gone], tmp_path / "out2", patience=0.5)
    with pytest.raises(VadkitError, match="did not open within 0.5 s"):
        watch.run()
