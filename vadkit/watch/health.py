"""How a camera is: what its health says, kept by its own thread and by the one that scores."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

State = Literal["connecting", "live", "waiting", "ended", "failed"]
SPAN = 10.0  # seconds over which rates are counted
LATENCIES = 512  # last snippets from which the percentiles are taken
FLOOR = -120.0  # dBFS of silence
LEVEL_S = 1.0  # seconds over which the sound level is averaged
STALE = 3.0  # seconds without a picture after which a live camera has stopped


class Rate:
    """Events per second over the last seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.began = clock()
        self._times: deque[tuple[float, int]] = deque(maxlen=4096)

    def add(self, count: int = 1) -> None:
        self._times.append((self.clock(), count))

    def value(self) -> float:
        now = self.clock()
        while self._times and self._times[0][0] < now - SPAN:
            self._times.popleft()
        return sum(count for _, count in self._times) / max(min(SPAN, now - self.began), 1e-3)


class Level:
    """The level of sound in dBFS: the root mean square over about the last second, 0 for full scale."""

    def __init__(self) -> None:
        self.power: float | None = None

    def add(self, rate: int, mono: np.ndarray) -> None:
        if not len(mono):
            return
        power = float(np.mean(np.square(mono, dtype=np.float64)))
        share = min(1.0, len(mono) / rate / LEVEL_S)
        self.power = power if self.power is None else (1 - share) * self.power + share * power

    def value(self) -> float | None:
        if self.power is None:
            return None
        return FLOOR if self.power <= 0 else round(max(FLOOR, 10 * math.log10(self.power)), 1)


class Health:
    """The health of one camera. Its methods may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.state: State = "connecting"
        self.reason = ""
        self.pictures, self.snippets = Rate(clock), Rate(clock)
        self.level = Level()
        self.dropped = self.events = self.reconnects = 0
        self._last: float | None = None
        self._was_live = False
        self._latencies: deque[float] = deque(maxlen=LATENCIES)
        self._lock = threading.Lock()

    def enter(self, state: State, reason: str = "") -> None:
        """Note a change of the connection. A ``reason`` must hold no secret."""
        with self._lock:
            self.reconnects += state == "live" and self._was_live
            self._was_live |= state == "live"
            self.state, self.reason = state, reason
            if state != "live":
                self.level = Level()

    def picture(self) -> None:
        with self._lock:
            self._last = self.clock()
            self.pictures.add()

    def sound(self, rate: int, mono: np.ndarray) -> None:
        with self._lock:
            self.level.add(rate, mono)

    def scored(self, latency: float) -> None:
        with self._lock:
            self.snippets.add()
            self._latencies.append(latency)

    def drop(self, pictures: int) -> None:
        with self._lock:
            self.dropped += pictures

    def event(self) -> None:
        with self._lock:
            self.events += 1

    @property
    def online(self) -> bool:
        """Whether pictures come."""
        age = self.age
        return self.state == "live" and (age is None or age < STALE)

    @property
    def age(self) -> float | None:
        """Seconds since the last picture."""
        return None if self._last is None else self.clock() - self._last

    def values(self) -> dict[str, Any]:
        """Return everything as plain data; what is not known is None."""
        with self._lock:
            age = self.age
            return {
                "state": "online" if self.online else "offline",
                "connection": self.state,
                "reason": self.reason,
                "fps_in": round(self.pictures.value(), 2),
                "snippets_per_s": round(self.snippets.value(), 3),
                "latency_p50_s": percentile(self._latencies, 50),
                "latency_p95_s": percentile(self._latencies, 95),
                "frames_dropped": self.dropped,
                "sound_dbfs": self.level.value(),
                "last_frame_age_s": None if age is None else round(age, 2),
                "events": self.events,
                "reconnects": self.reconnects,
            }


def percentile(values: Sequence[float] | deque[float], share: float) -> float | None:
    """Return a percentile, None of nothing."""
    return round(float(np.percentile(list(values), share)), 4) if values else None
