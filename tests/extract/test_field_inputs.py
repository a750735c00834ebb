"""Files that people have met: every picture at its time, and what was dropped, held or chosen is reported.

The judges are the numbers in the pictures, the order in which PyAV decodes, and OpenCV.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numbered_videos import (
    SIZE,
    TICK,
    decoded,
    join,
    number_of,
    patch_stamps,
    picture,
    restamp,
    set_matrix,
    shown,
    write,
)

from vadkit.extract.media import Picture, open_media

pytestmark = pytest.mark.guards("F")

N = list(range(40))
HEVC = {"x265-params": "keyint=30:bframes=0:scenecut=0:log-level=error"}


def said(found: Any) -> str:
    return " | ".join(text for text in found.warnings if text != "there is no sound")


def by_opencv(path: Path) -> list[int]:
    reader = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    numbers = []
    while (read := reader.read())[0]:
        numbers.append(number_of(read[1]))
    return numbers


# -- containers, codecs and B-frames --------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.avi", {"bframes": 1}),
        ("a.avi", {"bframes": 2}),
        ("a.avi", {"bframes": 3, "options": {"b-pyramid": "normal", "preset": "medium"}}),
        ("a.avi", {"bframes": 3, "options": {"x264-params": "open-gop=1"}}),
        ("a.avi", {}),
        ("a.avi", {"codec": "mpeg4"}),
        ("a.avi", {"codec": "mpeg4", "bframes": 2}),
        ("a.avi", {"codec": "mpeg2video", "bframes": 2}),
        ("a.avi", {"codec": "mjpeg", "pixels": "yuvj420p"}),
        ("a.avi", {"codec": "ffv1"}),
        ("a.mp4", {"bframes": 3}),
        ("a.mov", {"bframes": 2}),
        ("a.mkv", {"bframes": 3}),
        ("a.flv", {"bframes": 2}),
        ("a.ts", {"bframes": 3}),
        ("a.mp4", {"codec": "mpeg4", "bframes": 2}),
        ("a.mkv", {"codec": "mpeg4", "bframes": 2}),
        ("a.mpg", {"codec": "mpeg2video", "bframes": 2}),
        ("a.vob", {"codec": "mpeg2video", "bframes": 2}),
        ("a.m2ts", {"codec": "mpeg2video", "bframes": 2}),
        ("a.h264", {"bframes": 3}),
        ("a.m4v", {"codec": "mpeg4"}),
        ("a.wmv", {"codec": "wmv2"}),
        ("a.ts", {"codec": "libx265", "options": HEVC}),
        ("a.mxf", {"codec": "mpeg2video", "bframes": 2}),
        ("a.ogv", {"codec": "libvpx"}),
        ("a.webm", {"codec": "libvpx"}),
    ],
    ids=lambda v: v if isinstance(v, str) else "-".join(f"{k}={w}" for k, w in v.items())[:40] or "plain",
)
def test_each_picture_is_used_once_in_the_decoders_order(tmp_path: Path, name: str, how: dict[str, Any]) -> None:
    path = write(tmp_path / name, N, **how)
    found, numbers = shown(path)
    assert numbers == decoded(path) == by_opencv(path) == N
    assert found.fps == 25
    unstamped = name.endswith(".h264")
    reordered = name.endswith("avi") and how.get("bframes") and how.get("codec") is None
    assert bool(said(found)) == bool(unstamped or reordered), said(found)


def test_stamps_in_the_order_of_decoding_are_sorted(tmp_path: Path) -> None:
    source = write(tmp_path / "a.mp4", N, bframes=3)
    path = restamp(source, tmp_path / "b.mkv", lambda n: n / 25)
    found, numbers = shown(path)
    assert numbers == decoded(path) == N and "decoder's order" in said(found)


# -- joined recordings ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("suffix", "parts", "how"),
    [
        ("ts", [0, 0], {}),
        ("ts", [0, 0, 0], {}),
        ("ts", [0, 0], {"bframes": 3}),
        ("ts", [500, 0], {}),  # FFmpeg takes the second clock for one that overflowed
        ("ts", [0, 7200], {}),
        ("ts", [9000, 3, 5000], {"bframes": 2}),
        ("ts", [0, 0], {"codec": "mpeg2video"}),
        ("ts", [0, 0], {"codec": "libx265", "options": HEVC}),
        ("mpg", [0, 0], {"codec": "mpeg2video"}),
        ("mpg", [0, 0], {"codec": "mpeg2video", "bframes": 2}),
        ("vob", [0, 0, 0], {"codec": "mpeg2video"}),
        ("m2ts", [20, 0], {}),
    ],
)
def test_joined_recordings_follow_each_other(
    tmp_path: Path, suffix: str, parts: list[float], how: dict[str, Any]
) -> None:
    files = [
        write(tmp_path / f"{i}.{suffix}", [50 * i + n for n in range(50)], offset=offset, **how)
        for i, offset in enumerate(parts)
    ]
    path = join(tmp_path / f"all.{suffix}", *files)
    found, numbers = shown(path)
    assert numbers == decoded(path) == list(range(50 * len(parts)))
    assert f"clock jumps {len(parts) - 1} time" in said(found) and "at 2.0 s from" in said(found)
    assert found.duration == pytest.approx(2 * len(parts)) and found.offset is None


def test_the_sound_of_joined_recordings_stays_with_the_pictures(tmp_path: Path) -> None:
    one = write(tmp_path / "1.ts", range(50), tone=(440, 0, 2))
    two = write(tmp_path / "2.ts", range(50, 130), tone=(1000, 1.28, 3.2))
    found, numbers = shown(join(tmp_path / "all.ts", one, two))
    assert numbers == list(range(130))
    tones = found.streams["audio"]  # windows that end at 0.64 s, 1.28 s, ...; the second tone is from 3.28 s on
    assert tones[:3, 1] == pytest.approx([440] * 3, abs=8)
    assert tones[3:5, 0] == pytest.approx([0, 0], abs=0.01)
    assert tones[5:8, 1] == pytest.approx([1000] * 3, abs=8)


# -- holes ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("suffix", "hole"), [("mp4", 1), ("mp4", 300), ("mkv", 1), ("mkv", 60), ("ts", 1), ("ts", 60), ("flv", 30)]
)
def test_a_hole_does_not_change_the_clock(tmp_path: Path, suffix: str, hole: int) -> None:
    path = write(tmp_path / f"a.{suffix}", N, times=lambda n: n / 25 + (hole if n >= 20 else 0))
    found, numbers = shown(path)
    assert found.fps == 25 and sorted(set(numbers)) == N
    assert numbers == [*range(20), *[19] * (hole * 25), *range(20, 40)]
    assert f"freezes for up to {hole}.0 s" in said(found)


def test_many_holes_are_summed(tmp_path: Path) -> None:
    found, numbers = shown(write(tmp_path / "a.mp4", N, times=lambda n: n / 25 + 5 * (n // 10)))
    assert found.fps == 25 and sorted(set(numbers)) == N
    assert "3 times" in said(found) and "15.1 s in all" in said(found)


def test_a_jump_of_hours_is_another_clock(tmp_path: Path) -> None:
    found, numbers = shown(write(tmp_path / "a.mp4", N, times=lambda n: n / 25 + (9000 if n >= 20 else 0)))
    assert numbers == N and "clock jumps 1 time (at 0.8 s from 0.8 s to 9000.8 s)" in said(found)


# -- time stamps that are wrong -------------------------------------------------------------------
def glitch(**wrong: float) -> Callable[[int], float]:
    """Return even time stamps from 5 s on, but for some."""
    return lambda n: wrong.get(f"n{n}", 5 + n / 25)


@pytest.mark.parametrize(
    ("stamp", "words"),
    [
        (glitch(n20=1205.0), "1 picture with a wrong time stamp (by up to 1199.20 s)"),
        (glitch(n20=0.0), "1 picture with a wrong time stamp (by up to 5.80 s)"),
        (glitch(n20=6.5), "1 picture with a wrong time stamp (by up to 0.70 s)"),
        (glitch(n20=1205.0, n21=1205.04, n22=1205.08), "3 pictures with a wrong time stamp"),
        (glitch(n10=900.0, n20=0.0, n30=1205.0), "3 pictures with a wrong time stamp"),
        (glitch(n20=5.76), "1 picture with a wrong time stamp (by up to 0.04 s)"),  # that of the one before
        (glitch(n39=1205.0), "1 picture with a wrong time stamp (by up to 1198.44 s)"),
        (glitch(n39=0.0), "1 picture with a wrong time stamp (by up to 6.56 s)"),
        (glitch(**{f"n{n}": 0.0 for n in range(1, 40, 2)}), "20 pictures with a wrong time stamp"),
        (glitch(n0=0.0), "freezes for up to 5.0 s"),
        (glitch(n0=90000.0), "clock jumps 1 time"),
        (lambda n: 0.0, "39 of the first 40 pictures have the time stamp of the one before"),
        (lambda n: 7.0, "39 of the first 40 pictures have the time stamp of the one before"),
        (lambda n: n / 25 / 1000, "the time stamps of pictures are"),  # in a wrong unit
        (lambda n: n * 4000.0, "the time stamps of pictures are 4e+03 s apart"),
        (lambda n: (min(n, 10) if n < 20 else n) / 25, "9 pictures with a wrong time stamp"),  # stands still, goes on
    ],
)
def test_wrong_stamps_cost_no_picture(tmp_path: Path, stamp: Callable[[int], float], words: str) -> None:
    path = patch_stamps(write(tmp_path / "a.ts", N), tmp_path / "b.ts", stamp)
    found, numbers = shown(path)
    assert [n for n, before in zip(numbers, [-1, *numbers]) if n != before] == N
    assert words in said(found)
    assert len(numbers) == (165 if "freezes" in words else 40)


def test_a_wrong_stamp_of_sound_and_picture_costs_neither(tmp_path: Path) -> None:
    parts = [
        write(tmp_path / "0.ts", range(50), tone=(440, 0, 2)),
        write(tmp_path / "1.ts", range(50, 51), tone=(440, 0, 0.04), offset=1200),
        write(tmp_path / "2.ts", range(51, 100), tone=(440, 0, 1.96), offset=2.04),
    ]
    found, numbers = shown(join(tmp_path / "all.ts", *parts))
    assert len(numbers) <= 101 and len(set(numbers)) >= 99
    assert found.streams["audio"][:6, 1] == pytest.approx([440] * 6, abs=8) and len(found.envelope) < 90


# -- where files begin ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("suffix", "how"),
    [
        ("ts", {"codec": "libx265", "options": HEVC}),
        ("ts", {"codec": "libx264", "options": {"g": "30"}}),
        ("ts", {"codec": "mpeg2video", "options": {"g": "30"}}),
        ("ts", {"codec": "libx264", "bframes": 2, "options": {"g": "30", "x264-params": "open-gop=1"}}),
    ],
)
def test_a_file_that_begins_between_key_frames(tmp_path: Path, suffix: str, how: dict[str, Any]) -> None:
    whole = write(tmp_path / f"whole.{suffix}", range(70), tone=(440, 0, 2.8), **how)
    path = tmp_path / f"part.{suffix}"
    content = whole.read_bytes()
    path.write_bytes(content[len(content) // 40 // 188 * 188 :])
    found, numbers = shown(path)
    whole_from = decoded(path)
    assert numbers == whole_from and numbers[-1] == 69 and numbers[0] > 0
    if numbers[0] > 8:
        assert "begins between key frames" in said(found) and "times count from the first picture" in said(found)
    assert found.snippet_times[0, 0] == 0 and "cut short" not in said(found)


def test_the_loss_of_the_beginning_is_reported_where_a_clock_begins_at_0(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.mkv", range(60), options={"g": "30"})
    path = tmp_path / "part.mkv"
    with av.open(str(whole)) as old, av.open(str(path), "w") as sink:
        track = sink.add_stream_from_template(old.streams.video[0])
        for packet in [p for p in old.demux(video=0) if p.size][5:]:
            packet.stream, packet.pts, packet.dts = track, packet.pts - 200, packet.dts - 200
            sink.mux(packet)
    found, numbers = shown(path)
    assert numbers == decoded(path) == list(range(30, 60))
    assert "its first 1.0 s cannot be decoded" in said(found)


@pytest.mark.parametrize(("suffix", "offset"), [("mkv", 90_000), ("mp4", 3), ("ts", 5000), ("mkv", 1.5)])
def test_a_clock_that_does_not_begin_at_0(tmp_path: Path, suffix: str, offset: float) -> None:
    path = write(tmp_path / f"a.{suffix}", N, offset=offset, tone=(440, 0, 1.6))
    found, numbers = shown(path)
    assert numbers == N and not said(found) and found.duration == pytest.approx(1.6)
    with open_media(path) as media:
        times = [e.time for e in media.events() if isinstance(e, Picture)]
        assert times[0] == 0 and media.duration == pytest.approx(1.6, abs=0.15)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(("start", "words"), [(2.0, "before the first picture; that part"), (0.0, "")])
def test_sound_that_begins_before_the_pictures_is_cut(tmp_path: Path, suffix: str, start: float, words: str) -> None:
    path = write(tmp_path / f"a.{suffix}", N, times=lambda n: start + n / 25, tone=(440, 0, start + 1.6))
    found, numbers = shown(path)
    assert numbers == N and words in said(found)
    assert found.streams["audio"][:2, 1] == pytest.approx([440, 440], abs=8)


def test_sound_that_begins_after_the_pictures_follows_silence(tmp_path: Path) -> None:
    found, _ = shown(write(tmp_path / "a.mkv", range(64), tone=(440, 1.28, 2.56)))
    assert said(found) == "the sound begins 1.3 s after the first picture; silence was added before it"
    assert found.streams["audio"][:, 0] == pytest.approx([0, 0, 0.21, 0.21], abs=0.02)


# -- tracks ---------------------------------------------------------------------------------------
ATTACHED, DEFAULT = 1024, 1


@pytest.mark.parametrize(
    ("name", "first", "more", "wanted", "words"),
    [
        ("a.mkv", N, [(range(500, 540), {})], N, "2 picture tracks; number 1"),
        ("a.mp4", N, [(range(500, 540), {})], N, "2 picture tracks; number 1"),
        ("a.ts", N, [(range(500, 540), {}), (range(600, 640), {})], N, "3 picture tracks; number 1"),
        ("a.mkv", [900], [(N, {})], N, "number 2 (h264, 80 x 48) was used"),  # a cover that is no "attached picture"
        ("a.mp4", [900, 901], [(N, {"size": (160, 96)})], N, "number 2 (h264, 160 x 96) was used"),
        ("a.mkv", range(500, 540), [(N, {"size": (320, 192)})], N, "number 2 (h264, 320 x 192) was used"),  # a preview
        ("a.mkv", N, [(range(500, 540), {"size": (320, 192), "flag": 0})], None, "2 picture tracks; number 2"),
    ],
)
def test_the_choice_of_a_track_is_reported(
    tmp_path: Path, name: str, first: Any, more: Any, wanted: list[int] | None, words: str
) -> None:
    found, numbers = shown(write(tmp_path / name, first, more=more))
    assert numbers == (wanted or list(range(500, 540))) and words in said(found)


def test_a_default_track_is_preferred(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w", options={"default_mode": "passthrough"}) as sink:
        tracks = []
        for flag in (0, DEFAULT):
            track = sink.add_stream("libx264", rate=25, options={"bf": "0", "preset": "ultrafast"})
            track.width, track.height, track.pix_fmt, track.disposition = *SIZE, "yuv420p", flag
            track.codec_context.time_base = Fraction(1, 25)
            tracks.append(track)
        for track, numbers in zip(tracks, (range(500, 540), N)):
            for number in numbers:
                frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
                frame.pts, frame.time_base = number % 100, track.codec_context.time_base
                sink.mux(track.encode(frame))
            sink.mux(track.encode(None))
    found, numbers = shown(path)
    assert numbers == N and "number 2" in said(found) and found.offset is None


# -- how pictures are turned ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((1, 0, 0, 1), lambda p: p),
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
        ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
        ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda p: np.rot90(p, 2).swapaxes(0, 1)),
    ],
)
def test_all_eight_orientations(tmp_path: Path, matrix: Any, turn: Callable[[np.ndarray], np.ndarray]) -> None:
    path = set_matrix(write(tmp_path / "a.mp4", [333]), *matrix)
    with av.open(str(path)) as file:
        plain = next(file.decode(video=0)).to_ndarray(format="rgb24")
    with open_media(path) as media:
        pictures = [e for e in media.events() if isinstance(e, Picture)]
    wanted = turn(plain)
    assert pictures[0].size == wanted.shape[:2]
    np.testing.assert_array_equal(pictures[0].rgb(*wanted.shape[:2]), wanted)


# -- rates and sizes ------------------------------------------------------------------------------
@pytest.mark.parametrize("step", [5, 20, 60, 600])
def test_a_time_lapse_keeps_its_own_clock(tmp_path: Path, step: int) -> None:
    found, numbers = shown(write(tmp_path / "a.mp4", range(20), times=lambda n: step * n))
    assert numbers == list(range(20)) and found.fps == pytest.approx(1 / step) and not said(found)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("fps", [0.02, 0.5, 1, 12.5, 30000 / 1001, 60, 240, 480, 960, 1000])
def test_slow_and_fast_cameras(tmp_path: Path, suffix: str, fps: float) -> None:
    found, numbers = shown(write(tmp_path / f"a.{suffix}", range(60), fps=max(1, fps), times=lambda n: n / fps))
    assert sorted(set(numbers)) == list(range(60)) and len(numbers) <= 62
    assert found.fps == pytest.approx(fps, rel=0.05)


def test_a_stated_rate_that_the_stamps_deny_is_not_believed(tmp_path: Path) -> None:
    for claimed in (1000, 90_000, 1):
        with av.open(str(tmp_path / "a.mkv"), "w") as sink:
            track = sink.add_stream("libx264", rate=claimed, options={"bf": "0"})
            track.width, track.height, track.pix_fmt = *SIZE, "yuv420p"
            track.codec_context.time_base = TICK
            for number in N:
                frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
                frame.pts, frame.time_base = 3600 * number, track.codec_context.time_base
                sink.mux(track.encode(frame))
            sink.mux(track.encode(None))
        found, numbers = shown(tmp_path / "a.mkv")
        assert numbers == N and found.fps == 25, claimed


def test_a_phone_with_a_varying_rate_keeps_its_pictures_at_their_times(tmp_path: Path) -> None:
    times = np.cumsum([0, *([1 / 30] * 7 + [1 / 15]) * 7])
    found, numbers = shown(write(tmp_path / "a.mp4", range(len(times)), times=lambda n: float(times[n])))
    assert len(set(numbers)) >= 0.9 * len(times) and "varies" in said(found)
    for tick, number in enumerate(numbers):
        assert abs(times[number] - tick / found.fps) < 1 / 14


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_few_pictures(tmp_path: Path, count: int) -> None:
    for name in ("a.mp4", "a.mkv", "a.avi"):
        assert shown(write(tmp_path / name, range(count)))[1] == list(range(count))


def test_a_size_that_changes_is_brought_to_the_first(tmp_path: Path) -> None:
    one = write(tmp_path / "1.ts", range(20))
    two = write(tmp_path / "2.ts", range(20, 40), size=(160, 96), offset=0.8)
    found, numbers = shown(join(tmp_path / "a.ts", one, two))
    assert numbers == N and "20 pictures differ in size from the first" in said(found)


@pytest.mark.parametrize("suffix", ["ts", "mkv", "avi"])
def test_a_file_cut_short_gives_what_is_there(tmp_path: Path, suffix: str) -> None:
    content = write(tmp_path / f"a.{suffix}", range(200), tone=(440, 0, 8)).read_bytes()
    path = tmp_path / f"b.{suffix}"
    path.write_bytes(content[: len(content) // 2])
    _, numbers = shown(path)
    assert len(numbers) > 50 and numbers == decoded(path)[: len(numbers)]
