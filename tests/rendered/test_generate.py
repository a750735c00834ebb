"""The folder that is written: the same bytes however it is done, resumed, extracted as any user's videos, shown."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
from chromium import Chromium
from page_checks import check_fits, check_print, check_without_scripts
from vadkit_feature_store import FeatureStore

from vadkit.cli import main
from vadkit.demo.script import FPS
from vadkit.rendered.generate import RenderedSet
from vadkit.rendered.mark import NOTICE
from vadkit.rendered.plan import Wanted
from vadkit.report import TimeLine, time_lines

SMALL = ["--hours", "0.01", "--scenes", "2", "--seed", "5"]  # two videos of nine seconds in each scene
GENERATE = ["store", "generate", "rendered", *SMALL, "--out"]
WANTED = Wanted(0.01, 2, 5)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rendered") / "set"
    assert main([*GENERATE, str(out), "--workers", "0"]) == 0
    return out


@pytest.fixture(scope="module")
def store(rendered: Path) -> Path:
    store = rendered.parent / "store"
    options = ["--stream", "audio=logmel_stats", "--snippet", "8", "--workers", "0", "--out", str(store)]
    assert main(["extract", "--list", str(rendered / "LABELS.csv"), *options]) == 0
    return store


def test_the_folder_holds_real_videos_tables_and_a_page(rendered: Path) -> None:
    recordings = RenderedSet(rendered, WANTED).recordings
    names = {f"videos/{recording.name}.mp4" for recording in recordings}
    assert set(content(rendered)) == names | {
        "LABELS.csv", "transfer_a.csv", "transfer_b.csv", "recordings.json", "rendered.json", "index.html"
    }  # fmt: skip
    assert json.loads((rendered / "rendered.json").read_text())["complete"]
    for recording in recordings:
        with av.open(str(rendered / "videos" / f"{recording.name}.mp4")) as media:
            assert media.streams.video[0].frames == recording.frames
            assert media.duration / 1e6 == pytest.approx(recording.frames / FPS, abs=0.2)
            assert media.streams.audio[0].codec_context.name == "aac"


def test_processes_change_no_byte_and_an_interrupted_one_is_resumed(
    rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set"
    command = [sys.executable, "-m", "vadkit", *GENERATE, str(out), "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not list(out.glob("videos/*_*.mp4")) and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 130 and b"interrupted" in said and b"Traceback" not in said
    finished = {path: path.stat().st_mtime_ns for path in out.glob("videos/*_*.mp4")}
    assert 1 <= len(finished) < 4 and not list(out.glob("videos/.*"))
    assert not json.loads((out / "rendered.json").read_text())["complete"]
    assert main([*GENERATE, str(out), "--workers", "0"]) == 0
    assert f"4 videos, 0.01 hours; {4 - len(finished)} to render" in capsys.readouterr().out
    assert all(path.stat().st_mtime_ns == before for path, before in finished.items())
    assert content(out) == content(rendered)


def test_it_is_extracted_as_any_users_videos(rendered: Path, store: Path) -> None:
    dataset = FeatureStore(root=str(store))
    recordings = {recording.name: recording for recording in RenderedSet(rendered, WANTED).recordings}
    assert NOTICE in dataset.warnings
    found = [*dataset.videos("train"), *dataset.videos("test")]
    assert {video.name for video in found} == set(recordings)
    for video in found:
        recording = recordings[video.name]
        spans = tuple((a.start, a.end) for a in recording.anomalies)
        assert video.label == (recording.kind != "normal") and video.num_frames == recording.frames
        assert video.spans == (spans if video.split == "test" else ())
        assert video.clicks == (recording.clicks if video.split == "train" else ())
        assert video.tags == {"scene": recording.scene.name, "camera": str(recording.camera)}


def test_scenes_are_chosen_by_their_tag(store: Path) -> None:
    scene = next(v.tags["scene"] for v in FeatureStore(root=str(store)).videos("train"))
    dataset = FeatureStore(root=str(store), only={"scene": [scene]})
    assert {v.tags["scene"] for v in dataset.videos("train")} == {scene} and dataset.videos("test") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "6"], "holds another rendered set: seed 5, not 6"),
        (["--scenes", "3", "--hours", "0.02"], "holds another rendered set: hours 0.01, not 0.02"),
        (["--workers", "-1"], "--workers must be from 0 to 1024, got -1"),
        (["--scenes", "1"], "the number of scenes must be from 2 to 1000, not 1"),
        (["--fraction", "0.5"], "--fraction is of a published feature set; it has no meaning for 'rendered'"),
    ],
)
def test_what_is_refused(
    rendered: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    before = content(rendered)
    assert main([*GENERATE, str(rendered), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert content(rendered) == before


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert main([*GENERATE, str(tmp_path)]) == 2
    assert "holds something that is not a rendered set" in capsys.readouterr().err
    assert main(["store", "generate", "xd_violence", "--out", str(tmp_path), "--scenes", "2"]) == 2
    assert "--scenes is for 'rendered'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_full_disk_is_reported_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    assert main([*GENERATE, str(tmp_path / "set")]) == 2
    assert "but the disk has 1 kB free" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


def test_the_page_shows_each_scene_and_its_events(rendered: Path, browser: Any) -> None:
    browser.open(rendered / "index.html")
    recordings = RenderedSet(rendered, WANTED).recordings
    assert browser.run("document.querySelectorAll('figure.chart').length") == 2
    shown = browser.run("[...document.querySelectorAll('figure.chart rect title')].map(e => e.textContent)")
    assert len(shown) == sum(len(r.anomalies) + len(r.distractors) for r in recordings)
    links = browser.run("[...document.querySelectorAll('main a')].map(a => a.getAttribute('href').split('#')[0])")
    assert {f"./videos/{r.name}.mp4" for r in recordings} <= set(links)
    assert all((rendered / link).is_file() for link in links)
    loaded = "[...document.querySelectorAll('main img')].every(i => i.complete && i.naturalWidth === 192)"
    assert browser.run(loaded) and browser.errors == []


def test_the_page_fits_a_phone_and_paper_and_needs_no_script(rendered: Path) -> None:
    check_fits(rendered / "index.html")
    check_without_scripts(rendered / "index.html", charts=2)
    check_print(rendered / "index.html")


def test_time_lines_of_nothing_can_be_drawn() -> None:
    assert "a: nothing" in time_lines([TimeLine("a", 10.0)])
    assert time_lines([]).startswith("<figure")
