"""The thread of one camera: open, decode, cut, hand on; after a fault, open again, later each time."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import av

from vadkit.extract.media import Media, Picture, Samples
from vadkit.extract.open_file import reason
from vadkit.extract.snippets import Clock
from vadkit.kinds import Backbone
from vadkit.problems import Problem, VadkitError
from vadkit.watch.cameras import Camera
from vadkit.watch.cuts import FILE_WAIT, LIVE_WAIT, Cutter, Window, windows_of
from vadkit.watch.health import Health
from vadkit.watch.inbox import End, Inbox
from vadkit.watch.live_input import LivePackets, Refused, Tap, open_camera, open_recording

STEADY = 30.0  # seconds that a session must last before the next wait is short again
LAST_S = 60.0  # seconds until the last snippets of a session must be scored
MINUTE = 60.0
KEPT = 8  # last sessions that are known by number


class Backoff:
    """How long to wait before the next attempt: doubled each time, with jitter, up to ``most`` seconds."""

    def __init__(self, first: float = 1.0, most: float = 60.0, draw: Callable[[], float] = random.random) -> None:
        self.first, self.most, self.draw, self.attempts = first, most, draw, 0

    def next(self) -> float:
        """Return seconds: half of the wait for certain, the other half at random, so that cameras do not all return
        at once after a power cut."""
        wait = min(self.most, self.first * 2.0 ** min(self.attempts, 30))
        self.attempts += 1
        return wait * (0.5 + 0.5 * self.draw())

    def reset(self) -> None:
        self.attempts = 0


class Reader(threading.Thread):
    """Reads one camera until it ends or ``stop`` is set.

    Args:
        recorder: gets the packets, None without clips.
        pace: stream seconds per second of recordings; None as fast as they are scored.
        patience: seconds in which a live camera must open once; one that did is tried permanently.
        takes_absence: whether the model knows that a stream is absent, for the words of a note.
    """

    def __init__(
        self,
        camera: Camera,
        backbones: Mapping[str, Backbone],
        clock: Clock,
        inbox: Inbox,
        health: Health,
        recorder: Any = None,
        pace: float | None = None,
        patience: float = 60.0,
        backoff: Backoff | None = None,
        takes_absence: bool = False,
    ) -> None:
        super().__init__(daemon=True, name=f"camera {camera.name}")
        self.camera, self.backbones, self.clock = camera, backbones, clock
        self.inbox, self.health, self.recorder = inbox, health, recorder
        self.pace, self.patience, self.backoff = pace, patience, backoff or Backoff()
        self.takes_absence = takes_absence
        self.stop = threading.Event()
        self.sessions: dict[int, str] = {}  # the name of each session's source in events
        self.windows: dict[int, dict[str, Window]] = {}
        self.notes: list[str] = []
        self.error: VadkitError | None = None  # why nothing of it could ever be read
        self.opened = False
        self.pictures_read = 0
        self.first_picture = math.nan  # when the first one was decoded, in seconds of the monotonic clock
        self._began, self._count = time.monotonic(), 0

    @property
    def drops(self) -> bool:
        """Whether snippets that are not scored in time are dropped."""
        return self.camera.is_live or self.pace is not None

    def run(self) -> None:
        try:
            if self.camera.is_live:
                self._watch_camera()
            else:
                self._read_recordings()
        except Exception as error:  # a defect of ours, which must not stop other cameras
            text = self.camera.hide(f"{self.camera.name} cannot be read further: {type(error).__name__}: {error}")
            self.notes.append(text)
            self.error = self.error or (None if self.opened else VadkitError([Problem(text)]))
            self.health.enter("failed", text)
        finally:
            self.inbox.wake()

    # -- recordings ----------------------------------------------------------------------------
    def _read_recordings(self) -> None:
        failed: list[VadkitError] = []
        files = self.camera.files
        for path in files:
            if self.stop.is_set():
                return
            name = self.camera.name if len(files) == 1 else f"{self.camera.name}/{path.name}"
            try:
                media = open_recording(path, self.camera.sound)
                self._session(media, name)
            except VadkitError as error:
                failed.append(error)
                self.notes.append(error.first)
        if failed and not self.opened:
            self.error = VadkitError([problem for error in failed for problem in error.problems])
            self.health.enter("failed", failed[0].first)
        else:
            self.health.enter("ended", failed[0].first if failed else "")

    # -- live cameras --------------------------------------------------------------------------
    def _watch_camera(self) -> None:
        while not self.stop.is_set():
            began = time.monotonic()
            why = self._attempt()
            if why is None or self.stop.is_set():
                return
            if not self.opened and time.monotonic() - self._began > self.patience:
                self._give_up(why, f"it did not open within {self.patience:g} s")
                return
            if self.opened and time.monotonic() - began > STEADY:
                self.backoff.reset()
            self.health.enter("waiting", why)
            self.stop.wait(self.backoff.next())

    def _attempt(self) -> str | None:
        """Read one session; return why it ended, None if the camera is given up."""
        try:
            media = open_camera(self.camera)
        except Refused as error:
            if not self.opened:
                self._give_up(str(error), "check its login and its path")
                return None
            return str(error)
        except (av.FFmpegError, OSError) as error:
            return self.camera.hide(reason(error))
        except VadkitError as error:
            return self.camera.hide(error.first)
        try:
            self._session(media, self.camera.name)
        except (av.FFmpegError, OSError) as error:
            return self.camera.hide(reason(error))
        except VadkitError as error:
            return self.camera.hide(error.first)
        packets = media.packets.packets
        return (isinstance(packets, LivePackets) and packets.fault) or "the stream ended"

    def _give_up(self, why: str, hint: str) -> None:
        text = f"{self.camera.name} ({self.camera.shown}) cannot be opened: {why}"
        self.error = VadkitError([Problem(text, hint=hint)])
        self.health.enter("failed", why)

    # -- both ----------------------------------------------------------------------------------
    def _session(self, media: Media, name: str) -> None:
        number = self._count
        self._count += 1
        self.sessions[number] = name
        for known in (self.sessions, self.windows):
            known.pop(number - KEPT, None)
        with media:
            line = _TimeLine(self.camera.is_live, self.health)
            seen = self.recorder.begin(media, line) if self.recorder is not None else _ignore
            media.packets = Tap(media.packets, seen, self.stop.is_set, None if self.camera.is_live else self.pace)
            self.windows[number] = windows_of(self.backbones, self.clock, media.fps)
            wait = LIVE_WAIT if self.camera.is_live else FILE_WAIT
            windows = list(dict.fromkeys(self.windows[number].values()))

            def see(picture: Picture) -> float:
                self.first_picture = time.monotonic() if self.pictures_read == 0 else self.first_picture
                self.pictures_read += 1
                return line.seen(picture)

            cutter = Cutter(media, self.clock, windows, number, wait, see, self._heard)
            self._note(media)
            try:
                for cut in cutter.cuts():
                    self._delivers()
                    self.inbox.put(self.camera.name, cut, self.drops)
            finally:
                self._finish(number)

    def _finish(self, number: int) -> None:
        """Wait until the session's last snippets are scored: its clips need the open source."""
        end = End(number)
        self.inbox.put(self.camera.name, end, self.drops)
        end.handled.wait(LAST_S)
        if self.recorder is not None:
            self.recorder.end()

    def _delivers(self) -> None:
        if self.health.state != "live":
            self.health.enter("live")
        self.opened = True

    def _heard(self, piece: Samples) -> None:
        self.health.sound(piece.rate, piece.mono)

    def _note(self, media: Media) -> None:
        """Say what the model lacks of this source."""
        wants = [name for name, backbone in self.backbones.items() if backbone.modality == "audio"]
        if wants and media.audio is None:
            given = "counts as absent" if self.takes_absence else "gets silence"
            text = f"{self.camera.name} has no sound; {', '.join(wants)} {given}"
            if text not in self.notes:
                self.notes.append(text)


class _TimeLine:
    """Where a session's first picture is on the source's time line: a recording begins at 0, a camera at a time of day,
    in seconds since 1970.

    A camera's clock and ours drift apart, and pictures may come late, but never early: the least delay of each minute
    sets the line again.
    """

    def __init__(self, is_live: bool, health: Health) -> None:
        self.is_live, self.health = is_live, health
        self.begin: float | None = None
        self._least, self._since = math.inf, 0.0

    def seen(self, picture: Picture) -> float:
        """Note a picture; return when the session's first one was."""
        self.health.picture()
        now = time.time() - picture.time if self.is_live else 0.0
        self.begin = now if self.begin is None else min(self.begin, now)
        self._least = min(self._least, now)
        if picture.time - self._since > MINUTE:
            self.begin, self._least, self._since = self._least, math.inf, picture.time
        return self.begin


def _ignore(packet: Any) -> None:
    """Take a packet where no clips are written."""
