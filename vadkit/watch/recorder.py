"""Clips of events, with what was before and after: packets of a source as they came, without decoding them again.

The last packets of a source wait in a ring that begins with a key frame. An event takes from it what was before, and
then every packet until enough came after. A codec that mp4 cannot hold, such as the raw pictures of a USB camera, is
encoded as H.264 when the clip is written.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np

from vadkit.extract.media import Media
from vadkit.extract.open_file import open_output
from vadkit.files import make_folder, replacing

RING_BYTES = 64 << 20  # of packets that wait for an event
EARLY = 512  # packets that wait for the first picture
CLIP_BYTES = 256 << 20  # of one clip; what comes later is left out
SOUND_IN_MP4 = {"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"}
PICTURES_IN_MP4 = {"h264", "hevc", "av1", "libdav1d", "mpeg4", "vp9"}


class Line(Protocol):
    """Where a session is on the time line of its source."""

    begin: float | None


@dataclass(frozen=True)
class Piece:
    """One packet. ``time`` is on the source's time line."""

    time: float
    is_picture: bool
    is_key: bool
    data: bytes
    pts: int | None
    dts: int | None
    duration: int
    unit: Fraction


@dataclass
class Clip:
    """A clip that is being collected; ``until`` moves while its event lasts."""

    path: Path
    since: float
    until: float
    pieces: list[Piece] = field(default_factory=list)
    done: Callable[[], object] = lambda: None
    size: int = 0

    @property
    def latest(self) -> float:
        """The time of its last picture."""
        return max((piece.time for piece in reversed(self.pieces[-64:]) if piece.is_picture), default=-np.inf)

    def add(self, piece: Piece) -> None:
        if self.size <= CLIP_BYTES:
            self.pieces.append(piece)
            self.size += len(piece.data)


class Recorder:
    """The ring and the clips of one source.

    Args:
        before: seconds that are kept before an event, with the time until an event is known.
    """

    def __init__(self, before: float, ring_bytes: int = RING_BYTES) -> None:
        self.before, self.ring_bytes = before, ring_bytes
        self.ring: deque[Piece] = deque()
        self.size = 0
        self.clips: dict[str, Clip] = {}
        self.failures: list[str] = []  # why the last clip could not be written
        self._lock = threading.RLock()
        self._tracks: _Tracks | None = None

    # -- in the thread of the source -----------------------------------------------------------
    def begin(self, media: Media, line: Line) -> Callable[[Any], None]:
        """Begin with a new connection, which stays open until ``end``; return what takes its packets."""
        with self._lock:
            self.ring.clear()
            self.size = 0
            self._tracks = _Tracks(media)

        early: list[Piece] = []  # what comes before the first picture is decoded

        def seen(packet: Any) -> None:
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is None:
                return
            early.append(_piece(packet, float(stamp * packet.time_base), packet.stream_index == media.video.index))
            if line.begin is not None and media.pictures.bases:
                for piece in early:
                    self._take(replace(piece, time=line.begin + piece.time - media.pictures.bases[-1]))
                early.clear()
            elif len(early) > EARLY:
                del early[0]

        return seen

    def end(self) -> None:
        """Finish all clips: nothing more will come of this connection."""
        with self._lock:
            for clip in list(self.clips.values()):
                self._finish(clip)
            self._tracks = None

    def _take(self, piece: Piece) -> None:
        with self._lock:
            self.ring.append(piece)
            self.size += len(piece.data)
            self._trim(piece.time)
            for clip in list(self.clips.values()):
                clip.add(piece)
                if piece.is_picture and piece.time >= clip.until:
                    self._finish(clip)

    def _trim(self, now: float) -> None:
        """Drop the oldest run of pictures while the next one begins early enough, or there are too many bytes."""
        while len(self.ring) > 1:
            following = next((i for i, p in enumerate(self.ring) if i and p.is_picture and p.is_key), None)
            early = following is not None and self.ring[following].time <= now - self.before
            if not early and self.size <= self.ring_bytes:
                return
            for _ in range(following or 1):
                self.size -= len(self.ring.popleft().data)

    # -- in the thread that scores -------------------------------------------------------------
    def start(self, name: str, path: Path, since: float, until: float) -> None:
        """Begin the clip of an event, which ends at ``until`` in any case."""
        with self._lock:
            first = 0
            for i, piece in enumerate(self.ring):
                if piece.is_picture and piece.is_key and piece.time <= since:
                    first = i
            clip = self.clips[name] = Clip(path, since, until)
            for piece in list(self.ring)[first:]:
                clip.add(piece)

    def extend(self, name: str, until: float, done: Callable[[], object]) -> None:
        """Let a clip end then; ``done`` is called once its file exists, or cannot be written."""
        with self._lock:
            clip = self.clips.get(name)
            if clip is not None:
                clip.until, clip.done = min(until, clip.until), done
                if clip.latest >= clip.until or self._tracks is None:
                    self._finish(clip)
                return
        done()

    def cancel(self, name: str) -> None:
        """Write no file of a clip."""
        with self._lock:
            self.clips.pop(name, None)

    def _finish(self, clip: Clip) -> None:
        self.clips = {name: other for name, other in self.clips.items() if other is not clip}
        try:
            if self._tracks is not None:
                self._tracks.write(clip)
        except (av.FFmpegError, OSError, ValueError) as error:
            self.failures = [f"{getattr(error, 'strerror', None) or error}".lower()]
        clip.done()


