"""Every unusual file is reported in plain words or gives the right features."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from unusual_videos import cut_off, make_video, rotate, sound_only
from vadkit_extraction_toys import Corners, FirstRed, Loud, PairCount

from vadkit.extract.one_pass import Extracted, extract_video
from vadkit.extract.snippets import TAILS, Clock, find_tail
from vadkit.extract.sound import SoundWindows
from vadkit.problems import VadkitError

EXACT = {"video": "ffv1", "pixels": "bgr0"}  # pictures come back as they were


def extract(path: Path, fps: float | None = None, tail: str = "repeat", snippet: int = 16) -> Extracted:
    backbones = {"rgb": FirstRed(), "flow": PairCount(), "audio": Loud()}
    return extract_video(path, backbones, Clock(fps, snippet, find_tail(tail)))


def error_of(path: Path) -> str:
    with pytest.raises(VadkitError) as caught:
        extract(path)
    return caught.value.problems[0].message


def reds(numbers: Sequence[int]) -> list[int]:
    return [10 * number % 240 for number in numbers]


# -- what cannot be read -----------------------------------------------------------------------------
def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    assert error_of(tmp_path / "no.mp4") == f"{tmp_path}/no.mp4: there is no such file"


def test_a_folder_is_reported(tmp_path: Path) -> None:
    assert error_of(tmp_path) == f"{tmp_path} is a folder, not a video"


def test_an_empty_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert error_of(tmp_path / "a.mp4") == f"{tmp_path}/a.mp4 is empty (0 bytes)"


def test_a_file_that_is_no_video_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("dear diary\n" * 500)
    assert error_of(tmp_path / "a.mp4").startswith(f"{tmp_path}/a.mp4 cannot be read as a video:")


def test_a_wrong_suffix_does_not_matter(tmp_path: Path) -> None:
    right = make_video(tmp_path / "a.mp4", sound=2)
    wrong = tmp_path / "a.txt"
    wrong.write_bytes(right.read_bytes())
    for stream, features in extract(right).streams.items():
        np.testing.assert_array_equal(features, extract(wrong).streams[stream])


def test_an_mp4_without_its_end_is_reported(tmp_path: Path) -> None:
    short = cut_off(make_video(tmp_path / "a.mp4"), 0.6, tmp_path / "b.mp4")
    assert "cannot be read as a video" in error_of(short)


def test_an_mp4_whose_index_is_in_front_gives_what_is_there(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.mp4", 80, options={"movflags": "faststart"})
    found = extract(cut_off(whole, 0.7, tmp_path / "b.mp4"))
    assert 16 <= found.num_frames < 80
    assert any("cut short" in text for text in found.warnings)


def test_a_file_with_sound_alone_is_reported(tmp_path: Path) -> None:
    assert error_of(sound_only(tmp_path / "a.mp4")) == f"{tmp_path}/a.mp4 has no pictures, only sound"


# -- sound -------------------------------------------------------------------------------------------
def test_without_sound_there_are_windows_of_silence(tmp_path: Path) -> None:
    found = extract(make_video(tmp_path / "a.mp4"))
    assert not found.has_sound and "there is no sound" in found.warnings
    np.testing.assert_array_equal(found.streams["audio"], np.zeros((3, 2)))


def test_sound_shorter_than_the_picture_is_filled_with_silence(tmp_path: Path) -> None:
    found = extract(make_video(tmp_path / "a.mkv", 48, sound=3, audio="pcm_s16le"))  # 6 s of picture
    loud = found.streams["audio"][:, 1]
    assert loud[0] == pytest.approx(0.28, abs=0.01)  # the window ends at 2 s
    assert loud[1] == loud[2] == 0  # at 4 s, at 6 s
    assert any("the sound ends at 3.0 s" in text for text in found.warnings)


def test_sound_longer_than_the_picture_is_left_out(tmp_path: Path) -> None:
    found = extract(make_video(tmp_path / "a.mkv", 16, sound=9, audio="pcm_s16le"))
    assert found.streams["audio"].shape == (1, 2)
    assert found.streams["audio"][0, 1] == pytest.approx(0.28, abs=0.01)


@pytest.mark.parametrize(
    ("rate", "layout", "audio"), [(48_000, "5.1", "ac3"), (8_000, "mono", "pcm_s16le"), (44_100, "stereo", "aac")]
)
def test_channels_and_rates_do_not_matter(tmp_path: Path, rate: int, layout: str, audio: str) -> None:
    path = make_video(tmp_path / "a.mkv", 32, sound=4, rate=rate, layout=layout, audio=audio)
    assert extract(path).streams["audio"] == pytest.approx(np.full((2, 2), 0.28), abs=0.02)


def test_a_window_ends_where_its_snippet_ends(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", 48, sound=2, audio="pcm_s16le")  # the tone ends with the first snippet
    loud = extract(path).streams["audio"]
    assert loud[0] == pytest.approx([0.28, 0.28], abs=0.01)
    assert (loud[1:] == 0).all()


def test_windows_shorter_than_a_snippet_are_cut_at_its_end() -> None:
    windows = SoundWindows(rate=100, window=30, seconds=2.0)
    wave = np.repeat(np.arange(1, 11, dtype=np.float32), 50)  # 5 s whose value is their half second
    cut = [w for start in range(0, 500, 70) for w in windows.feed(100, wave[start : start + 70])]
    cut += windows.finish(3)
    assert [w.shape for w in cut] == [(30,)] * 3
    assert [float(np.median(w)) for w in cut] == pytest.approx([4, 8, 0], abs=0.1)


# -- pictures and their times ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("frames", "counts"),
    [
        (1, (1, 1, 1)),
        (15, (1, 1, 1)),
        (16, (1, 1, 1)),
        (17, (2, 1, 1)),
        (32, (2, 2, 1)),
        (33, (3, 2, 2)),
        (47, (3, 2, 2)),
    ],
)
def test_tail_rules_at_the_edges(tmp_path: Path, frames: int, counts: tuple[int, int, int]) -> None:
    path = make_video(tmp_path / "a.mkv", frames, **EXACT)
    for tail, count in zip(("repeat", "drop", "xd_violence"), counts):
        found = extract(path, tail=tail)
        assert found.num_frames == frames and len(found.snippet_times) == count
        last = [min(16 * j + 15, frames - 1) for j in range(count)]
        assert found.streams["rgb"].tolist() == [[a, b, 16] for a, b in zip(reds(range(0, 16 * count, 16)), reds(last))]
        # Flow gets the first frame of the next snippet, where there is one.
        after = [min(16 * j + 16, frames - 1) if 16 * j + 16 < frames else last[j] for j in range(count)]
        assert found.streams["flow"][:, 1].tolist() == reds(after)


def test_names_of_tail_rules_are_of_the_field() -> None:
    assert {name: find_tail(name) for name in TAILS} == TAILS
    with pytest.raises(VadkitError, match="did you mean 'ur_dmu'"):
        find_tail("urdmu")


def test_a_variable_frame_rate_is_laid_by_time(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.2, 1.2, 1.3, 2.9, 3.0]
    found = extract(make_video(tmp_path / "a.mkv", times=times, **EXACT), fps=10, snippet=1)
    shown = [int(np.searchsorted(times, tick / 10 + 1e-6, "right")) - 1 for tick in range(found.num_frames)]
    assert found.streams["rgb"][:, 0].tolist() == reds(shown)
    assert any("varies" in text or "freezes" in text for text in found.warnings)


def test_another_rate_is_picked_by_time(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", 48, fps=24, **EXACT)
    found = extract(path, fps=8, snippet=4)
    assert found.num_frames == 16 and found.native_fps == 24
    assert found.streams["rgb"][:, 0].tolist() == reds(range(0, 48, 12))


def test_a_rotated_video_is_brought_upright(tmp_path: Path) -> None:
    plain = make_video(tmp_path / "a.mp4", 16)
    turned = tmp_path / "b.mp4"
    turned.write_bytes(plain.read_bytes())
    assert extract(plain).size == (48, 64)
    assert extract(rotate(turned)).size == (64, 48)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (33, 17), (2, 300)])
def test_sizes_that_are_odd(tmp_path: Path, size: tuple[int, int]) -> None:
    found = extract(make_video(tmp_path / "a.mkv", 20, size=size, **EXACT))
    assert found.size == size[::-1]
    assert found.streams["rgb"][:, 0].tolist() == reds([0, 16])


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (2, 300)])
def test_real_backbones_take_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    from vadkit.plugin_manager import load_plugins

    find = load_plugins().components.find
    backbones = {"flow": find("dis_flow", "backbone")(), "audio": find("logmel_stats", "backbone")()}
    path = make_video(tmp_path / "a.mkv", 20, size=size, **EXACT)
    streams = extract_video(path, backbones).streams
    assert streams["flow"].shape == (2, 144) and streams["audio"].shape == (2, 128)
    assert all(np.isfinite(features).all() for features in streams.values())


def test_several_crops_come_first(tmp_path: Path) -> None:
    found = extract_video(make_video(tmp_path / "a.mkv", 40, **EXACT), {"rgb": Corners()}).streams["rgb"]
    assert found.shape == (5, 3, 2)
    assert found[:, :, 0].tolist() == [reds([0, 16, 32])] * 5
    assert found[:, 0, 1].tolist() == [0, 1, 2, 3, 4]


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    def peak(minutes: int) -> tuple[int, Extracted]:
        path = make_video(tmp_path / f"{minutes}.mkv", times=[60.0 * n for n in range(minutes)], size=(64, 48), **EXACT)
        tracemalloc.start()
        found = extract(path, fps=4)
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return memory, found

    (short, _), (long, found) = peak(6), peak(180)
    assert found.num_frames == pytest.approx(3 * 3600 * 4, abs=60 * 4) and found.streams["rgb"].shape[0] > 2600
    assert long < short + (1 << 20), f"{short} bytes for 6 minutes, {long} for 3 hours"


# -- an excerpt --------------------------------------------------------------------------------------
def test_an_excerpt_is_the_same_rows_of_the_whole(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", 200, sound=8, **EXACT)
    backbones = {"rgb": FirstRed(), "flow": PairCount(), "audio": Loud()}
    whole = extract_video(path, backbones)
    some = extract_video(path, backbones, start=32, limit=3)
    for stream, features in whole.streams.items():
        np.testing.assert_array_equal(features[2:5], some.streams[stream])
    np.testing.assert_array_equal(whole.snippet_times[2:5], some.snippet_times)


def test_an_excerpt_begins_at_any_frame_and_ends_with_the_video(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", 50, **EXACT)
    assert extract_video(path, {"rgb": FirstRed()}, start=5, limit=9).streams["rgb"][:, 0].tolist() == reds([5, 21, 37])
    assert len(extract_video(path, {"rgb": FirstRed()}, start=50, limit=9).streams["rgb"]) == 0
    assert extract_video(path, {"rgb": FirstRed()}, limit=1).num_frames == 17, "the rest is not decoded"
