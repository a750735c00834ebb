"""One video in, the features of every backbone out: decoded once, in memory that does not grow with length.

Legend: ``t`` snippets of ``snippet_frames`` frames, ``dim`` the backbone's width, ``s`` snippets of a batch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from vadkit.extract.frame_clock import Ticks
from vadkit.extract.media import Media, Picture, open_media
from vadkit.extract.row_buffer import Rows
from vadkit.extract.sound import ENVELOPE_RATE, Envelope, Line, Windows
from vadkit.kinds import Backbone
from vadkit.problems import fail, nearest

# What becomes of the last frames of a video of N, in snippets of n; a video always gives one snippet at least.
# repeat       ceil(N / n): the last frame is repeated until a snippet is full
# drop         floor(N / n): frames that fill no snippet are left out
# xd_violence  floor((N - 1) / n): so, too, but the last frame only serves the optical flow
Tail = Literal["repeat", "drop", "xd_violence"]
# The same under the names of those who use them. UR-DMU counts its ground truth by floor(N / n) all the same.
TAILS: dict[str, Tail] = {
    "repeat": "repeat",
    "drop": "drop",
    "xd_violence": "xd_violence",
    "ur_dmu": "repeat",
    "rtfm": "drop",
    "wsv_gst": "drop",
    "video_features": "xd_violence",
}
Progress = Callable[[float, float | None], None]  # seconds done, seconds in all if known

BATCH = 16  # snippets given to a backbone at once ...
BATCH_BYTES = 64 << 20  # ... unless their frames are larger than this


@dataclass(frozen=True)
class Extracted:
    """What one video gave.

    Attributes:
        streams: float32 (t, dim) by stream name, all of the same t; (crops, t, dim) of a backbone that takes
            several crops.
        snippet_times: float64 (t, 2), seconds from the first picture at which each snippet starts and ends.
        fps: frames per second the snippets were cut at.
        native_fps: frames per second of the file.
        num_frames: frames on that clock, before the tail rule.
        duration: seconds of picture.
        size: height and width of the pictures, upright.
        warnings: what was odd, in plain words.
        envelope: loudest sample of every 1 / envelope_rate second, for drawing; empty without sound.
        has_sound: False if there is no sound track or it is silent.
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


def find_tail(name: str) -> Tail:
    """Return the tail rule of that name. Raises VadkitError for an unknown one."""
    if name not in TAILS:
        close = nearest(name, TAILS)
        hint = f"did you mean '{close}'?" if close else f"there are {', '.join(TAILS)}"
        fail(f"there is no tail rule '{name}'", hint)
    return TAILS[name]


def recipe(name: str, backbone: Backbone, snippet_frames: int, fps: float | None, tail: Tail) -> dict[str, Any]:
    """Return everything that decides a stream's numbers, as plain data. ``fps`` None is the video's own."""
    clock = {"snippet_frames": snippet_frames, "stride": snippet_frames, "fps": fps, "tail": tail}
    return {"backbone": name, **clock, "decoder": "pyav", "crops": 1, **backbone.recipe()}


def extract_video(
    path: str | Path,
    backbones: Mapping[str, Backbone],
    *,
    fps: float | None = None,
    snippet_frames: int = 16,
    tail: Tail = "repeat",
    progress: Progress | None = None,
    folder: Path | None = None,
) -> Extracted:
    """Decode a video once and return the features of all streams.

    Args:
        path: any file that PyAV can decode.
        backbones: backbone by stream name. Two streams of equal backbone and recipe are computed once.
        fps: frames per second to cut snippets at, picked by time stamps. None takes the video's own rate.
        snippet_frames: frames in a snippet; snippets do not overlap.
        tail: what becomes of the last frames, see ``Tail``.
        progress: called with seconds done and seconds in all (None if the file does not tell).
        folder: where features that are too many for memory wait until the end; None keeps all in memory.

    A "flow" backbone gets one frame more than the snippet has, the first of the next snippet, where
    there is one, so that no motion is lost between snippets. An "audio" backbone gets the
    ``recipe()["window"]`` samples that end with the snippet; no sound is given to it as silence.

    Raises VadkitError for a file that cannot be used, and CannotWrite if ``folder`` cannot be written. What is
    merely odd goes to ``warnings``.
    """
    with open_media(path) as media:
        return extract_media(media, backbones, fps, snippet_frames, tail, progress, folder)


