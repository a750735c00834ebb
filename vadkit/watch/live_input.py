"""The only place where cameras are opened: RTSP addresses and USB devices, with time-outs.

A stream is decoded from its first packet on: what a file's first packets tell (frame rate, tracks) is taken from what
the stream states, so that no picture waits.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av

from vadkit.extract.frame_rate import STATED, USUAL_FPS
from vadkit.extract.media import Media, open_media
from vadkit.extract.open_file import reason
from vadkit.extract.packets import Packets
from vadkit.extract.time_line import PictureTimes
from vadkit.extract.tracks import choose_sound, picture_tracks
from vadkit.problems import fail
from vadkit.watch.cameras import Camera

OPEN_S, READ_S = 10.0, 10.0  # seconds until a camera that does not answer counts as stopped
RTSP = {
    "protocol_whitelist": "rtsp,rtp,udp,tcp,tls,srtp",
    "format_whitelist": "rtsp,sdp,rtp,mpegts",
    "analyzeduration": "1000000",  # microseconds that are looked at to find the frame rate; the usual five are lost
}
REFUSED = (401, 403, 404)  # of HTTP, as RTSP uses them: no attempt will change it


class Refused(Exception):
    """A camera answers, and does not give its stream: the login or the path is wrong."""


class LivePackets(Packets):
    """Packets of a stream as they come. ``fault`` says why they ended."""

    fault: str | None = None

    def _read_head(self) -> list[Any]:
        return []

    def _next(self) -> Any:
        try:
            packet = next(self._packets, None)
        except (av.FFmpegError, OSError) as error:
            self.fault = "no packet came in time" if isinstance(error, av.error.ExitError) else reason(error)
            return None
        if packet is None:
            self.fault = "the camera ended the stream"
        return packet


class Tap:
    """Packets that others see, too: ``seen`` gets each after it was decoded. ``wait`` is called before each.

    ``pace`` is stream seconds per second, None as fast as they are read.
    """

    def __init__(self, packets: Packets, seen: Any, stopped: Any, pace: float | None = None) -> None:
        self.packets, self.seen, self.stopped, self.pace = packets, seen, stopped, pace
        self.order = packets.order
        self._began: tuple[float, float] | None = None

    def __iter__(self) -> Iterator[Any]:
        for packet in self.packets:
            if self.stopped():
                return
            if self.pace is not None:
                self._wait(packet)
            yield packet

    def decode(self, packet: Any) -> list[Any]:
        frames = self.packets.decode(packet)
        if packet.size:
            self.seen(packet)
        return frames

    @property
    def damaged(self) -> int:
        return self.packets.damaged

    @property
    def first(self) -> float | None:
        return self.packets.first

    def _wait(self, packet: Any) -> None:
        """Sleep until the packet would have come from a camera."""
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is None or self.pace is None:
            return
        at, now = float(stamp * packet.time_base), time.monotonic()
        if self._began is None:
            self._began = (now, at)
        due = self._began[0] + (at - self._began[1]) / self.pace
        while (left := due - time.monotonic()) > 0 and not self.stopped():
            time.sleep(min(left, 0.2))


def open_recording(path: Path, sound: bool) -> Media:
    """Return an open file, as extraction reads it."""
    media = open_media(path)
    if not sound and media.audio is not None:
        media.audio = None
        media.packets.choose(media.video, None)
    return media


def open_camera(camera: Camera) -> Media:
    """Return an open stream. Raises Refused, VadkitError without a picture, or an error of PyAV or the system."""
    try:
        container = _open(camera)
    except (av.FFmpegError, OSError) as error:
        if _code(error) in REFUSED:
            raise Refused(camera.hide(reason(error))) from None
        raise
    tracks = picture_tracks(container)
    if not tracks:
        container.close()
        fail(f"{camera.shown} has no pictures")
    audio = choose_sound(container)[0] if camera.sound else None
    packets = LivePackets(container, [tracks[0], *([audio] if audio is not None else [])])
    packets.choose(tracks[0], audio)
    fps = rate_of(tracks[0])
    times = PictureTimes(1 / fps)
    return Media(Path(camera.name), container, tracks[0], audio, fps, [], 0, packets, True, True, times)


def _open(camera: Camera) -> Any:
    timeout = (OPEN_S, READ_S)
    if camera.kind == "usb":
        return av.open(camera.url, format="v4l2", timeout=timeout, metadata_errors="replace")
    options = {**RTSP, "rtsp_transport": camera.transport}
    return av.open(camera.url, format="rtsp", options=options, timeout=timeout, metadata_errors="replace")


def rate_of(track: Any) -> float:
    """Return the frame rate that a stream states, or the usual one."""
    stated: Sequence[Any] = (track.average_rate, track.guessed_rate, track.base_rate)
    return next((float(rate) for rate in stated if rate and STATED[0] <= rate <= STATED[1]), USUAL_FPS)


def _code(error: Exception) -> int | None:
    """Return the status by which a server refused."""
    names = {"HTTPUnauthorizedError": 401, "HTTPForbiddenError": 403, "HTTPNotFoundError": 404}
    return names.get(type(error).__name__)
