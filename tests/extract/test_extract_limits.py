"""What memory cannot hold is refused by arithmetic, with the number and the limit."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numbered_videos import Numbers, Tones, write
from vadkit_extraction_toys import Loud

import vadkit
from vadkit.cli import main
from vadkit.extract.one_pass import extract_video
from vadkit.extract.snippets import Clock
from vadkit.problems import VadkitError

pytestmark = pytest.mark.guards("D19", "5.3")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"snippet_frames": 1_000_000_000}, "snippet_frames is 1000000000; it must be from 1 to 10000"),
        ({"snippet_frames": 10_001}, "from 1 to 10000"),
        ({"snippet_frames": 0}, "from 1 to 10000"),
        ({"snippet_frames": -16}, "from 1 to 10000"),
        ({"snippet_frames": 16.0}, "must be a whole number"),
        ({"snippet_frames": True}, "must be a whole number"),
        ({"fps": 1e-9}, "fps is 1e-09; it must be from 0.00028 (one frame an hour) to 1000"),
        ({"fps": 0.0}, "to 1000"),
        ({"fps": -5.0}, "to 1000"),
        ({"fps": 1e9}, "to 1000"),
        ({"fps": float("nan")}, "to 1000"),
        ({"fps": float("inf")}, "to 1000"),
        ({"fps": "25"}, "to 1000"),
    ],
)
def test_numbers_out_of_bounds(given: dict[str, Any], words: str) -> None:
    with pytest.raises(VadkitError) as caught:
        Clock(**given)
    assert words in caught.value.problems[0].message


@pytest.mark.parametrize("option", [["--snippet", "1000000000"], ["--fps", "1e-9"], ["--fps", "nan"]])
def test_the_command_line_refuses_them_at_once(
    tmp_path: Path, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.mp4")
    begun = time.monotonic()
    assert main(["extract", str(path), "--stream", "a=logmel_stats", "--out", str(tmp_path / "S"), *option]) == 2
    assert time.monotonic() - begun < 20 and "it must be from" in capsys.readouterr().err
    assert not (tmp_path / "S").exists()


def test_so_does_the_python_interface(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4")
    for given in ({"snippet_frames": 10**9}, {"fps": 1e-9}):
        with pytest.raises(VadkitError, match="it must be from"):
            vadkit.extract(path, streams={"a": "logmel_stats"}, out=tmp_path / "S", **given)


def test_a_snippet_that_takes_too_much_memory_is_refused_by_its_size(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", range(3), size=(1920, 1080))
    with pytest.raises(VadkitError) as caught:
        extract_video(path, {"rgb": Numbers()}, Clock(snippet_frames=1000))
    assert "1000 frames of 1920 x 1080 takes 5.8 GiB, more than 4 GiB" in caught.value.problems[0].message


class Whole(Loud):
    """Takes the sound of the whole snippet."""

    def recipe(self) -> dict[str, Any]:
        return {"sample_rate": 16_000}


def test_a_snippet_with_hours_of_sound_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", range(3))
    with pytest.raises(VadkitError) as caught:
        extract_video(path, {"audio": Whole()}, Clock(0.001, 16))
    assert "16000 s has 256000000 samples of sound, more than 134217728" in caught.value.problems[0].message


def test_silence_of_hours_takes_no_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", range(20), times=lambda n: 600.0 * n)
    tracemalloc.start()
    found = extract_video(path, {"audio": Tones()})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.streams["audio"].shape == (2, 2) and np.all(found.streams["audio"][:, 0] == 0)
    assert peak < 64 << 20


@pytest.mark.parametrize("given", [{"start": -1}, {"limit": -1}])
def test_an_excerpt_does_not_begin_before_the_video(tmp_path: Path, given: dict[str, int]) -> None:
    with pytest.raises(VadkitError, match="neither can be below 0"):
        extract_video(write(tmp_path / "a.mp4"), {"rgb": Numbers()}, **given)  # type: ignore[arg-type]
