"""One video in, the features of every backbone out: decoded once, in memory that does not grow with length.

Legend: ``t`` snippets of ``snippet_frames`` frames, ``dim`` the backbone's width, ``s`` snippets of a batch.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vadkit.extract.ahead import Ahead
from vadkit.extract.frame_clock import FrameClock
from vadkit.extract.media import Media, Picture, open_media
from vadkit.extract.snippets import Clock, Snippets, check_size, check_window
from vadkit.extract.sound import ENVELOPE_RATE, Envelope, SoundLine, SoundWindows, is_silent
from vadkit.extract.stages import Rows, Stage, Stages
from vadkit.kinds import Backbone
from vadkit.memory import give_back
from vadkit.presence import THROUGHOUT, Spans, spans_of
from vadkit.problems import fail

Progress = Callable[[float, float | None], None]  # seconds done, seconds in all if known

DECODED = 512 << 20  # bytes of snippets and sound that a thread prepares while a GPU computes


@dataclass(frozen=True)
class Extracted:
    """The features of one video, and what was found out about it.

    Attributes:
        streams: float32 (t, dim) by stream name, all of the same t; (crops, t, dim) of a backbone that takes
            several crops.
        snippet_times: float64 (t, 2), seconds from the first picture at which each snippet starts and ends.
        fps: frames per second the snippets were cut at.
        native_fps: frames per second of the file.
        num_frames: frames on that clock, before the tail rule.
        duration: seconds of picture.
        size: height and width of the pictures, upright.
        warnings: what is unusual about the file, in plain words.
        envelope: loudest sample of every 1 / envelope_rate second, for drawing; empty without sound.
        has_sound: False if there is no sound track or it is silent.
        native_frames: pictures of the file that were decoded.
        offset: when players that play the file itself show its first picture, in seconds; None if they may show
            pictures at other times, or another track.
        absent: the snippets for which the file has nothing, by stream: nothing can be heard in them. They hold the
            features of silence.
    """

    streams: dict[str, np.ndarray]
    snippet_times: np.ndarray
    fps: float
    native_fps: float
    num_frames: int
    duration: float
    size: tuple[int, int]
    warnings: list[str]
    envelope: np.ndarray
    envelope_rate: int
    has_sound: bool
    native_frames: int
    offset: float | None = 0.0
    absent: Mapping[str, Spans] = field(default_factory=dict)


def recipe(name: str, backbone: Backbone, clock: Clock) -> dict[str, Any]:
    """Return everything that decides a stream's numbers, as plain data."""
    return {"backbone": name, **clock.recipe(), "decoder": "pyav", "crops": 1, **backbone.recipe()}


def extract_video(
    path: str | Path,
    backbones: Mapping[str, Backbone],
    clock: Clock | None = None,
    *,
    start: int = 0,
    limit: int | None = None,
    progress: Progress | None = None,
    folder: Path | None = None,
) -> Extracted:
    """Decode a video once and return the features of all streams.

    Args:
        path: any file that PyAV can decode.
        backbones: backbone by stream name. Two streams of equal backbone and recipe are computed once.
        clock: how snippets are cut; by default 16 frames each, at the video's own rate.
        start: frames of the clock that are left out before the first snippet.
        limit: snippets after which to stop; the rest of the file is not decoded.
        progress: called with seconds done and seconds in all (None if the file does not say).
        folder: where features that are too many for memory wait until the end; None keeps all in memory.

    A "flow" backbone gets one frame more than the snippet has, the first of the next snippet, if there is one, so that
    no motion is lost between snippets. An "audio" backbone gets the ``recipe()["window"]`` samples that end with the
    snippet; where there is no sound, it gets silence.

    Raises VadkitError for a file that cannot be used, and CannotWrite if ``folder`` cannot be written. What is
    merely unusual goes to ``warnings``.
    """
    with open_media(path) as media:
        found = extract_media(media, backbones, clock, start=start, limit=limit, progress=progress, folder=folder)
    give_back()  # what decoders had; without it, a process grows by some 200 KiB with each file
    return found


def extract_media(
    media: Media,
    backbones: Mapping[str, Backbone],
    clock: Clock | None = None,
    *,
    start: int = 0,
    limit: int | None = None,
    progress: Progress | None = None,
    folder: Path | None = None,
) -> Extracted:
    """Return the features of an open file, or of what can take its place; see ``extract_video``."""
    clock = clock or Clock()
    if start < 0 or (limit is not None and limit < 0):
        fail(f"start is {start} and limit {limit}; neither can be below 0")
    snippets = Snippets(clock.snippet_frames, clock.tail, start, limit)
    return _Extraction(media, backbones, clock.fps or media.fps, snippets, folder).run(progress)


def sound_window(backbone: Backbone, seconds: float) -> tuple[int, int]:
    """Return the rate, and how many samples an audio backbone takes of a snippet of that many seconds."""
    recipe = backbone.recipe()
    rate = int(recipe["sample_rate"])
    window = int(recipe.get("window") or round(rate * seconds))
    check_window(window, seconds)
    return rate, window


@dataclass(frozen=True)
class _Piece:
    """What one step of a pass found, and who takes it. ``bytes`` are held until then."""

    take: Callable[..., object]
    what: tuple[Any, ...]
    bytes: int = 0


class _Sound:
    """The windows of a stage of sound, and which of them are silent."""

    def __init__(self, stage: Stage, windows: SoundWindows) -> None:
        self.stage, self.windows = stage, windows
        self.silent: list[bool] = []

    def pieces(self, windows: Iterable[np.ndarray]) -> Iterator[_Piece]:
        for window in windows:
            self.silent.append(is_silent(window))
            yield _Piece(self.stage.add, (window,), window.nbytes)


