"""Tiny videos whose pictures carry their number, and a backbone that reads it: which picture is in which frame.

A picture is ten bars from left to right; bar k is white if bit k of the number is set.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from vadkit import Backbone
from vadkit.extract.one_pass import Extracted, extract_video

BITS, BAR, HEIGHT = 10, 8, 48
SIZE = (BITS * BAR, HEIGHT)  # width, height
TICK = Fraction(1, 90_000)
RATE = 16_000


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return uint8 (height, width, 3)."""
    bits = (number >> np.arange(size[0]) * BITS // size[0]) & 1
    return np.broadcast_to((20 + 215 * bits)[None, :, None], (size[1], size[0], 3)).astype(np.uint8)


def number_of(frame: np.ndarray) -> int:
    """Return the number of a picture, of any size."""
    bars = frame.mean((0, 2)).reshape(-1)
    centres = ((np.arange(BITS) + 0.5) * len(bars) / BITS).astype(int)
    return int(((bars[centres] > 127) << np.arange(BITS)).sum())


class Numbers(Backbone):
    """The number of each frame of a snippet; -1 for frames that are lacking."""

    name, modality, dim = "numbers", "rgb", 16

    def recipe(self) -> dict[str, Any]:
        return {}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        rows = [[number_of(f) for f in s] + [-1] * (16 - len(s)) for s in snippets]
        return np.array(rows, np.float32)


class Tones(Backbone):
    """Loudness and main frequency of the quarter of a second that ends with a snippet."""

    name, modality, dim = "tones", "audio", 2

    def recipe(self) -> dict[str, Any]:
        return {"sample_rate": RATE, "window": RATE // 4}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        power = [np.abs(np.fft.rfft(s * np.hanning(len(s)))) for s in snippets]
        return np.array(
            [[np.sqrt((s**2).mean()), 4 * float(np.argmax(p))] for s, p in zip(snippets, power)], np.float32
        )


def shown(path: Path) -> tuple[Extracted, list[int]]:
    """Return what vadkit finds in a video, and the number of the picture of each of its frames."""
    found = extract_video(path, {"rgb": Numbers(), "audio": Tones()})
    return found, [int(n) for n in found.streams["rgb"].reshape(-1)[: found.num_frames]]


def decoded(path: Path) -> list[int]:
    """Return the numbers of all pictures in the order in which PyAV decodes them."""
    with av.open(str(path)) as file:
        return [number_of(f.to_ndarray(format="rgb24")) for f in file.decode(video=0)]


def write(
    path: Path,
    numbers: Iterable[int] = range(40),
    *,
    fps: float = 25,
    times: Callable[[int], float] | None = None,
    offset: float = 0.0,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    bframes: int = 0,
    size: tuple[int, int] = SIZE,
    tone: tuple[float, float, float] | None = None,
    sound: str = "aac",
    more: Sequence[tuple[Sequence[int], dict[str, Any]]] = (),
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video and return its path.

    Args:
        times: seconds of the picture at each place; evenly ``fps`` a second unless given.
        offset: seconds added to all times.
        tone: hertz, where it begins, and where it ends, in seconds.
        more: further tracks of pictures: their numbers, and what differs (codec, size, flag).
    """
    with av.open(str(path), "w") as sink:
        first = _track(sink, fps, times or offset, options, bframes, codec=codec, size=size, pixels=pixels)
        tracks = [
            (first, list(numbers), {}),
            *((_track(sink, fps, times, None, 0, **how), list(ns), how) for ns, how in more),
        ]
        heard = sink.add_stream(sound, rate=RATE if sound != "mp2" else 44_100, layout="mono") if tone else None
        for track, chosen, how in tracks:
            for place, number in enumerate(chosen):
                frame = av.VideoFrame.from_ndarray(picture(number, how.get("size", size)), format="rgb24")
                frame.time_base = track.codec_context.time_base
                time = (times(place) if times else place / fps) + offset
                frame.pts = round(time / frame.time_base)
                sink.mux(track.encode(frame))
            sink.mux(track.encode(None))
        if heard is not None and tone is not None:
            _add_tone(sink, heard, tone, offset)
    return path


def _track(
    sink: Any,
    fps: float,
    timed: Any,
    options: dict[str, str] | None,
    bframes: int,
    *,
    codec: str = "libx264",
    size: tuple[int, int] = SIZE,
    pixels: str = "yuv420p",
    flag: int | None = None,
) -> Any:
    fast = {"preset": "ultrafast"} if codec == "libx264" else {}
    if codec != "mjpeg" and codec != "ffv1":
        fast |= {"bf": str(bframes), "g": "12"}
    rate = Fraction(fps).limit_denominator(1001)
    track = sink.add_stream(codec, rate=rate, options={**fast, **(options or {})})
    track.width, track.height, track.pix_fmt = *size, pixels
    exact = codec in ("mpeg4", "mpeg2video", "libxvid")
    track.codec_context.time_base = 1 / rate if exact or not timed else TICK
    if flag is not None:
        track.disposition = flag
    return track


def _add_tone(sink: Any, track: Any, tone: tuple[float, float, float], offset: float) -> None:
    hertz, start, end = tone
    rate = track.codec_context.sample_rate
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(round((end - start) * rate)) / rate)
    frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, round((start + offset) * rate), Fraction(1, rate)
    resampler = av.AudioResampler(track.codec_context.format, "mono", rate, frame_size=1152 if rate > RATE else 1024)
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        sink.mux(track.encode(piece))
    sink.mux(track.encode(None))


def join(path: Path, *parts: Path) -> Path:
    """Write files end to end, as ``cat`` does."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def restamp(source: Path, path: Path, stamp: Callable[[int], float]) -> Path:
    """Copy the pictures of a file; packet n, in the order of decoding, gets the time ``stamp``(n) in seconds."""
    with av.open(str(source)) as old, av.open(str(path), "w") as sink:
        track = sink.add_stream_from_template(old.streams.video[0])
        for n, packet in enumerate(p for p in old.demux(video=0) if p.size):
            packet.stream, packet.time_base, packet.duration = track, TICK, 0
            packet.pts = packet.dts = round(stamp(n) / TICK)
            sink.mux(packet)
    return path


def patch_stamps(source: Path, path: Path, stamp: Callable[[int], float]) -> Path:
    """Copy a transport stream without B-frames; picture n gets the time ``stamp``(n) in seconds, whatever it is."""
    content, count = bytearray(source.read_bytes()), 0
    for at in range(0, len(content), 188):
        begins, extra = content[at + 1] & 0x40, content[at + 4] + 1 if content[at + 3] & 0x20 else 0
        head = at + 4 + extra
        if begins and content[head : head + 3] == b"\0\0\1" and content[head + 3] == 0xE0:
            assert content[head + 7] & 0xC0 == 0x80, "one time stamp"
            time = round(stamp(count) / TICK)
            parts = (time >> 29 & 0xE, time >> 22 & 0xFF, time >> 14 & 0xFE, time >> 7 & 0xFF, time << 1 & 0xFE)
            content[head + 9 : head + 14] = bytes([0x21 | parts[0], parts[1], 1 | parts[2], parts[3], 1 | parts[4]])
            count += 1
    path.write_bytes(content)
    return path


def set_matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Set the display matrix of the only track of an mp4: a point (x, y) is shown at (ax + cy, bx + dy)."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4
    one = 1 << 16
    content[at + 40 : at + 76] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path
