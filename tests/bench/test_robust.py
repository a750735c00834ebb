"""``vadkit bench robust``: figures on corrupted videos, resumed, next to those on the videos themselves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import alarm, make_clip
from red_alarm import GRAPH
from safetensors.numpy import load_file, save
from unpackaged import TINY_BACKBONES, unpackaged

import vadkit
from vadkit import VadkitError, json_file
from vadkit.bench.robust import features
from vadkit.bench.robust.conditions import BLOCK, Condition, check_missing, conditions_of
from vadkit.bench.robust.run import Wanted, run_robust
from vadkit.bench.robust.score import placed
from vadkit.cli import main
from vadkit.corrupt.chain import Damage
from vadkit.data.absent import lost_blocks
from vadkit.engine.train import train
from vadkit.extract.run import Clock, Resources, extract_store
from vadkit.plugin_manager import load_plugins

Captured = pytest.CaptureFixture[str]
CUT = 4  # frames of a snippet


@pytest.fixture(scope="module", autouse=True)
def tiny_backbones() -> Iterator[None]:
    with unpackaged(TINY_BACKBONES):
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with videos, their store, and runs of two seeds."""
    folder = tmp_path_factory.mktemp("robust")
    for i in range(8):
        colour, sound = (alarm(2, 3), "beep") if i % 2 else (alarm(9, 9), "silence")
        make_clip(folder / "videos" / f"clip{i}.mp4", seconds=4.0, colour=colour, sound=sound)
    extracted(folder / "videos", range(8), folder / "store")
    for seed in (0, 1):
        sets = [f"data.args.root={folder / 'store'}", "train.steps=20", f"train.seed={seed}"]
        train(GRAPH, sets, folder / "runs" / f"seed{seed}", device="cpu")
    return folder


def extracted(videos: Path, numbers: Sequence[int], root: Path) -> None:
    """Extract a store from some of the clips."""
    entries = []
    for i in numbers:
        about = {"name": f"clip{i}", "file": str(videos / f"clip{i}.mp4"), "split": "train" if i < 4 else "test"}
        entries.append({**about, "label": i % 2, "classes": ["red"] * (i % 2), "spans": [[16, 24]] * (i % 2)})
    components = load_plugins().components
    backbones = {"rgb": components.find("mean_colour")(), "audio": components.find("loudness")()}  # type: ignore[misc]
    cut, here = Clock(snippet_frames=CUT), Resources(workers=0)
    extract_store(entries, backbones, root, clock=cut, classes=["normal", "red"], resources=here)  # type: ignore[arg-type]


def measured(folder: Path, out: Path, *texts: str, **more: Any) -> dict[str, Any]:
    return run_robust(Wanted([str(folder / "runs")], conditions_of(texts, ()), **more), out)