class _Extraction:
    """The state of one pass over one file."""

    def __init__(
        self,
        media: Media,
        backbones: Mapping[str, Backbone],
        fps: float,
        snippets: Snippets,
        folder: Path | None,
    ) -> None:
        self.media, self.fps, self.n, self.snippets = media, fps, snippets.n, snippets
        self.backbones = backbones
        self.frames = FrameClock(media, fps)
        self.line, self.envelope = SoundLine(), Envelope()
        self.pictures = 0
        rows: dict[str, Rows] = {}
        self.rows: dict[str, Rows] = {}
        for name, backbone in backbones.items():
            same = json.dumps([type(backbone).__qualname__, backbone.recipe()], sort_keys=True)
            self.rows[name] = rows.setdefault(same, Rows(name, backbone, folder))
        self.stages = Stages(list(rows.values()), self.n)
        self.sound = {id(backbone): _Sound(stage, self._windows(backbone)) for backbone, stage in self.stages.audio}

    def _windows(self, backbone: Backbone) -> SoundWindows:
        seconds = self.n / self.fps
        rate, window = sound_window(backbone, seconds)
        return SoundWindows(rate, window, seconds, self.snippets.start / self.fps)

    def run(self, progress: Progress | None) -> Extracted:
        """Do all of it; with a GPU, a thread decodes ahead."""
        pieces: Iterable[_Piece] = self._pieces(progress)
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.stages)
            if self.stages.on_gpu:
                pieces = stack.enter_context(Ahead(iter(pieces), lambda piece: piece.bytes, DECODED))
            for piece in pieces:
                piece.take(*piece.what)
            self.stages.finish()
            return self._result()

    def _pieces(self, progress: Progress | None) -> Iterator[_Piece]:
        for event in self.media.events():
            if isinstance(event, Picture):
                self.pictures += 1
                if self.frames.size is None:
                    check_size(self.n, *event.size)
                for frame in self.frames.feed(event):
                    yield from self._frame(frame)
                if progress:
                    yield _Piece(progress, (event.time, self.media.duration))
            else:
                yield from self._sound(event.time, event.rate, event.mono)
            if self._is_done():
                break
        else:
            for frame in self.frames.finish():
                yield from self._frame(frame)
            for plain, joined in self.snippets.finish():
                yield from self._snippet(plain, joined)
            self._warn()
        for sound in self.sound.values():
            yield from sound.pieces(sound.windows.finish(self.snippets.count))

    def _is_done(self) -> bool:
        """Return whether all snippets that are wanted are complete, with their sound."""
        heard = all(sound.windows.count >= self.snippets.count for sound in self.sound.values())
        return self.snippets.is_full and (heard or self.media.audio is None)

    def _frame(self, frame: np.ndarray) -> Iterator[_Piece]:
        for plain, joined in self.snippets.feed(frame):
            yield from self._snippet(plain, joined)

    def _snippet(self, plain: np.ndarray, joined: np.ndarray) -> Iterator[_Piece]:
        for stage, with_next in self.stages.pictures:
            yield _Piece(stage.add, (joined if with_next else plain,), joined.nbytes)

    def _sound(self, time: float, rate: int, mono: np.ndarray) -> Iterator[_Piece]:
        for piece in self.line.lay(time, rate, mono):
            self.envelope.feed(rate, piece)
            for sound in self.sound.values():
                yield from sound.pieces(sound.windows.feed(rate, piece))

    def _result(self) -> Extracted:
        count, duration = self.snippets.count, self._duration
        starts = (self.snippets.start + np.arange(count) * self.n) / self.fps
        times = np.stack([starts, np.minimum(starts + self.n / self.fps, duration)], axis=1)
        assert self.frames.size is not None
        return Extracted(
            {name: rows.result(count) for name, rows in self.rows.items()},
            times,
            self.fps,
            self.media.fps,
            self.frames.count,
            duration,
            self.frames.size,
            self.media.warnings,
            np.asarray(self.envelope.peaks, np.float32),
            ENVELOPE_RATE,
            self._has_sound,
            self.pictures,
            self.media.offset,
            self._absent(count),
        )

    @property
    def _duration(self) -> float:
        return self.frames.count / self.fps

    @property
    def _has_sound(self) -> bool:
        return self.media.audio is not None and not self.envelope.silent

    def _absent(self, snippets: int) -> dict[str, Spans]:
        silent = {
            name: np.array(self.sound[id(rows.backbone)].silent[:snippets])
            for name, rows in self.rows.items()
            if id(rows.backbone) in self.sound
        }
        return {name: THROUGHOUT if x.all() else spans_of(x) for name, x in silent.items() if x.any()}

    def _warn(self) -> None:
        warn = self.media.warnings.append
        if self.frames.count < self.n:
            warn(f"the video has {self.frames.count} frames, fewer than a snippet's {self.n}: the last was repeated")
        if self.media.audio is None:
            return
        heard = self.line.samples / self.line.rate if self.line.rate else 0.0
        if not heard:
            warn("the sound track holds no sound that can be decoded")
        elif not self._has_sound:
            warn("the sound track is silent")
        elif self._duration - heard > 0.5:
            warn(f"the sound ends at {heard:.1f} s, the picture at {self._duration:.1f} s; silence was added after it")
        if self.line.holes > 0.5:
            warn(f"{self.line.holes:.1f} s of sound are missing between its pieces; they count as silence")
        if self.line.jumps:
            warn("the sound's time stamps jump; its pieces were joined end to end")
