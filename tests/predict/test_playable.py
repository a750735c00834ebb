from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from clips import FPS, SIZE, make_clip

from vadkit.predict.playable import WIDEST, Packing, probe, transcode, unplayable
from vadkit.problems import VadkitError

MP4 = ("mov", "mp4", "m4a", "3gp", "3g2", "mj2")
WEBM = ("matroska", "webm")


@pytest.mark.parametrize(
    ("name", "packing", "reason"),
    [
        ("a.mp4", Packing(MP4, "h264", "yuv420p", "aac", "isom"), None),
        ("a.M4V", Packing(MP4, "h264", "yuvj420p", None), None),
        ("a.webm", Packing(WEBM, "vp9", "yuv420p", "opus"), None),
        ("a.mp4", Packing(MP4, "hevc", "yuv420p", "aac"), "hevc video with yuv420p"),
        ("a.mp4", Packing(MP4, "h264", "yuv422p10le", "aac"), "h264 video with yuv422p10le"),
        ("a.mp4", Packing(MP4, "h264", "yuv420p", "ac3"), "ac3 sound"),
        ("a.mov", Packing(MP4, "h264", "yuv420p", "aac", "qt"), "container .mov"),
        ("a.mp4", Packing(MP4, "h264", "yuv420p", "aac", "qt"), "container .mp4"),
        ("a.mkv", Packing(WEBM, "h264", "yuv420p", "aac"), "container .mkv"),
        ("a.mp4", Packing(("avi",), "h264", "yuv420p", "aac"), "container .mp4"),
        ("camera", Packing(("mpegts",), "h264", "yuv420p", None), "container mpegts"),
    ],
)
def test_what_browsers_play(name: str, packing: Packing, reason: str | None) -> None:
    found = unplayable(Path(name), packing)
    assert found is None if reason is None else found is not None and reason in found


def test_an_old_file_gets_a_copy_that_shows_and_sounds_the_same(tmp_path: Path) -> None:
    old = make_clip(tmp_path / "old.avi", video="mpeg4", audio="mp3")
    assert unplayable(old, probe(old)) == "not every browser opens the container .avi"
    transcode(old, tmp_path / "new.mp4")
    assert probe(tmp_path / "new.mp4") == Packing(MP4, "h264", "yuv420p", "aac", "isom")
    with av.open(str(tmp_path / "new.mp4")) as file:
        frames = {f.time: f.to_ndarray(format="rgb24").mean((0, 1)) for f in file.decode(video=0)}
    red = [t for t, colour in frames.items() if colour[0] > 2 * colour[1]]
    assert 1.8 <= min(red) <= 2.2 and 3.7 <= max(red) < 4.2
    assert loud_times(tmp_path / "new.mp4") == pytest.approx((2.0, 4.0), abs=0.15)


def loud_times(path: Path) -> tuple[float, float]:
    with av.open(str(path)) as file:
        peaks = {f.time: float(np.abs(f.to_ndarray()).max()) for f in file.decode(audio=0)}
    loud = [t for t, peak in peaks.items() if peak > 0.4]
    return min(loud), max(loud)


def test_a_varying_frame_rate_is_kept(tmp_path: Path) -> None:
    times = [0, 0.1, 0.2, 1.0, 1.05, 3.0]
    transcode(make_clip(tmp_path / "a.mkv", sound=None, times=times), tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as file:
        assert [f.time for f in file.decode(video=0)] == pytest.approx(times, abs=0.002)


def test_pictures_of_odd_size_become_even_and_not_too_wide(tmp_path: Path) -> None:
    path = tmp_path / "wide.avi"
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream("ffv1", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 1601, 203, "yuv444p"
        frame = av.VideoFrame.from_ndarray(np.zeros((203, 1601, 3), np.uint8), format="rgb24")
        sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
    transcode(path, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as file:
        shown = file.streams.video[0]
        assert (shown.width, shown.height) == (WIDEST, 162)


def test_a_truncated_file_gives_a_copy_of_its_rest(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "a.avi", video="mpeg4", audio="mp3").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) * 2 // 3])
    transcode(tmp_path / "cut.avi", tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as file:
        count = len(list(file.decode(video=0)))
    assert 6 * FPS // 3 < count < 6 * FPS


def test_the_copy_of_a_silent_video_has_no_sound_track(tmp_path: Path) -> None:
    transcode(make_clip(tmp_path / "a.mkv", sound=None, seconds=1), tmp_path / "b.mp4")
    assert probe(tmp_path / "b.mp4").sound is None


@pytest.mark.parametrize("contents", [b"", b"no video at all", b"\0" * 5000])
def test_what_is_not_a_video_is_refused(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(contents)
    with pytest.raises(VadkitError, match="a.mp4"):
        probe(tmp_path / "a.mp4")


def test_the_helper_makes_what_it_says(tmp_path: Path) -> None:
    with av.open(str(make_clip(tmp_path / "a.mp4"))) as file:
        assert (file.streams.video[0].width, file.streams.video[0].height) == SIZE
        assert file.streams.video[0].frames == 6 * FPS
