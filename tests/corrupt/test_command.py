"""``vadkit corrupt``: it resumes, refuses what it must not replace, and says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clips import make_clip

import vadkit
from vadkit.cli import main

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        make_clip(tmp_path / "videos" / f"{name}.mp4", seconds=1.0)
    return tmp_path / "videos"


def command(videos: Path, out: Path, *more: str) -> list[str]:
    return ["corrupt", str(videos), "--with", "blur:3", "--with", "noise:2", "--out", str(out), *more]


def test_it_writes_copies_and_a_record_and_resumes(videos: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "worse"
    assert main(command(videos, out)) == 0
    shown = capsys.readouterr().out
    assert f"{videos / 'one.mp4'} -> {out / 'one.mp4'}" in shown
    record = json.loads((out / "corruptions.json").read_text())
    assert record["seed"] == 0 and [one["use"] for one in record["corruptions"]] == ["blur", "noise"]
    assert record["corruptions"][1] == {
        "use": "noise", "severity": 2, "modality": "audio", "level": 10, "unit": "dB signal to noise",
    }  # fmt: skip
    first = (out / "one.mp4").read_bytes()
    (out / "one.mp4").unlink()
    assert main(command(videos, out)) == 0
    shown = capsys.readouterr().out
    assert "two.mp4, finished before" in shown and "one.mp4, finished before" not in shown
    assert (out / "one.mp4").read_bytes() == first


def test_a_changed_video_is_copied_again(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "worse"
    first = vadkit.corrupt(videos, corruptions="blur:2", out=out)
    make_clip(videos / "two.mp4", seconds=2.0)
    again = vadkit.corrupt(videos, corruptions="blur:2", out=out)
    assert [copy.skipped for copy in first + again] == [False, False, True, False]


def test_other_corruptions_or_another_seed_are_refused(videos: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "worse"
    assert main(command(videos, out, "--quiet")) == 0
    assert main(command(videos, out, "--seed", "1")) == 2
    assert f"{out} holds copies with blur:3, noise:2, seed 0" in capsys.readouterr().err
    before = (out / "one.mp4").read_bytes()
    assert main(command(videos, out, "--seed", "1", "--overwrite", "--quiet")) == 0
    assert (out / "one.mp4").read_bytes() != before


def test_a_damaged_record_is_written_again(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "worse"
    vadkit.corrupt(videos, corruptions="blur:2", out=out)
    whole = (out / "corruptions.json").read_bytes()
    for damaged in (b"", whole[:50], b"[]"):
        (out / "corruptions.json").write_bytes(damaged)
        assert all(
            copy.error is None and not copy.skipped for copy in vadkit.corrupt(videos, corruptions="blur:2", out=out)
        )
    assert (out / "corruptions.json").read_bytes() == whole


def test_files_of_others_and_the_videos_are_not_replaced(videos: Path, tmp_path: Path, capsys: Captured) -> None:
    before = (videos / "one.mp4").read_bytes()
    assert main(command(videos, videos)) == 2
    assert (videos / "one.mp4").read_bytes() == before
    out = tmp_path / "worse"
    out.mkdir()
    (out / "two.mp4").write_text("mine")
    assert main(command(videos, out)) == 1
    assert "exists and was not written by vadkit" in capsys.readouterr().err
    assert (out / "two.mp4").read_text() == "mine" and (out / "one.mp4").exists()


def test_one_bad_video_does_not_stop_the_others(videos: Path, tmp_path: Path, capsys: Captured) -> None:
    (videos / "bad.mp4").write_text("no video")
    assert main(command(videos, tmp_path / "worse")) == 1
    assert "bad.mp4 cannot be read as a video" in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "worse").glob("*.mp4")} == {"one.mp4", "two.mp4"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--with", "blurr:2"], "unknown corruption 'blurr'\n  hint: did you mean 'blur' ("),
        (["--seed", "-1"], "--seed must be from 0"),
        (["--seed", "x"], "--seed must be a whole number"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    more: list[str], said: str, videos: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert main(command(videos, tmp_path / "worse", *more)) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "worse").exists()


def test_the_function_takes_names_and_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(vadkit.VadkitError, match="corruptions is empty"):
        vadkit.corrupt("x.mp4", corruptions=[], out=tmp_path)
    with pytest.raises(vadkit.VadkitError, match="there is no video"):
        vadkit.corrupt("x.mp4", corruptions="blur:1", out=tmp_path)
