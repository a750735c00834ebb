"""benchmarks/camera_hour.py: the film is as long as it says, and an hour is counted from what was measured."""

from __future__ import annotations

from pathlib import Path

import camera_hour
import pytest
import students

from vadkit.demo.render import render
from vadkit.demo.script import write_script
from vadkit.distill.run import Size
from vadkit.extract.media import Picture, open_media


def test_a_film_is_made_of_clips_at_the_rate_and_size_of_a_camera(tmp_path: Path) -> None:
    clip = write_script(train=(1, 0), test=(1, 0))[0]
    render(clip, tmp_path / "clip.mp4")
    path = camera_hour.film(tmp_path / "film.mp4", [tmp_path / "clip.mp4"], 2.0, (96, 64), 25)
    with open_media(path) as media:
        events = list(media.events())
    pictures = [event for event in events if isinstance(event, Picture)]
    assert len(pictures) == 50 and pictures[0].size == (64, 96)
    sound = [event for event in events if not isinstance(event, Picture)]
    assert 1.8 < sum(len(piece.mono) / piece.rate for piece in sound) < 2.3


def test_an_hour_is_counted_from_the_medians() -> None:
    times = [{"extraction": 2.0, "scores": 0.1}, {"extraction": 3.0, "scores": 0.2}, {"extraction": 4.0, "scores": 0.3}]
    row = camera_hour.row("a system", times, decoding=60.0, factor=60.0)
    assert row["decode, CPU s"] == 60.0 and row["features, CPU s"] == 120.0 and row["scores, CPU s"] == 12.0
    assert row["all, CPU s"] == pytest.approx(192.0) and row["cameras per core"] == 18.8


def test_a_bar_that_is_not_met_is_shown_as_failed() -> None:
    found = students.bars(Size(60_000, 10.0), Size(10**6, 99.0), -0.02)
    assert found == "a tenth of the operations: FAILED; 50,000 parameters: FAILED; within 1 AP of the teacher: FAILED"
    assert "FAILED" not in students.bars(Size(50_000, 10.0), Size(10**6, 100.0), -0.01)