def extract_media(
    media: Media,
    backbones: Mapping[str, Backbone],
    fps: float | None = None,
    snippet_frames: int = 16,
    tail: Tail = "repeat",
    progress: Progress | None = None,
    folder: Path | None = None,
) -> Extracted:
    """Return the features of an open file, or of what can stand in for one; see ``extract_video``."""
    check_clock(snippet_frames, fps, tail)
    return _Extraction(media, backbones, fps or media.fps, snippet_frames, tail, folder).run(progress)


def check_clock(snippet_frames: int, fps: float | None, tail: str) -> None:
    """Raise VadkitError for a clock that snippets cannot be cut by."""
    if snippet_frames < 1:
        fail(f"snippet_frames is {snippet_frames}; a snippet has at least 1 frame")
    if fps is not None and not 0 < fps <= 1000:
        fail(f"fps is {fps}; it must be above 0 and at most 1000")
    if tail not in get_args(Tail):
        fail(f"tail is '{tail}'; it is one of {', '.join(get_args(Tail))}")


class _Feed:
    """Collects snippets for one backbone and hands them over in batches."""

    def __init__(self, name: str, backbone: Backbone, folder: Path | None) -> None:
        self.name, self.backbone = name, backbone
        self.waiting: list[np.ndarray] = []
        self.row = row_shape(backbone)
        self.done = Rows(self.row, folder)

    def add(self, snippet: np.ndarray) -> None:
        self.waiting.append(snippet)
        if len(self.waiting) >= BATCH or sum(s.nbytes for s in self.waiting) >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            batch, self.waiting = self.waiting, []
            self.done.add(self._checked(self.backbone.extract(batch), len(batch)))

    def _checked(self, features: np.ndarray, snippets: int) -> np.ndarray:
        wanted = (snippets, *self.row)
        if features.shape != wanted:
            raise ValueError(f"backbone of stream '{self.name}' gave {features.shape}, not {wanted}")
        if not np.isfinite(features).all():
            fail(f"the backbone of stream '{self.name}' gave numbers that are not finite")
        return features.astype(np.float32, copy=False)

    def result(self, snippets: int) -> np.ndarray:
        """Return (t, dim), or a view (crops, t, dim)."""
        self.flush()
        rows = self.done.array()[:snippets]
        return rows if rows.ndim == 2 else rows.swapaxes(0, 1)


def row_shape(backbone: Backbone) -> tuple[int, ...]:
    """Return the shape of one snippet's features: (dim,), or (crops, dim) if there are several crops."""
    return (backbone.dim,) if backbone.num_crops == 1 else (backbone.num_crops, backbone.dim)


