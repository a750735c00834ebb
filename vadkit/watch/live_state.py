"""What is known of all cameras at the moment, for the page and for whoever asks: bounded, and safe between threads."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from vadkit.watch.cameras import Camera
from vadkit.watch.events import Event
from vadkit.watch.health import Health
from vadkit.watch.scores import Score

SCORES = 240  # last scores of a camera that are kept
EVENTS = 50  # last events of all cameras


class LiveState:
    """The last scores and events, and the health of every camera."""

    def __init__(self, cameras: Sequence[Camera], health: Mapping[str, Health], model: str, threshold: float) -> None:
        self.cameras, self.health, self.model, self.threshold = cameras, health, model, threshold
        self.began = time.time()
        self.notes: list[str] = []
        self._scores: dict[str, deque[Score]] = {camera.name: deque(maxlen=SCORES) for camera in cameras}
        self._events: dict[str, tuple[str, Event]] = {}
        self._lock = threading.Lock()

    def score(self, camera: str, score: Score) -> None:
        with self._lock:
            self._scores[camera].append(score)

    def event(self, camera: str, event: Event) -> None:
        """Note a message; the last one of each event counts."""
        with self._lock:
            self._events[event.id] = (camera, event)
            while len(self._events) > EVENTS:
                del self._events[next(iter(self._events))]

    def note(self, text: str) -> None:
        with self._lock:
            self.notes = [*self.notes[-19:], text]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data, without a secret."""
        with self._lock:
            scores = {name: list(found) for name, found in self._scores.items()}
            events, notes = list(self._events.values()), list(self.notes)
        return {
            "model": self.model,
            "threshold": self.threshold,
            "began": self.began,
            "now": time.time(),
            "cameras": [
                {
                    "name": camera.name,
                    "source": camera.shown,
                    "live": camera.is_live,
                    "health": self.health[camera.name].values(),
                    "scores": [[round(s.start, 3), round(s.end, 3), round(s.score, 4)] for s in scores[camera.name]],
                }
                for camera in self.cameras
            ],
            "events": [{"camera": camera, **event.as_dict()} for camera, event in reversed(events)],
            "notes": notes,
        }
