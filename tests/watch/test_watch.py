"""Watching: recordings and folders to scores, events, log and clips; how it ends, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import alarm, make_clip
from models import RECIPES, RGB_AUDIO, write_model

import vadkit
from vadkit.cli import main
from vadkit.events import Event, EventRule
from vadkit.extract.one_pass import extract_video
from vadkit.extract.snippets import Clock
from vadkit.graph.model_file import save
from vadkit.plugin_manager import EXTRA
from vadkit.predict.system import load_system
from vadkit.watch.cameras import entry_of, find_cameras
from vadkit.watch.event_log import replay
from vadkit.watch.run import Listener, Settings, Watch

RULE = EventRule(0.5, 0.4, before_s=1.0, after_s=1.0)


def watch(model: Path, sources: list[Path | str], out: Path, **settings: Any) -> tuple[Watch, list[Any], list[Event]]:
    system = load_system(model, "cpu")
    scores: list[Any] = []
    events: list[Event] = []
    watch = Watch(
        system,
        lambda: vadkit.stream(system.model),
        find_cameras([entry_of(str(source)) for source in sources]),
        Settings(out, RULE, **settings),
        {},
        Listener(score=lambda source, score: scores.append((source, score)), event=events.append),
    )
    watch.run()
    return watch, scores, events


def test_a_recording_is_scored_as_its_features_are(model: Path, clip: Path, tmp_path: Path) -> None:
    done, scores, events = watch(model, [clip], tmp_path)
    system = load_system(model, "cpu")
    streams = extract_video(clip, system.backbones, Clock(**system.clock)).streams
    stepper = vadkit.stream(system.model)
    wanted = [s for i in range(16) for s in stepper.step({name: x[i] for name, x in streams.items()})]
    wanted += stepper.finish()
    assert [score.score for _, score in scores] == [score for _, score in wanted]
    np.testing.assert_allclose([score.start for _, score in scores], np.arange(16) / 2)
    assert [event.state for event in events] == ["new", "end"]
    assert (events[-1].start_s, events[-1].end_s, events[-1].source) == (2.0, 4.0, "door")
    assert events[-1].contributions["rgb"] > 1 and events[-1].contributions["audio"] > 1
    assert list(replay(tmp_path / "events.jsonl")) == events
    assert done.health["door"].values()["frames_dropped"] == 0
    assert Path(events[-1].clip or "").is_file()


def test_watching_again_sends_nothing_twice(model: Path, clip: Path, tmp_path: Path) -> None:
    _, _, first = watch(model, [clip], tmp_path)
    before = (tmp_path / "events.jsonl").read_bytes()
    _, scores, again = watch(model, [clip], tmp_path)
    assert len(first) == 2 and again == [] and len(scores) == 16
    assert (tmp_path / "events.jsonl").read_bytes() == before


def test_a_folder_is_watched_in_order_and_a_broken_file_stops_nothing(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "night"
    for i, at in enumerate((1, 9, 2)):
        make_clip(folder / f"{i}.mp4", 4.0, alarm(at, at + 1), sound=None)
    (folder / "1b.mp4").write_bytes(b"no video")
    rgb = write_model(tmp_path / "rgb.safetensors")
    done, scores, events = watch(rgb, [folder, folder / "2.mp4"], tmp_path / "out", clips=False)
    sources = [source for source, _ in scores]
    assert {s: sources.count(s) for s in sources} == {"night/0.mp4": 8, "night/1.mp4": 8, "night/2.mp4": 8, "2": 8}
    assert sorted({event.source for event in events}) == ["2", "night/0.mp4", "night/2.mp4"]
    assert [s for s in sources if s != "2"] == sorted(s for s in sources if s != "2")
    assert done.failed == [] and "1b.mp4" in " ".join(done.state.notes)


def test_freed_memory_is_given_back_now_and_then(
    model: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[int] = []
    monkeypatch.setattr("vadkit.watch.run.give_back", lambda: times.append(1))
    watch(model, [clip], tmp_path)
    assert times == [1]  # at once, and again after a minute


def test_what_a_paced_recording_is_too_fast_for_is_dropped(model: Path, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "long.mp4", 20.0, alarm(2, 4))
    system = load_system(model, "cpu")

    class Slow(type(system.backbones["rgb"])):  # type: ignore[misc]
        def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
            time.sleep(0.02)
            return super().extract(snippets)

    system.backbones["rgb"] = Slow()
    scores: list[Any] = []
    done = Watch(
        system,
        lambda: vadkit.stream(system.model),
        find_cameras([entry_of(str(path))]),
        Settings(tmp_path / "out", RULE, pace=1000.0, clips=False),
        listener=Listener(score=lambda source, score: scores.append(score)),
    )
    done.run()
    dropped = done.health["long"].values()["frames_dropped"]
    assert dropped > 0 and abs(dropped + 4 * len(scores) - 160) <= 1
    starts = [score.start for score in scores]
    assert starts == sorted(starts) and set(np.round(np.array(starts) * 2) / 2) == set(starts)


def run(*words: str) -> int:
    return main(["watch", *words, "--device", "cpu"])


def test_the_command(model: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(f"hall={clip}", "--model", str(model), "--out", str(out), "--rule", "least_s=1") == 0
    shown = capsys.readouterr()
    assert "hall: event begins, at 2.0 s" in shown.out and "hall: event ended, at 2.0 s, 2.0 s" in shown.out
    assert shown.err == "" and "1 event; 0 pictures dropped" in shown.out
    words = [str(clip), "--model", str(model), "--out", str(out), "--quiet", "--no-clips", "--no-contributions"]
    assert run(*words) == 0
    assert [event.contributions == {} for event in replay(out / "events.jsonl")] == [False, False, True, True]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "there is nothing to watch"),
        (["none.mp4"], "none.mp4: there is no such file"),
        (["CLIP", "--pace", "0"], "--pace is 0"),
        (["CLIP", "--rule", "onn=1"], "did you mean 'on'?"),
        (["CLIP", "--rule", "on=high"], "'high' is not a number"),
        (["CLIP", "--rule", "on=0.3,off=0.5"], "an event would end above the score that begins it"),
        (["CLIP", "--sink", "nowhere"], "nowhere"),
        (["CLIP", "--sink", "stdout:"], "must be NAME or NAME:argument=value"),
        (["CLIP", "--cameras", "none.yaml"], "none.yaml"),
        (["BROKEN"], "BROKEN cannot be read as a video"),
    ],
)
def test_what_is_refused(
    words: list[str], text: str, model: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    words = [{"CLIP": str(clip), "BROKEN": str(broken)}.get(word, word) for word in words]
    assert run(*words, "--model", str(model), "--out", str(tmp_path / "out")) == 2
    said = capsys.readouterr().err
    assert text.replace("BROKEN", str(broken)) in said and "Traceback" not in said


def start(*words: str, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "vadkit", "watch", *words, "--device", "cpu"]
    paths = [str(Path(__file__).parent.parent / "support"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, EXTRA: "vadkit_tiny_backbones", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **more)


def wait_for(process: subprocess.Popen[str], condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_ctrl_c_ends_it_cleanly_and_a_kill_loses_nothing(model: Path, tmp_path: Path) -> None:
    long = make_clip(tmp_path / "long.mp4", 60.0, alarm(1, 50), sound=None)
    rgb = write_model(tmp_path / "rgb.safetensors")
    out = tmp_path / "out"
    words = [
        str(long),
        "--model",
        str(rgb),
        "--out",
        str(out),
        "--pace",
        "6",
        "--rule",
        "update_s=2",
        "--sink",
        "stdout",
    ]
    killed = start(*words)
    wait_for(killed, lambda: any("sent" in line for line in lines(out / "events.jsonl")))
    killed.send_signal(signal.SIGKILL)
    said, _ = killed.communicate(timeout=60)
    assert json.loads(said.splitlines()[0])["state"] == "new"
    ended = start(*words)
    wait_for(ended, lambda: any(line.get("state") == "update" for line in lines(out / "events.jsonl")))
    ended.send_signal(signal.SIGINT)
    said, error = ended.communicate(timeout=60)
    assert ended.returncode == 0 and "Traceback" not in error
    messages = [json.loads(line) for line in said.splitlines()]
    assert [m["state"] for m in messages if m["state"] != "update"] == ["end"]  # the new one was sent before the kill
    assert [event.state for event in replay(out / "events.jsonl")].count("new") == 1


def test_sound_that_is_absent_is_left_out_where_the_model_knows_absence(tmp_path: Path) -> None:
    nodes = {
        "rgb_in": {"use": "dense", "in": "rgb", "args": {"dim": 4}},
        "audio_in": {"use": "dense", "in": "audio", "args": {"dim": 4}},
        "joined": {"use": "present_sum", "in": ["rgb_in", "audio_in"]},
        "score": {"use": "mlp_head", "in": "joined", "args": {"hidden": []}},
    }
    model = write_model_of(tmp_path / "model.safetensors", nodes)
    silent = make_clip(tmp_path / "silent.mp4", 3.0, alarm(1, 2), sound=None)
    done, scores, _ = watch(model, [silent], tmp_path / "out", clips=False)
    system = load_system(model, "cpu")
    rgb = extract_video(silent, system.backbones, Clock(**system.clock)).streams["rgb"]
    stepper = vadkit.stream(system.model)
    wanted = [score for row in rgb for _, score in stepper.step({"rgb": row})]
    assert [score.score for _, score in scores] == wanted and len(wanted) == 6
    assert scores[0][1].contributions["audio"] == 0
    assert "silent has no sound; audio counts as absent" in done.state.notes


def write_model_of(path: Path, nodes: dict[str, Any]) -> Path:
    save(vadkit.build({**RGB_AUDIO, "nodes": nodes}), path, {"recipes": RECIPES})
    return path
