"""Clips: what was before an event, the event, and what came after, as packets of the source."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from clips import ALARM, SIZE, make_clip

from vadkit.watch.live_input import Tap, open_recording
from vadkit.watch.recorder import Recorder


def play(path: Path, recorder: Recorder, at: Any) -> None:
    """Read a file as a source; ``at`` is called with the time of each picture."""
    line = SimpleNamespace(begin=0.0)
    with open_recording(path, sound=True) as media:
        seen = recorder.begin(media, line)
        media.packets = Tap(media.packets, seen, lambda: False)
        for event in media.events():
            at(event.time)
        recorder.end()


def frames(path: Path) -> list[tuple[float, bool]]:
    """Return when each picture is shown and whether it is red."""
    with av.open(str(path)) as file:
        begin = None
        found = []
        for frame in file.decode(video=0):
            begin = frame.time if begin is None else begin
            found.append((frame.time - begin, frame.to_ndarray(format="rgb24")[..., 0].mean() > 150))
        return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "source.mp4", 8.0, ALARM, options=None)


def test_a_clip_holds_what_was_before_and_after(tmp_path: Path, source: Path) -> None:
    recorder, done = Recorder(before=10.0), []
    clip = tmp_path / "clips" / "a.mp4"

    def at(time: float) -> None:
        if time == 3.0:
            recorder.start("a", clip, since=1.0, until=600.0)
        if time == 4.5:
            recorder.extend("a", 5.0, lambda: done.append(clip.exists()))

    play(source, recorder, at)
    assert done == [True] and recorder.failures == []
    shown = frames(clip)
    red = [time for time, is_red in shown if is_red]
    assert len(red) == 16 and red[-1] - red[0] == pytest.approx(2 - 1 / 8, abs=0.05)
    assert 5.0 <= shown[-1][0] - shown[0][0] + 1 / 8 + 2.0 <= 8.0  # the file has one key frame, its first picture
    with av.open(str(clip)) as file:
        assert file.streams.audio and sum(frame.samples for frame in file.decode(audio=0)) > 3 * 16000


def test_the_ring_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "many_keys.mp4"
    with av.open(str(path), "w") as sink:
        track = sink.add_stream("libx264", rate=10, options={"g": "10", "bf": "0"})
        track.width, track.height, track.pix_fmt = *SIZE, "yuv420p"
        for i in range(300):
            pixels = np.full((SIZE[1], SIZE[0], 3), i % 250, np.uint8)
            sink.mux(track.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        sink.mux(track.encode(None))
    recorder, longest, sizes = Recorder(before=3.0), [0.0], []

    def at(time: float) -> None:
        if not recorder.ring:
            return  # the first picture is not decoded yet
        span = recorder.ring[-1].time - recorder.ring[0].time
        longest[0] = max(longest[0], span)
        sizes.append(sum(len(piece.data) for piece in recorder.ring) - recorder.size)
        assert recorder.ring[0].is_key

    play(path, recorder, at)
    assert 3.0 <= longest[0] <= 4.2 and set(sizes) == {0}
    few = Recorder(before=1e9, ring_bytes=4000)
    play(path, few, lambda time: None)
    assert few.size <= 4000


def test_an_event_that_ends_at_once_and_one_that_is_cancelled(tmp_path: Path, source: Path) -> None:
    recorder, done = Recorder(before=10.0), []

    def at(time: float) -> None:
        if time == 6.0:
            recorder.start("a", tmp_path / "a.mp4", 1.0, 600.0)
            recorder.extend("a", 5.0, lambda: done.append("a"))
            assert done == ["a"]
            recorder.start("b", tmp_path / "b.mp4", 1.0, 600.0)
            recorder.cancel("b")
            recorder.start("c", tmp_path / "c.mp4", 5.0, 600.0)
            recorder.extend("c", 99.0, lambda: done.append("c"))

    play(source, recorder, at)
    assert done == ["a", "c"]  # the source ended before c was complete
    assert sorted(p.name for p in tmp_path.glob("?.mp4")) == ["a.mp4", "c.mp4"]
    recorder.extend("unknown", 1.0, lambda: done.append("unknown"))
    assert done[-1] == "unknown"


def test_pictures_that_mp4_cannot_hold_are_encoded(tmp_path: Path) -> None:
    path = tmp_path / "raw.avi"
    with av.open(str(path), "w") as sink:
        track = sink.add_stream("rawvideo", rate=Fraction(8))
        track.width, track.height, track.pix_fmt = *SIZE, "yuyv422"
        for i in range(32):
            pixels = np.full((SIZE[1], SIZE[0], 3), 250 if 8 <= i < 16 else 20, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuyv422")
            frame.pts, frame.time_base = i, Fraction(1, 8)
            sink.mux(track.encode(frame))
        sink.mux(track.encode(None))
    recorder = Recorder(before=10.0)

    def at(time: float) -> None:
        if time == 2.0:
            recorder.start("a", tmp_path / "a.mp4", 0.5, 600.0)
            recorder.extend("a", 3.0, lambda: None)

    play(path, recorder, at)
    assert recorder.failures == []
    shown = frames(tmp_path / "a.mp4")
    assert len(shown) in range(18, 24) and sum(red for _, red in shown) == 8