@dataclass
class _Snippets:
    """Groups frames into snippets: ``plain`` of n frames, and those with the next frame behind them."""

    n: int
    tail: Tail
    count: int = 0
    frames: list[np.ndarray] = field(default_factory=list)

    def feed(self, frame: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (plain, with next) once a snippet and the frame after it are there."""
        self.frames.append(frame)
        if len(self.frames) > self.n:
            yield self._cut(self.frames)
            self.frames = self.frames[self.n :]

    def finish(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        missing = self.n - len(self.frames)
        whole = missing == 0 and self.tail != "xd_violence"
        if whole or self.count == 0 or (self.tail == "repeat" and self.frames):
            yield self._cut(self.frames + self.frames[-1:] * missing)

    def _cut(self, frames: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        self.count += 1
        whole = np.stack(frames)
        return whole[: self.n], whole


class _Extraction:
    """The state of one pass over one file."""

    def __init__(
        self,
        media: Media,
        backbones: Mapping[str, Backbone],
        fps: float,
        n: int,
        tail: Tail,
        folder: Path | None,
    ) -> None:
        self.media, self.fps, self.n = media, fps, n
        self.ticks, self.snippets = Ticks(media, fps), _Snippets(n, tail)
        self.line, self.envelope = Line(), Envelope()
        self.feeds: dict[str, _Feed] = {}
        self.stream_feed: dict[str, _Feed] = {}
        for name, backbone in backbones.items():
            same = json.dumps([type(backbone).__qualname__, backbone.recipe()], sort_keys=True)
            self.stream_feed[name] = self.feeds.setdefault(same, _Feed(name, backbone, folder))
        self.windows = [
            (feed, self._windows(feed.backbone)) for feed in self.feeds.values() if feed.backbone.modality == "audio"
        ]

    def _windows(self, backbone: Backbone) -> Windows:
        told = backbone.recipe()
        rate = int(told["sample_rate"])
        return Windows(rate, int(told.get("window") or round(rate * self.n / self.fps)), self.n / self.fps)

    def run(self, progress: Progress | None) -> Extracted:
        for event in self.media.events():
            if isinstance(event, Picture):
                for frame in self.ticks.feed(event):
                    self._frame(frame)
                if progress:
                    progress(event.time, self.media.duration)
            else:
                self._sound(event.time, event.rate, event.mono)
        for frame in self.ticks.finish():
            self._frame(frame)
        for plain, joined in self.snippets.finish():
            self._snippet(plain, joined)
        for feed, windows in self.windows:
            for window in windows.finish(self.snippets.count):
                feed.add(window)
        return self._result()

    def _frame(self, frame: np.ndarray) -> None:
        for plain, joined in self.snippets.feed(frame):
            self._snippet(plain, joined)

    def _snippet(self, plain: np.ndarray, joined: np.ndarray) -> None:
        for feed in self.feeds.values():
            if feed.backbone.modality != "audio":
                feed.add(joined if feed.backbone.modality == "flow" else plain)

    def _sound(self, time: float, rate: int, mono: np.ndarray) -> None:
        for piece in self.line.lay(time, rate, mono):
            self.envelope.feed(rate, piece)
            for feed, windows in self.windows:
                for window in windows.feed(rate, piece):
                    feed.add(window)

    def _result(self) -> Extracted:
        count, frames = self.snippets.count, self.ticks.count
        duration = frames / self.fps
        starts = np.arange(count) * self.n / self.fps
        times = np.stack([starts, np.minimum(starts + self.n / self.fps, duration)], axis=1)
        has_sound = self.media.audio is not None and not self.envelope.silent
        self._say_what_was_odd(duration, has_sound)
        assert self.ticks.size is not None
        return Extracted(
            {name: feed.result(count) for name, feed in self.stream_feed.items()},
            times,
            self.fps,
            self.media.fps,
            frames,
            duration,
            self.ticks.size,
            self.media.warnings,
            np.asarray(self.envelope.peaks, np.float32),
            ENVELOPE_RATE,
            has_sound,
        )

    def _say_what_was_odd(self, duration: float, has_sound: bool) -> None:
        say = self.media.warnings.append
        if self.ticks.count < self.n:
            say(f"the video has {self.ticks.count} frames, fewer than a snippet's {self.n}: the last was repeated")
        if self.media.audio is None:
            return
        heard = self.line.samples / self.line.rate if self.line.rate else 0.0
        if not heard:
            say("the sound track holds no sound that can be decoded")
        elif not has_sound:
            say("the sound track is silent")
        elif duration - heard > 0.5:
            say(f"the sound ends at {heard:.1f} s, the picture at {duration:.1f} s; silence was put behind it")
        if self.line.holes > 0.5:
            say(f"{self.line.holes:.1f} s of sound are missing between its pieces; they were taken as silence")
        if self.line.jumps:
            say("the sound's time stamps jump; its pieces were put one behind the other")
