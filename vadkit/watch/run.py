"""Watch cameras with a model: threads read them, this one scores, others deliver.

Everything that waits is bounded: snippets of each camera (``inbox``), packets for clips (``recorder``), events for each
sink (``delivery``), and what the page shows (``live_state``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vadkit.events import Event, EventRule
from vadkit.extract.frame_rate import USUAL_FPS
from vadkit.extract.snippets import Clock
from vadkit.files import make_folder
from vadkit.interrupt import Interrupt
from vadkit.memory import give_back
from vadkit.predict.system import System
from vadkit.problems import Problem, VadkitError
from vadkit.sinks import plain_name
from vadkit.watch.cameras import Camera
from vadkit.watch.cuts import Cut
from vadkit.watch.delivery import AnySink, Delivery
from vadkit.watch.features import Features, Row
from vadkit.watch.health import Health
from vadkit.watch.inbox import MOST, End, Inbox
from vadkit.watch.live_state import LiveState
from vadkit.watch.reader import Reader
from vadkit.watch.recorder import Recorder
from vadkit.watch.scores import Score, Session, SourceEvents, Stepper

TICK = 0.25  # seconds that the loop waits for a snippet before it looks after the rest
TIDY_S = 60.0  # seconds of stream between two times that freed memory is given back
LAST_S = 5.0  # seconds in which the threads must end
KEPT = 5.0  # seconds that the ring holds beyond what the rule needs, for what waits to be scored
EPOCH = 1e8  # a time after it is a time of day, an earlier one a time in a recording
LONGEST_CLIP = 600.0  # seconds of an event that its clip shows


@dataclass
class Settings:
    """How to watch.

    Attributes:
        out: folder of the log, the clips and what sinks write.
        pace: seconds of a recording per second; None as fast as it is scored.
        clips: whether clips are written.
        contributions: whether to measure what each stream adds.
        health_s: seconds between two reports of health to the sinks.
        patience: seconds in which a live camera must open once.
    """

    out: Path
    rule: EventRule
    pace: float | None = None
    clips: bool = True
    contributions: bool = True
    health_s: float = 10.0
    patience: float = 60.0


@dataclass
class Listener:
    """Who hears of what happens: functions that are called from the thread that scores."""

    score: Callable[[str, Score], object] = lambda source, score: None
    event: Callable[[Event], object] = lambda event: None
    note: Callable[[str], object] = lambda text: None


@dataclass
class _Open:
    """A session of a camera that is being scored."""

    number: int
    scores: Session
    events: SourceEvents


class Watch:
    """Cameras, a model, and where events go. ``run`` returns when all recordings are scored, or on SIGINT or SIGTERM.

    Args:
        build: returns a new stepper of the model for each connection of a camera.
        sinks: by a name that is the same at each start.

    Raises VadkitError for an output folder that cannot be used, and if no camera could ever be opened.
    """

    def __init__(
        self,
        system: System,
        build: Callable[[], Stepper],
        cameras: Sequence[Camera],
        settings: Settings,
        sinks: Mapping[str, AnySink] | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.system, self.build, self.cameras, self.settings = system, build, cameras, settings
        self.listener = listener or Listener()
        stepper = build()  # refuses a graph that cannot be streamed, before a camera is opened
        self.lookahead, self.left_out = stepper.lookahead, tuple(getattr(stepper, "left_out", ()))
        make_folder(settings.out)
        self.health: dict[str, Health] = {camera.name: Health() for camera in cameras}
        self.state = LiveState(cameras, self.health, system.path.name, settings.rule.on)
        self.inbox = Inbox([camera.name for camera in cameras], self._dropped)
        clock = Clock(**system.clock)
        self.readers = {
            camera.name: Reader(
                camera,
                system.backbones,
                clock,
                self.inbox,
                self.health[camera.name],
                Recorder(self._before(clock)) if settings.clips else None,
                settings.pace,
                settings.patience,
                takes_absence=system.model.takes_presence,
            )
            for camera in cameras
        }
        self.features = Features(system.backbones)
        again = [name for camera in cameras if not camera.is_live for name in _sources(camera)]
        self.delivery = Delivery(settings.out, sinks or {}, again, self._note)
        self.open: dict[str, _Open] = {}
        self.events = 0
        self.interrupted = False
        self._next_health = self._next_tidying = 0.0
        self._states: dict[str, tuple[str, bool]] = {}
        self._said: set[str] = set()

    # -- the loop ------------------------------------------------------------------------------
    def run(self) -> None:
        for reader in self.readers.values():
            reader.start()
        with Interrupt() as asked:
            try:
                while (self._are_reading() or self.inbox.waiting) and asked.signal is None:
                    self._turn(TICK)
            finally:
                self._end()
            self.interrupted = asked.signal is not None
        self._refuse_if_nothing_opened()

    def _turn(self, timeout: float) -> None:
        """Score what has come, at most one snippet of each camera, and look after the rest."""
        items = self.inbox.take(timeout)
        self._score({name: item for name, item in items.items() if isinstance(item, Cut)})
        for name, item in items.items():
            if isinstance(item, End):
                self._close(name)
                item.handled.set()
        self._report_health()
        if time.monotonic() >= self._next_tidying:
            give_back()
            self._next_tidying = time.monotonic() + TIDY_S / (self.settings.pace or 1.0)

    def _score(self, cuts: Mapping[str, Cut]) -> None:
        if not cuts:
            return
        windows = [self.readers[name].windows[cut.session] for name, cut in cuts.items()]
        try:
            rows = self.features.of(list(cuts.values()), windows)
        except VadkitError as error:
            self._score_apart(cuts, error)
            return
        for (name, cut), row in zip(cuts.items(), map(self._present, cuts.values(), rows)):
            session = self._session(name, cut.session)
            self._found(name, session, session.scores.add(cut, row))

    def _present(self, cut: Cut, row: Row) -> Row:
        """Return the streams that a snippet has, if the model takes ``presence``; for another one, sound is silence."""
        if cut.heard or not self.system.model.takes_presence:
            return row
        kept = {name: x for name, x in row.items() if self.system.backbones[name].modality != "audio"}
        return kept or row

    def _score_apart(self, cuts: Mapping[str, Cut], error: VadkitError) -> None:
        """Leave out the snippet that cannot be described, and score those of other cameras."""
        if len(cuts) > 1:
            for name, cut in cuts.items():
                self._score({name: cut})
            return
        (name,) = cuts
        self._dropped(name, cuts[name])
        if error.first not in self._said:
            self._said.add(error.first)
            self._note(f"{name}: {error.first}")

    def _session(self, name: str, number: int) -> _Open:
        found = self.open.get(name)
        if found is None or found.number != number:
            self._close(name)
            source = self.readers[name].sessions[number]
            streams = tuple(self.system.backbones) if self.settings.contributions else ()
            is_logit = self.system.model.output_range == "probability"
            scores = Session(self.build, streams, self.settings.rule.off, is_logit)
            found = self.open[name] = _Open(number, scores, SourceEvents(source, self.settings.rule))
        return found

    def _found(self, name: str, session: _Open, scores: Sequence[Score]) -> None:
        for score in scores:
            self.health[name].scored(score.latency)
            self.state.score(name, score)
            self.listener.score(session.events.source, score)
            self._handle(name, session, session.events.add(score))

    def _close(self, name: str) -> None:
        """Score what still waits of a camera's session, and end its event."""
        session = self.open.pop(name, None)
        if session is not None:
            self._found(name, session, session.scores.finish())
            self._handle(name, session, session.events.close())

    # -- events --------------------------------------------------------------------------------
    def _handle(self, name: str, session: _Open, events: Sequence[Event]) -> None:
        for event in events:
            recorder, path = self.readers[name].recorder, self._clip_path(event)
            if recorder is not None and event.state == "new":
                since = event.start_s - self.settings.rule.before_s
                recorder.start(event.id, path, since, since + LONGEST_CLIP)
            if recorder is not None and event.state == "end":
                event = replace(event, clip=str(path))
            if self.delivery.decide(event):
                self._tell(name, event, recorder)
            elif recorder is not None and event.state == "end":
                recorder.cancel(event.id)  # an earlier process has written it

    def _tell(self, name: str, event: Event, recorder: Recorder | None) -> None:
        """Pass a message on; the end of an event once its clip is complete."""
        if event.state == "new":
            self.events += 1
            self.health[name].event()
        self.state.event(name, event)
        self.listener.event(event)
        if recorder is None or event.state != "end":
            self.delivery.send(event)
        else:
            recorder.extend(event.id, event.end_s + self.settings.rule.after_s, lambda: self._clipped(event))

    def _clipped(self, event: Event) -> None:
        exists = event.clip is not None and Path(event.clip).exists()
        self.delivery.send(event if exists else replace(event, clip=None))

    def _clip_path(self, event: Event) -> Path:
        day = time.strftime("%Y%m%d-%H%M%S", time.gmtime(event.start_s)) if event.start_s > EPOCH else ""
        return self.settings.out / "clips" / f"{'-'.join(filter(None, [plain_name(event.source), day, event.id]))}.mp4"

    # -- the rest ------------------------------------------------------------------------------
    def _before(self, clock: Clock) -> float:
        """Return how long packets must be kept: until an event is known, and what its clip shows before it."""
        snippet = clock.snippet_frames / (clock.fps or USUAL_FPS)
        rule = self.settings.rule
        return rule.before_s + rule.least_s + (self.lookahead + MOST + 2) * snippet + KEPT

    def _dropped(self, name: str, cut: Cut) -> None:
        self.health[name].drop(cut.pictures)

    def _note(self, text: str) -> None:
        self.state.note(text)
        self.listener.note(text)

    def _report_health(self) -> None:
        """Hand the health of all cameras to the sinks when it is time, and of one whose state changes at once."""
        now = time.monotonic()
        due = now >= self._next_health
        for camera in self.cameras:
            health = self.health[camera.name]
            state = (health.state, health.online)
            changed = self._states.get(camera.name) != state
            if due or changed:
                self.delivery.health(camera.name, health.values())
            if changed and camera.is_live:
                self._note(f"{camera.name}: {_in_words(*state, health.reason)}")
            self._states[camera.name] = state
            self._say(camera.name)
        if due:
            self._next_health = now + self.settings.health_s

    def _say(self, name: str) -> None:
        """Pass on what a camera's thread has noted, once."""
        reader = self.readers[name]
        failures = [
            f"{name}: a clip cannot be written: {text}"
            for text in (reader.recorder.failures if reader.recorder else [])
        ]
        for text in [*reader.notes, *failures]:
            if text not in self._said:
                self._said.add(text)
                self._note(text)

    def _end(self) -> None:
        """Stop the threads, score and deliver what is under way, for some seconds at most."""
        for reader in self.readers.values():
            reader.stop.set()
        until = time.monotonic() + LAST_S
        while time.monotonic() < until and (self._are_reading() or self.inbox.waiting):
            self._turn(TICK)
        self.inbox.close()
        for name in list(self.open):
            self._close(name)
        for reader in self.readers.values():
            if reader.recorder is not None:
                reader.recorder.end()
        self._next_health = 0.0
        self._report_health()
        self.delivery.close()

    def _are_reading(self) -> bool:
        return any(reader.is_alive() for reader in self.readers.values())

    @property
    def failed(self) -> list[Problem]:
        """What is wrong with the cameras that could never be opened."""
        return [p for reader in self.readers.values() if reader.error is not None for p in reader.error.problems]

    def _refuse_if_nothing_opened(self) -> None:
        if self.failed and all(reader.error is not None for reader in self.readers.values()):
            raise VadkitError(self.failed)


def _sources(camera: Camera) -> list[str]:
    """Return the names of a camera's recordings in events."""
    return [camera.name] if len(camera.files) == 1 else [f"{camera.name}/{path.name}" for path in camera.files]


def _in_words(connection: str, online: bool, reason: str) -> str:
    if connection == "live" and not online:
        return "no picture comes"
    words = {"waiting": "lost, will be tried again", "failed": "given up", "connecting": "connecting"}
    return words.get(connection, connection) + (f": {reason}" if reason else "")
