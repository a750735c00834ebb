"""``vadkit calibrate``: from footage to the rule in the model's file, and back out of it when videos are scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from clips import FPS, alarm, make_clip
from models import RECIPES, write_model

import vadkit
from vadkit import VadkitError
from vadkit.calibrate import footage
from vadkit.calibrate.footage import live_scores, pieces, score_footage
from vadkit.cli import main
from vadkit.graph import model_file
from vadkit.predict.system import load_system

LEARNED = {"on": 0.9, "off": 0.03, "least_s": 0.4, "cool_down_s": 100.0, "alarms_per_day": 2.0, "interval": [1.0, 3.0]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a minute of ordinary footage: grey, with a flash of pink every three seconds, each another shade."""
    root = tmp_path_factory.mktemp("ordinary")

    def street(time: float) -> tuple[int, int, int]:
        second = int(time)
        pink = 100 + 4 * second if second % 3 == 0 else 60 + second % 3
        return (pink, 60, 60)

    for number in range(2):
        make_clip(root / "videos" / f"{number}.mp4", 30.0, colour=street, sound=None)
    return root


def tensors(path: Path) -> bytes:
    """Return the bytes of a model file after its header."""
    data = path.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]


def test_the_rule_is_in_the_file_whose_weights_keep_their_bytes(folder: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.safetensors")
    before, weights = model_file.read_header(model), tensors(model)
    found = vadkit.calibrate(model, folder / "videos", alarms_per_day=5760, cool_down=0.0)  # 4 a minute
    assert found.learned.events == 4 and found.file == model
    after = model_file.read_header(model)
    assert after["extra"].pop("events") == found.as_json()
    assert after == before and tensors(model) == weights
    header = json.loads(model.read_bytes()[8 : -len(weights)])
    assert list(header["__metadata__"]) == ["sha256", "vadkit"]  # in order, so that equal models are equal files
    assert load_system(model, "cpu").rule == found.learned.rule
    (scored,) = vadkit.predict(folder / "videos" / "1.mp4", model=model)
    assert scored.threshold == found.learned.rule.on and len(scored.events) == 2


def test_it_prints_the_rate_with_its_interval(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_model(tmp_path / "model.safetensors")
    before = model.read_bytes()
    words = ["calibrate", "--model", str(model), "--normal", str(folder / "videos"), "--alarms-per-day", "5760"]
    assert main([*words, "--out", str(tmp_path / "calibrated.safetensors"), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "5760 alarms a day on ordinary footage, 95 % interval" in said
    assert f"stored in {tmp_path / 'calibrated.safetensors'}" in said
    assert model.read_bytes() == before
    assert main([*words, "--json", "--device", "cpu"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["on"] == model_file.read_header(model)["extra"]["events"]["on"] and found["hours"] == 0.017
    assert main([*words, "--out", str(model)]) == 2
    assert "is an input of this command" in capsys.readouterr().err


def test_too_little_footage_leaves_the_file_as_it_is(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "model.safetensors")
    before = model.read_bytes()
    assert main(["calibrate", "--model", str(model), "--normal", str(folder), "--alarms-per-day", "1"]) == 2
    said = capsys.readouterr().err
    assert "60 s of ordinary footage are too short for 1 alarms a day" in said and "give 3 days of footage" in said
    assert model.read_bytes() == before


# -- what scores videos uses it --------------------------------------------------------------------
def test_predict_uses_the_whole_rule(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.safetensors", extra={"recipes": RECIPES, "events": LEARNED})
    plain = write_model(tmp_path / "plain.safetensors")
    clip = make_clip(tmp_path / "clip.mp4", 8.0, colour=lambda t: alarm(2, 3)(t) if t < 4 else alarm(5, 7)(t))
    (before,) = vadkit.predict(clip, model=plain, out=tmp_path / "out")
    assert [(e.start, e.end) for e in before.events] == [(2.0, 3.0), (5.0, 7.0)]
    (found,) = vadkit.predict(clip, model=model, out=tmp_path / "out")
    assert not found.skipped and [(e.start, e.end) for e in found.events] == [(2.0, 8.0)]  # grey scores 0.05
    data = json.loads((tmp_path / "out" / "clip.json").read_text())
    assert data["threshold"] == 0.9 and data["rule"] == {"off": 0.03, "least_s": 0.4, "cool_down_s": 100.0}
    page = (tmp_path / "out" / "clip.html").read_text()
    assert "1 event at or above 0.9, each until the score is below 0.03;" in page
    (again,) = vadkit.predict(clip, model=model, out=tmp_path / "out")
    assert again.skipped
    (other,) = vadkit.predict(clip, model=model, out=tmp_path / "out", threshold=0.9)
    assert not other.skipped and len(other.events) == 2  # a given threshold is the whole rule
    scorer = vadkit.Scorer(model)
    assert [vars(event)["start"] for event in scorer.video(clip).events] == [e.start for e in found.events]


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ({"on": 0.2, "off": 0.5}, "off is above on"),
        ({"on": "high", "off": 0.5}, "extra.events.on must be a number"),
        ({"on": 0.5}, "lacks 'off'"),
    ],
)
def test_a_rule_that_is_none_makes_no_model_file(tmp_path: Path, events: dict[str, object], text: str) -> None:
    with pytest.raises(VadkitError, match=text):
        write_model(tmp_path / "model.safetensors", extra={"events": events})


# -- a store ---------------------------------------------------------------------------------------
def write_store(root: Path, fps: float | None, labels: tuple[int | None, ...] = (0, None, 1)) -> Path:
    """Write features of mean colours, a minute and more each: mostly grey, red now and then."""
    rng = np.random.default_rng(0)
    (root / "rgb").mkdir(parents=True)
    videos = []
    for number, label in enumerate(labels):
        rows = np.full((400, 3), 0.25, np.float32) + 0.01 * rng.random((400, 3), dtype=np.float32)
        rows[::40, 0] += 0.3 + 0.2 * rng.random(10, dtype=np.float32)
        np.save(root / "rgb" / f"cam{number}.npy", rows)
        videos.append({"name": f"cam{number}", "split": "train", "label": label, "fps": fps})
    head = {"vadkit_store": 1, "snippet_frames": 4, "streams": {"rgb": {"dim": 3, "recipe": RECIPES["rgb"]}}}
    (root / "store.json").write_text(json.dumps(head))
    (root / "videos.json").write_text(json.dumps(videos))
    return root


def test_a_store_is_footage_without_its_abnormal_videos(tmp_path: Path) -> None:
    model, store = write_model(tmp_path / "model.safetensors"), write_store(tmp_path / "store", float(FPS))
    found = vadkit.calibrate(model, store, alarms_per_day=2160, cool_down=0.0, device="cpu")  # 400 s: 10 in all
    assert found.learned.events == 10 and found.learned.hours == pytest.approx(400 / 3600)
    assert found.notes == ["left out 1 video with the label abnormal", "1 video of unknown label is taken as ordinary"]


def test_long_footage_is_scored_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, store = write_model(tmp_path / "model.safetensors"), write_store(tmp_path / "store", float(FPS))
    whole = score_footage(model, [store], "cpu").footage
    monkeypatch.setattr(footage, "LONGEST", 30)
    lengths = [len(piece["rgb"]) for piece in pieces({"rgb": np.zeros((400, 3))})]
    assert sum(lengths) == 400 and set(lengths) == {28, 29}
    cut = score_footage(model, [store], "cpu").footage  # of a model that sees one snippet at a time
    assert [part.scores.tolist() for part in cut] == [part.scores.tolist() for part in whole]


def test_live_scores_are_those_of_watching(tmp_path: Path) -> None:
    model, store = write_model(tmp_path / "model.safetensors"), write_store(tmp_path / "store", float(FPS))
    words = ["calibrate", "--model", str(model), "--normal", str(store), "--alarms-per-day", "2160", "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "whole.safetensors")]) == 0
    whole = model_file.read_header(tmp_path / "whole.safetensors")["extra"]["events"]
    for more, scored in ((["--live"], "live"), (["--window", "8"], "live, in a window of 8")):
        assert main([*words, *more]) == 0
        live = model_file.read_header(model)["extra"]["events"]
        # The graph sees one snippet at a time, so that it scores the same in every way.
        assert (live["on"], live["events"]) == (pytest.approx(whole["on"], abs=2e-6), whole["events"])
        assert (whole["scored"], live["scored"]) == ("as whole videos", scored)


def test_absent_streams_are_left_out_of_live_scores() -> None:
    class Counter:
        """Scores a snippet by how many streams it has."""

        scores: list[tuple[int, float]] = []

        def step(self, streams: dict[str, np.ndarray]) -> list[tuple[int, float]]:
            self.scores.append((len(self.scores), float(len(streams))))
            return self.scores[-1:]

        def finish(self) -> list[tuple[int, float]]:
            return []

    streams = {
        "rgb": np.zeros((1, 3, 4)),
        "audio": np.zeros((1, 3, 2)),
        "presence": np.array([[[1, 1], [1, 0], [0, 1]]]),
    }
    assert live_scores(Counter(), streams, ["rgb", "audio"]).tolist() == [2.0, 1.0, 1.0]  # type: ignore[arg-type]


def test_a_store_without_a_rate_needs_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, store = write_model(tmp_path / "model.safetensors"), write_store(tmp_path / "store", None)
    words = ["calibrate", "--model", str(model), "--normal", str(store), "--alarms-per-day", "2160"]
    assert main(words) == 2
    assert "frames per second are unknown" in capsys.readouterr().err
    assert main([*words, "--fps", "8"]) == 0


def test_wrong_footage_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, store = write_model(tmp_path / "model.safetensors"), write_store(tmp_path / "store", 8.0, (1, 1))
    words = ["calibrate", "--model", str(model), "--alarms-per-day", "2160", "--normal"]
    for paths, text in (
        ([store], "holds no ordinary footage: all of its videos are abnormal"),
        ([store, folder], "give one store, or video files"),
        ([tmp_path / "none"], "there is no video"),
    ):
        assert main([*words, *map(str, paths)]) == 2
        assert text in capsys.readouterr().err
    assert main([*words, str(folder), "--fps", "8"]) == 2
    assert "fps is for a store" in capsys.readouterr().err
