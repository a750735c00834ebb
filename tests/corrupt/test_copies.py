"""Corrupted copies: the same bytes for the same seed, times kept, the original untouched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from clips import FPS, make_clip

from vadkit import VadkitError
from vadkit.corrupt.chain import Chain, Damage, generator, parse, parse_all
from vadkit.corrupt.copy import write_copy
from vadkit.corrupt.sound_track import OneRate, level_of
from vadkit.extract.media import Picture, Samples, open_media
from vadkit.kinds import Track

PICTURES = ("blocks", "blur", "dropped_frames", "freeze", "low_light", "occlusion", "wrong_frame_rate")
Content = tuple[list[np.ndarray], list[float], np.ndarray]
SOUND = ("clipping", "dropped_sound", "low_bit_rate", "noise", "sound_shift")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("videos") / "clip.mp4", seconds=3.0)


@pytest.fixture(scope="module")
def plain(clip: Path) -> Content:
    """The content of a copy without damage."""
    return content(copied(clip, clip.with_name("plain.mp4")))


@pytest.fixture(scope="module")
def grainy(clip: Path) -> Path:
    """A clip whose pictures have detail to lose: flat ones are the same however strongly they are compressed."""
    return copied(clip, clip.with_name("grainy.mp4"), "low_light:1")


def content(path: Path) -> Content:
    """Return frames, their times, and all samples of a file."""
    with open_media(path) as media:
        events = list(media.events())
    pictures = [event for event in events if isinstance(event, Picture)]
    sound = [event.mono for event in events if isinstance(event, Samples)]
    return (
        [picture.rgb(*picture.size) for picture in pictures],
        [picture.time for picture in pictures],
        np.concatenate([np.zeros(0, np.float32), *sound]),
    )


def copied(clip: Path, to: Path, *texts: str, seed: int = 0, name: str | None = None) -> Path:
    write_copy(clip, to, parse_all(texts), seed, name)
    return to


def test_a_copy_without_damage_has_the_same_times_and_nearly_the_same_content(clip: Path, plain: Content) -> None:
    before, after = content(clip), plain
    assert after[1] == pytest.approx(before[1], abs=1e-4) and len(after[0]) == 3 * FPS
    assert max(np.abs(a.astype(int) - b).mean() for a, b in zip(after[0], before[0])) < 3
    count = min(len(before[2]), len(after[2]))
    assert abs(len(before[2]) - len(after[2])) <= 1024
    assert np.abs(before[2][:count] - after[2][:count]).mean() < 0.01


def test_the_same_seed_gives_the_same_bytes_and_the_original_stays(clip: Path, tmp_path: Path) -> None:
    original = hashlib.sha256(clip.read_bytes()).digest()
    texts = [f"{name}:3" for name in (*PICTURES, "sound_shift")]
    one, same, other = (
        copied(clip, tmp_path / f"{i}.mp4", *texts, seed=seed).read_bytes() for i, seed in enumerate((5, 5, 6))
    )
    assert one == same and one != other
    assert hashlib.sha256(clip.read_bytes()).digest() == original
    assert copied(clip, tmp_path / "named.mp4", *texts, seed=5, name="another").read_bytes() != one


@pytest.mark.parametrize("name", [*sorted({*PICTURES} - {"blur"}), *SOUND])  # these pictures have nothing to blur
def test_one_track_is_damaged_and_the_other_is_not(name: str, grainy: Path, tmp_path: Path) -> None:
    plain = content(copied(grainy, tmp_path / "plain.mp4"))
    worse = content(copied(grainy, tmp_path / "w.mp4", f"{name}:5"))
    sound = len(plain[2]) == len(worse[2]) and np.array_equal(plain[2], worse[2])
    pictures = plain[1] == worse[1] and all(map(np.array_equal, plain[0], worse[0]))
    assert (pictures, sound) == ((True, False) if name in SOUND else (False, True))


def test_several_are_applied_in_the_order_given() -> None:
    texts = ["noise:1", "clipping:5"]
    found = []
    for order in (texts, texts[::-1]):
        chain = Chain(parse_all(order), 0, "v")
        chain.begin(Track(25), Track(8000, 0.1))
        found.append(np.concatenate([chain.samples(np.full(900, 0.5, np.float32)), chain.last_samples()]))
    assert len(np.unique(found[0])) == 1 and len(np.unique(found[1])) > 100


def test_what_waits_in_one_goes_through_those_after_it() -> None:
    chain = Chain(parse_all(["sound_shift:1", "dropped_sound:3", "sound_shift:2"]), 1, "v")
    chain.begin(Track(25), Track(1000, 0.1))
    given = np.linspace(0.1, 0.9, 6000, dtype=np.float32)
    found = np.concatenate([*(chain.samples(piece) for piece in np.array_split(given, 7)), chain.last_samples()])
    assert len(found) == 6000
    frames = Chain(parse_all(["dropped_frames:5", "wrong_frame_rate:5"]), 0, "v")
    frames.begin(Track(25), Track(1))
    shown = [time for i in range(40) for _, time in frames.frame(np.zeros((4, 4, 3), np.uint8), i / 25)]
    shown += [time for _, time in frames.last_frames()]
    assert shown[-1] == pytest.approx(39 / 25 * 2) or shown[-1] == pytest.approx(39 / 25 / 2)


def test_each_draws_for_itself() -> None:
    draws = {
        generator(seed, video, name, earlier).random()
        for seed in (0, 1)
        for video in ("a", "b")
        for name in ("noise", "blur")
        for earlier in (0, 1)
    }
    assert len(draws) == 16
    assert generator(3, "caf\udce9", "blur", 0).random() == generator(3, "caf\udce9", "blur", 0).random()


def test_a_video_without_sound_and_of_odd_size(tmp_path: Path) -> None:
    import av

    silent = tmp_path / "silent.mkv"
    with av.open(str(silent), "w") as sink:
        track = sink.add_stream("ffv1", rate=10)
        track.width, track.height, track.pix_fmt = 35, 33, "bgr0"
        for _ in range(5):
            sink.mux(track.encode(av.VideoFrame.from_ndarray(np.full((33, 35, 3), 90, np.uint8), format="rgb24")))
        sink.mux(track.encode(None))
    notes = write_copy(silent, tmp_path / "copy.mp4", parse_all(["noise:2", "blur:1"]), 0)
    frames, times, sound = content(tmp_path / "copy.mp4")
    assert "there is no sound that noise could damage" in notes
    assert len(times) == 5 and frames[0].shape == (32, 34, 3) and len(sound) == 0


def test_what_is_no_video_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VadkitError, match="cannot be read as a video"):
        write_copy(tmp_path / "text.mp4", tmp_path / "copy.mp4", (Damage("blur", 1),), 0)
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("blur", "'blur' is not NAME:SEVERITY"),
        (":3", "is not NAME:SEVERITY"),
        ("blur:x", "is not NAME:SEVERITY"),
        ("blur:0", "the severity must be from 1 to 5"),
        ("blur:6", "the severity must be from 1 to 5"),
        ("blurr:2", "unknown corruption 'blurr'\n  hint: did you mean 'blur'"),
        ("tca:2", "'tca' is a temporal, not a corruption"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, said: str) -> None:
    with pytest.raises(VadkitError) as caught:
        parse(text)
    assert said in str(caught.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(VadkitError) as caught:
        parse_all(["blurr:2", "noise:9"])
    assert len(caught.value.problems) == 2
    with pytest.raises(VadkitError, match="at most 8"):
        parse_all(["blur:1"] * 9)


def test_the_level_is_that_of_all_samples(clip: Path) -> None:
    assert level_of(clip) == pytest.approx(np.sqrt(np.mean(content(clip)[2].astype(float) ** 2)), rel=1e-6)


def test_sound_of_two_rates_becomes_one() -> None:
    line = OneRate(16_000)
    found = [line.feed(16_000, np.ones(1600, np.float32)), line.feed(8_000, np.ones(800, np.float32))]
    found += [line.feed(16_000, np.ones(1600, np.float32)), line.finish()]
    assert sum(map(len, found)) == pytest.approx(4800, abs=2)
