"""``vadkit bench transfer``: a matrix of training and test sets, tuned on a few videos, with intervals."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from tiny_runs import tiny_config
from tiny_store import write_tiny_store

import vadkit
from vadkit.bench.comparison.scores import RunScores, VideoScores
from vadkit.bench.transfer import summary
from vadkit.bench.transfer.cells import Cell, Transfer, cells, chosen
from vadkit.bench.transfer.summary import alarms, figure, hours
from vadkit.cli import main
from vadkit.problems import VadkitError
from vadkit.store import read_store
from vadkit.video import Video


def with_clicks(store: Path) -> Path:
    """Give each abnormal training video of a store a click."""
    videos = json.loads((store / "videos.json").read_text())
    for video in videos:
        if video["split"] == "train" and video["label"]:
            video["clicks"] = [video["num_frames"] // 2]
    (store / "videos.json").write_text(json.dumps(videos))
    return store


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    root = tmp_path_factory.mktemp("transfer")
    day = write_tiny_store(root / "day", train=3, test=3, dims={"rgb": 16}, seed=0)
    night = with_clicks(write_tiny_store(root / "night", train=3, test=3, dims={"rgb": 16}, seed=1))
    (root / "graph.yaml").write_text(yaml.safe_dump(tiny_config(root / "absent"), sort_keys=False))
    command = ["bench", "transfer", str(root / "graph.yaml"), "--store", f"day={day}", "--store", f"night={night}"]
    command += ["--normal", f"calm={day}", "--shots", "2", "--seeds", "3", "--steps", "3", "--device", "cpu"]
    command += ["--set", "train.steps=8", "--out", str(root / "out")]
    assert main(command) == 0
    return SimpleNamespace(root=root, command=command, out=root / "out", day=day, night=night)


def test_every_model_is_tested_on_every_store(done: SimpleNamespace) -> None:
    results = json.loads((done.out / "results.json").read_text())
    names = {column["test"]: [row["name"] for row in column["rows"]] for column in results["columns"]}
    assert names == {
        "day": ["day, its own", "night", "night + 2"],
        "night": ["night, its own", "day", "day + 2", "day + 2 clicked"],
    }
    for column in results["columns"]:
        own, untuned, tuned, *_ = column["rows"]
        assert own["differences"]["ap"] is None and len(untuned["differences"]["ap"]["pairs"]) == 3
        for row in column["rows"]:
            ap = row["figures"]["ap"]
            assert len(ap["values"]) == 3 and 0 <= ap["low"] <= ap["mean"] <= ap["high"] <= 1
        assert tuned["tuned_on"] == 2


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("worse", 0.5), ("worse on these runs; seeds unknown", 0.5), ("no difference shown", None)],
)
def test_only_a_gap_that_is_shown_is_closed(
    verdict: str, expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, untuned, tuned = Cell("day", "day"), Cell("day", "night"), Cell("day", "night", shots=2)
    found = {"ap": {"verdict": verdict}, "auc": {"verdict": verdict}}
    monkeypatch.setattr(summary, "_differences", lambda *_: dict.fromkeys((untuned.name, tuned.name), found))
    monkeypatch.setattr(summary, "figure", lambda *_: None)
    ap = {own: 0.8, untuned: 0.4, tuned: 0.6}
    scored: Any = {(cell, 0): SimpleNamespace(figures={"ap": value}) for cell, value in ap.items()}
    rows = summary.column("day", scored, {})["rows"]
    assert [row["recovered"] for row in rows] == [None, None, expected and pytest.approx(expected)]


def test_figures_are_those_of_evaluation(done: SimpleNamespace) -> None:
    results = json.loads((done.out / "results.json").read_text())
    column = next(column for column in results["columns"] if column["test"] == "night")
    row = next(row for row in column["rows"] if row["name"] == "day")
    model = done.out / "runs" / "day" / "seed1" / "model.safetensors"
    found = vadkit.evaluate(model, device="cpu", set=f"data.args.root={done.night}")
    assert row["figures"]["ap"]["values"][1] == pytest.approx(found.figures["ap"])


def test_a_tuned_model_has_seen_a_few_videos_and_no_test_video_in_training(done: SimpleNamespace) -> None:
    store = read_store(done.out / "stores" / "night-2" / "seed0")
    trained = [video for video in store.videos if video.split == "train"]
    assert [sum(video.label == label for video in trained) for label in (0, 1)] == [2, 2]
    assert sum(video.split == "test" for video in store.videos) == 6
    spec = vadkit.load(done.out / "runs/day/tuned/night-2-clicks/seed0/model.safetensors").spec
    assert spec["data"]["clicks"] is True and set(spec["losses"]) == {"mil", "tuned_clicks"}
    assert spec["train"]["steps"] == 3 and spec["data"]["batch"] == 2
    assert spec["train"]["warm_start"]["file"].endswith("runs/day/seed0/model.safetensors")


def test_tables_and_page(done: SimpleNamespace) -> None:
    rows = list(csv.DictReader((done.out / "table.csv").open()))
    assert len(rows) == 7 + 2
    assert [row["hours"] != "" for row in rows] == [False] * 7 + [True] * 2
    text = (done.out / "table.md").read_text()
    assert "## Tested on night" in text and "## False alarms on normal videos" in text
    page = (done.out / "index.html").read_text()
    assert "Tested on night" in page and "day + 2 clicked" in page


def test_what_is_finished_is_not_trained_again(done: SimpleNamespace) -> None:
    models = {path: path.stat().st_mtime_ns for path in done.out.rglob("model.safetensors")}
    before = (done.out / "results.json").read_bytes()
    assert main(done.command) == 0
    assert {path: path.stat().st_mtime_ns for path in done.out.rglob("model.safetensors")} == models
    assert (done.out / "results.json").read_bytes() == before


def test_another_config_is_refused_in_the_same_folder(
    done: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*done.command, "--set", "train.optimizer.lr=0.01"]) == 2
    assert "train.optimizer.lr" in capsys.readouterr().err


# -- parts -----------------------------------------------------------------------------------------
def test_fewer_videos_are_among_more() -> None:
    videos = [Video(f"{label}{i}", "train", label) for i in range(30) for label in (0, 1)]
    few, more, all_of_them = (chosen(videos, k, seed=4) for k in (1, 5, 99))
    assert len(few) == 2 and len(more) == 10 and set(few) < set(more) and len(all_of_them) == 60
    assert chosen(videos, 5, seed=4) == more != chosen(videos, 5, seed=5)


def test_clicks_are_used_where_a_store_has_them() -> None:
    plan = Transfer("g", {"a": Path("a"), "b": Path("b")}, {}, shots=(5,))
    found = cells(plan, {"a": False, "b": True})
    assert [cell.name for cell in found] == ["a, its own", "b", "b + 5", "b, its own", "a", "a + 5", "a + 5 clicked"]
    assert Cell("b", "a", 5, True).folder == "a/tuned/b-5-clicks" and Cell("b", "a").folder == "a"


def run_of(*scores: list[float], threshold: float | None = 0.5) -> RunScores:
    videos = [
        VideoScores(f"v{i}", 0, (), 25.0, np.array(s), np.zeros(len(s), int), np.full(len(s), 250))
        for i, s in enumerate(scores)
    ]
    return RunScores(tuple(videos), threshold)


def test_an_alarm_is_a_stretch_above_the_threshold() -> None:
    run = run_of([0.9, 0.9, 0.1, 0.5], [0.1, 0.2], [0.6])
    assert alarms(run) == 3
    assert hours(run) == pytest.approx(7 * 10 / 3600)


def test_the_interval_of_a_figure_holds_its_mean() -> None:
    rng = np.random.default_rng(0)
    runs = [run_of(*rng.random((8, 20)).tolist()) for _ in range(3)]
    found = figure(runs, "far")
    assert found is not None and found["low"] < found["mean"] < found["high"]
    assert figure(runs, "ap") is None  # there is nothing to find


@pytest.mark.parametrize(
    "arguments, message",
    (
        (["--store", "a=DIR"], "transfer takes two stores or more"),
        (["--store", "a"], "--store is 'a'"),
        (["--store", "a=X", "--store", "a=Y"], "--store names 'a' twice"),
        (["--store", "a/b=X", "--store", "c=Y"], "'a/b' cannot be the name of a store"),
        (["--store", "a=X", "--store", "c=Y", "--normal", "a=Z"], "'a' is the name of a store and of a normal one"),
        (["--store", "a=X", "--store", "c=Y", "--shots", "one"], "--shots is 'one'"),
        (["--store", "a=X", "--store", "c=Y", "--shots", "0"], "shots are [0]; each must be from 1 to 1000"),
        (["--store", "a=X", "--store", "c=Y", "--seeds", "0"], "--seeds must be from 1 to 100, got 0"),
    ),
)
def test_what_cannot_be_compared_is_said(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "transfer", "demo_rgb", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_store_without_one_label_is_refused(tmp_path: Path) -> None:
    from vadkit.bench.transfer.run import Matrix
    from vadkit.plugin_manager import load_plugins

    day = write_tiny_store(tmp_path / "day", train=2, test=2, dims={"rgb": 16})
    calm = write_tiny_store(tmp_path / "calm", train=2, test=2, dims={"rgb": 16})
    videos = [video for video in json.loads((calm / "videos.json").read_text()) if not video["label"]]
    (calm / "videos.json").write_text(json.dumps(videos))
    (tmp_path / "g.yaml").write_text(yaml.safe_dump(tiny_config(day), sort_keys=False))
    plan: Any = Transfer(str(tmp_path / "g.yaml"), {"day": day, "calm": calm}, {})
    with pytest.raises(VadkitError, match="the train split of store 'calm' lacks abnormal videos") as caught:
        Matrix(plan, tmp_path / "out", load_plugins(), "cpu", lambda what, ended: None)
    assert "--normal" in str(caught.value.problems[0].hint)