def _piece(packet: Any, time: float, is_picture: bool) -> Piece:
    return Piece(
        time,
        is_picture,
        bool(packet.is_keyframe),
        bytes(packet),
        packet.pts,
        packet.dts,
        packet.duration or 0,
        Fraction(packet.time_base),
    )


class _Tracks:
    """How the packets of a session are written."""

    def __init__(self, media: Media) -> None:
        self.video, self.audio, self.fps = media.video, media.audio, media.fps
        self.copies = media.video.codec_context.name in PICTURES_IN_MP4
        self.has_sound = media.audio is not None and media.audio.codec_context.name in SOUND_IN_MP4

    def write(self, clip: Clip) -> None:
        """Write the clip's file, whole or not at all. Raises an error of PyAV or the system."""
        if not any(piece.is_picture for piece in clip.pieces):
            raise ValueError("no picture of it was kept")
        make_folder(clip.path.parent)
        with replacing(clip.path) as temporary:
            with open_output(temporary, options={"movflags": "+faststart"}) as sink:
                self._copy(sink, clip) if self.copies else self._encode(sink, clip)

    def _copy(self, sink: Any, clip: Clip) -> None:
        pictures = sink.add_stream_from_template(self.video)
        sound = sink.add_stream_from_template(self.audio) if self.has_sound else None
        first = next(piece for piece in clip.pieces if piece.is_picture)
        stamp = first.dts if first.dts is not None else first.pts
        base = float((stamp or 0) * first.unit)
        last = {True: -1, False: -1}
        for piece in clip.pieces:
            track = pictures if piece.is_picture else sound
            if track is None:
                continue
            packet = _packet(piece, base)
            if packet.dts is None or packet.dts <= last[piece.is_picture] or packet.dts < 0:
                if packet.dts is None or packet.dts < 0:
                    continue
                packet.dts = last[piece.is_picture] + 1
            last[piece.is_picture] = packet.dts
            packet.stream = track
            sink.mux(packet)

    def _encode(self, sink: Any, clip: Clip) -> None:
        """Decode the pictures and encode them as H.264."""
        context = av.CodecContext.create(self.video.codec_context.name, "r")
        for name in ("width", "height", "pix_fmt", "extradata"):
            value = getattr(self.video.codec_context, name, None)
            if value:
                setattr(context, name, value)
        track = None
        ticks = -1
        for piece in clip.pieces:
            if not piece.is_picture:
                continue
            for frame in context.decode(_packet(piece, 0.0)):
                if track is None:
                    track = sink.add_stream("libx264", rate=Fraction(self.fps).limit_denominator(1001))
                    track.width, track.height = frame.width // 2 * 2, frame.height // 2 * 2
                    track.pix_fmt, track.options = "yuv420p", {"preset": "ultrafast", "crf": "26"}
                    track.codec_context.time_base = Fraction(1, 1000)
                ticks = max(ticks + 1, round((piece.time - clip.pieces[0].time) * 1000))
                frame = frame.reformat(track.width, track.height, "yuv420p")
                frame.pts, frame.time_base = ticks, Fraction(1, 1000)
                sink.mux(track.encode(frame))
        if track is not None:
            sink.mux(track.encode(None))


def _packet(piece: Piece, base: float) -> Any:
    """Return a packet whose times count from ``base`` seconds of the source's clock."""
    packet = av.Packet(piece.data)
    shift = round(base / piece.unit)
    packet.time_base = piece.unit
    packet.pts = None if piece.pts is None else piece.pts - shift
    packet.dts = packet.pts if piece.dts is None else piece.dts - shift
    packet.duration = piece.duration
    packet.is_keyframe = piece.is_key
    return packet