def test_the_command_writes_tables_a_page_and_results(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "robust"
    command = ["bench", "robust", f"small={folder / 'runs'}", "--with", "noise:5", "--with", "low_light:1,5"]
    assert main([*command, "--with", "noise+low_light:5", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "low_light:5" in shown and "dB signal to noise" in shown and str(out / "index.html") in shown
    results = json_file.load(out / "results.json")
    (model,) = results["models"]
    assert [row["name"] for row in model["conditions"]] == [
        "encoded again", "noise:5", "low_light:1", "low_light:5", "noise+low_light:5",
    ]  # fmt: skip
    stated = [json_file.load(folder / "runs" / f"seed{seed}" / "result.json")["figures"]["ap"] for seed in (0, 1)]
    assert model["clean"]["ap"] == pytest.approx(stated)
    assert model["relative_loss"]["ap"]["mean"] >= 0
    assert len((out / "table.csv").read_text().splitlines()) == 7
    assert "Mean relative loss" in (out / "table.md").read_text()
    page = (out / "index.html").read_text()
    assert "<h3>noise + low_light</h3>" in page and "Severity 1, 5: 50, 5 % of the light." in page
    assert "Severity 5: noise -5 dB signal to noise; low_light 5 % of the light." in page


def test_only_streams_that_are_damaged_are_extracted_again(folder: Path, tmp_path: Path) -> None:
    measured(folder, tmp_path, "noise:1", "blur:1", "wrong_frame_rate:5")
    counts = {
        path.parent.name: {name: len(x) for name, x in load_file(path).items()}
        for path in (tmp_path / "features").rglob("clip5.safetensors")
    }
    assert {name: len(found) for name, found in counts.items()} == {
        "encoded-seed0": 2, "noise-1-seed0": 1, "blur-1-seed0": 1, "wrong_frame_rate-5-seed0": 2,
    }  # fmt: skip
    assert set(counts["blur-1-seed0"].values()) == {8} and set(counts["wrong_frame_rate-5-seed0"].values()) <= {4, 16}
    assert not (tmp_path / "media").exists()


def test_a_copy_without_any_loss_scores_as_the_original(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(source: Path, target: Path, *_: object) -> list[str]:
        shutil.copy(source, target)
        return []

    monkeypatch.setattr(features, "write_copy", copy)
    (model,) = measured(folder, tmp_path, "noise:1", "dropped_frames:3")["models"]
    for row in model["conditions"]:
        assert row["figures"] == model["clean"]
        assert row["differences"]["ap"]["mean"] == 0
    assert model["relative_loss"]["ap"]["mean"] == model["relative_loss"]["auc"]["high"] == 0


def test_a_benchmark_that_was_killed_resumes_to_the_same_result(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Wanted([str(folder / "runs")], conditions_of(["noise:3", "low_light:4"], ()))
    whole = run_robust(wanted, tmp_path / "whole")

    def kill(done: int, total: int, text: str) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_robust(wanted, tmp_path / "killed", kill)
    assert not (tmp_path / "killed" / "results.json").exists()
    assert run_robust(wanted, tmp_path / "killed")["models"] == whole["models"]
    monkeypatch.setattr(features, "write_copy", lambda *_: pytest.fail("a finished video was corrupted again"))
    assert run_robust(wanted, tmp_path / "killed")["models"] == whole["models"]
    (folder / "videos" / "clip4.mp4").touch()  # the same content is the same video
    assert run_robust(wanted, tmp_path / "killed")["models"] == whole["models"]


@pytest.mark.parametrize("fusion", ["concat", "present_sum"])
def test_missing_streams_are_scored_as_evaluation_does(fusion: str, folder: Path, tmp_path: Path) -> None:
    nodes = {**GRAPH["nodes"], "joined": {"use": fusion, "in": ["rgb", "audio"]}}  # type: ignore[dict-item]
    sets = [f"data.args.root={folder / 'store'}", "train.steps=3"]
    train({**GRAPH, "nodes": nodes}, sets, tmp_path / "run", device="cpu")
    wanted = Wanted([str(tmp_path / "run")], conditions_of([], ["audio:50,100", "rgb+audio:30"]))
    results = run_robust(wanted, tmp_path / "out")
    (model,) = results["models"]
    lost = lost_blocks(0.5, BLOCK)
    for row, absent in zip(model["conditions"], ({"audio": lost}, {"audio": True})):
        figures = vadkit.evaluate(tmp_path / "run", absent=absent, device="cpu").figures  # type: ignore[arg-type]
        assert row["figures"]["ap"] == pytest.approx([figures["ap"]])
    assert [row["name"] for row in model["conditions"]] == [
        "50 % of audio missing", "without audio", "30 % of rgb and audio missing",
    ]  # fmt: skip
    assert bool(results["notes"]) == (fusion == "concat") and not (tmp_path / "out" / "features").exists()


def test_lost_sound_is_absent_as_in_a_store_of_the_damaged_videos(folder: Path, tmp_path: Path) -> None:
    nodes = {**GRAPH["nodes"], "joined": {"use": "present_sum", "in": ["rgb", "audio"]}}  # type: ignore[dict-item]
    train(
        {**GRAPH, "nodes": nodes},
        [f"data.args.root={folder / 'store'}", "train.steps=3"],
        tmp_path / "run",
        device="cpu",
    )
    out = tmp_path / "out"
    wanted = Wanted([str(tmp_path / "run")], conditions_of(["dropped_sound:5"], ()), keep_media=True)
    (model,) = run_robust(wanted, out)["models"]
    damaged = tmp_path / "damaged"
    extracted(out / "media" / "dropped_sound-5-seed0", range(4, 8), damaged)
    gaps = [video["absent"]["audio"] for video in json.loads((damaged / "videos.json").read_text())]
    assert gaps[::2] == [True, True] and all(0 < sum(end - start for start, end in gap) < 8 for gap in gaps[1::2])
    found = vadkit.evaluate(tmp_path / "run", set=[f"data.args.root={damaged}"], device="cpu")
    (row,) = (row for row in model["conditions"] if row["name"] == "dropped_sound:5")
    assert row["figures"]["ap"] == pytest.approx([found.figures["ap"]])


def test_another_seed_draws_otherwise_and_media_are_kept_if_wanted(folder: Path, tmp_path: Path) -> None:
    rows = []
    for seed in (0, 1):
        out = tmp_path / str(seed)
        measured(folder, out, "noise:5", seed=seed, keep_media=True)
        (file,) = (out / "features" / f"noise-5-seed{seed}").glob("clip5.safetensors")
        (rows_of_one,) = load_file(file).values()
        rows.append(rows_of_one)
        assert (out / "media" / f"noise-5-seed{seed}" / "clip5.mp4").is_file()
    assert not np.array_equal(*rows)


def test_videos_that_have_moved_are_asked_for(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(folder / "videos", moved)
    store = tmp_path / "store"
    shutil.copytree(folder / "store", store)
    listing = (store / "videos.json").read_text().replace(str(folder / "videos"), str(tmp_path / "gone"))
    (store / "videos.json").write_text(listing)
    command = ["bench", "robust", str(folder / "runs"), "--with", "noise:1", "--data", str(store)]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    assert "4 of 4 test videos are not where the data set says" in capsys.readouterr().err
    assert main([*command, "--out", str(tmp_path / "out"), "--videos", str(moved)]) == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "there is nothing to score under"),
        (["--with", "noise:9"], "'noise:9': the severity must be from 1 to 5"),
        (["--with", "noise:"], "its severities are not numbers"),
        (["--with", "nose"], "unknown corruption 'nose'\n  hint: did you mean 'noise' ("),
        (["--missing", "sound"], "has no such input\n  hint: its inputs are rgb, audio"),
        (["--missing", "rgb+audio"], "is left"),
        (["--missing", "audio:0"], "shares are percents of the snippets, from 1 to 100"),
        (["--missing", "audio:x"], "its shares are not numbers"),
        (["--missing", "+"], "names no stream"),
        (["--with", "noise:1", "--seed", "-1"], "--seed must be from 0"),
        (["--with", "noise:1", "--weights", "x"], "must be INPUT=FILE"),
    ],
)
def test_what_is_wrong_is_said(more: list[str], said: str, folder: Path, tmp_path: Path, capsys: Captured) -> None:
    assert main(["bench", "robust", str(folder / "runs"), *more, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err


def test_files_of_others_are_not_replaced(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "index.html").write_text("mine")
    assert main(["bench", "robust", str(folder / "runs"), "--with", "noise:1", "--out", str(tmp_path)]) == 2
    assert "was not written by vadkit" in capsys.readouterr().err and not (tmp_path / "features").exists()


def test_damaged_features_count_as_none(tmp_path: Path) -> None:
    path, stamp = tmp_path / "v.safetensors", {"seed": 0}
    about = {**stamp, "ratio": 1.5, "absent": {"a": [[1, 2]]}}
    whole = save({"a": np.ones((3, 2), np.float32)}, {features.KEY: json.dumps(about)})
    path.write_bytes(whole)
    found = features._read(path, stamp)
    assert found.arrays["a"].shape == (3, 2) and found.ratio == 1.5 and found.absent == {"a": ((1, 2),)}
    assert features._read(path, {"seed": 1}) is features.NOTHING
    for damaged in (b"", whole[:9], whole[:-1], whole.replace(b"ratio", b"ratia"), bytes(len(whole))):
        path.write_bytes(damaged)
        assert features._read(path, stamp) is features.NOTHING
    assert features._read(tmp_path / "none", stamp) is features.NOTHING


def test_conditions_are_read() -> None:
    found = conditions_of(["noise", "blur+freeze:3,1"], ["audio", "rgb+flow"])
    assert [condition.name for condition in found] == [
        "encoded again", *(f"noise:{severity}" for severity in range(1, 6)), "blur+freeze:1", "blur+freeze:3",
        "without audio", "without rgb and flow",
    ]  # fmt: skip
    assert found[6].damages == (Damage("blur", 1), Damage("freeze", 1)) and found[6].folder == "blur-1+freeze-1"
    assert [one.name for one in conditions_of([], ["audio"])] == ["without audio"]
    assert len(conditions_of(["noise:1", "noise:1,1"], [])) == 2


def test_which_modalities_a_condition_touches() -> None:
    def touched(*names: str) -> tuple[bool, ...]:
        condition = Condition("x", 1, tuple(Damage(name, 1) for name in names))
        return tuple(condition.touches(modality) for modality in ("rgb", "flow", "audio"))

    assert touched("noise") == (False, False, True)
    assert touched("blur") == (True, True, False)
    assert touched("wrong_frame_rate") == touched("noise", "blur") == touched() == (True, True, True)


def test_some_input_must_be_left() -> None:
    check_missing(conditions_of([], ["audio"]), "m", ["rgb", "audio"])
    with pytest.raises(VadkitError, match="no input of m is left"):
        check_missing(conditions_of([], ["audio"]), "m", ["audio"])


def test_scores_are_placed_where_the_original_shows_the_same() -> None:
    scores = np.arange(4.0)
    assert placed(scores, 4, 1.0).tolist() == [0, 1, 2, 3]
    assert placed(scores, 5, 1.0).tolist() == [0, 1, 2, 3, 3]
    assert placed(np.arange(8.0), 4, 2.0).tolist() == [1, 3, 5, 7]
    assert placed(np.arange(2.0), 4, 0.5).tolist() == [0, 0, 1, 1]


# -- the page --------------------------------------------------------------------------------------
def made_up(models: int = 2) -> dict[str, Any]:
    """Return results of two models under two corruptions and a missing stream."""

    def part(mean: float) -> dict[str, Any]:
        pairs = [{"seed": seed, "difference": mean + 0.01 * seed, "low": mean, "high": mean} for seed in (0, 1, 2)]
        verdict = "worse" if mean < -0.1 else "no difference shown"
        return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05, "p": 0.01, "p_holm": 0.04, "pairs": pairs,
                "verdict": verdict}  # fmt: skip

    def row(name: str, family: str, severity: int, fall: float) -> dict[str, Any]:
        amounts = [{"use": family, "level": 10, "unit": "dB signal to noise"}] if severity else []
        return {"name": name, "family": family, "severity": severity, "missing": [], "amounts": amounts,
                "figures": {key: [0.8 - fall, 0.81 - fall, 0.79 - fall] for key in ("ap", "auc")},
                "differences": {key: part(-fall) for key in ("ap", "auc")}}  # fmt: skip

    loss = {key: {"mean": 0.1, "low": 0.02, "high": 0.18, "runs": [0.09, 0.1, 0.11]} for key in ("ap", "auc")}
    rows = [row("encoded again", "encoded again", 0, 0.01), row("without audio", "without audio", 0, 0.2)]
    for family in ("noise", "low_light+dropped_sound"):
        rows += [row(f"{family}:{severity}", family, severity, 0.05 * severity) for severity in range(1, 6)]
    names = ["demo_three_stream", "demo_three_stream_robust"][:models]
    return {
        "about": f"Robustness of {', '.join(names)}", "measured_on": "rendered, split test: 36 videos", "seed": 0,
        "notice": None, "notes": ["The videos are rendered."],
        "machine": {"device": "CPU", "threads": 1, "system": "Linux", "python": "3.11", "packages": {"av": "18"},
                    "commit": "abc", "date": "2026-01-01"},
        "models": [
            {"name": name, "runs": [{"seed": seed, "folder": f"runs/seed{seed}"} for seed in (0, 1, 2)],
             "clean": {key: [0.8, 0.81, 0.79] for key in ("ap", "auc")}, "conditions": rows, "relative_loss": loss,
             "families": {"noise": loss, "low_light+dropped_sound": loss}}
            for name in names
        ],
    }  # fmt: skip


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_a_phone_and_a_screen(width: int, tmp_path: Path) -> None:
    from page_checks import check_fits

    from vadkit.bench.robust.page import robust_page

    page = tmp_path / "index.html"
    page.write_text(robust_page(made_up()), "utf-8")
    check_fits(page, width)


def test_the_tables_say_what_changed() -> None:
    from vadkit.bench.robust.table import as_csv, as_markdown, loss_rows, rows

    found = rows(made_up(1))
    assert found[0]["AP"] == "0.800 +- 0.010" and found[0]["AP, change"] == ""
    assert found[2]["AP, change"] == "-0.200 (-0.250 to -0.150)" and found[2]["AP, verdict"] == "worse"
    assert loss_rows(made_up())[-1] == {
        "figure": "AUC", "corruption": "all", "demo_three_stream": "10.0 % (2.0 to 18.0)",
        "demo_three_stream_robust": "10.0 % (2.0 to 18.0)",
    }  # fmt: skip
    assert len(as_csv(made_up()).splitlines()) == 1 + 2 * 13 and "nan" not in as_markdown(made_up())
    assert json.dumps(made_up())
