"""Measured results: each is written from a finished comparison, with the record of its runs."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import tiny_config
from tiny_store import write_tiny_store

from vadkit.bench.record import record
from vadkit.cli import main
from vadkit.plugin_manager import load_plugins, own_configs
from vadkit.problems import VadkitError
from vadkit.systems.result import Result, read_result, read_results

ROOT = Path(__file__).parents[2]
RUNS = [{"seed": seed, "folder": f"runs/{seed}", "state": "finished"} for seed in (0, 1)]
FAILED = {"seed": 0, "folder": "runs/f", "state": "failed"}
FIGURES = [{"ap": 0.5, "auc": 0.75, "far": None}, {"ap": 0.6, "auc": 0.75, "far": 0.1}]
MACHINE = {"commit": "0123456789ab", "date": "2026-11-28", "device": "CPU", "packages": {"torch": "2.14.1"}}


def variant(name: str, config: str, **values: Any) -> dict[str, Any]:
    return {"name": name, "config": config, "set": [], "runs": RUNS, "figures": FIGURES, "note": None, **values}


@pytest.fixture
def comparison(tmp_path: Path) -> Path:
    (tmp_path / "plain.yaml").write_text("inputs: {rgb: b t 8}\nnodes: {s: {use: mlp_head, in: rgb}}\noutput: s\n")
    changed = variant("Deep & wide", "ur_dmu_xd", set=["nodes.attention.args.depth=1", "eval.crops=first"])
    chance = {"what": "of random scores", "ap": 0.2, "auc": 0.5, "ap_trapezoid": 0.2}
    floors = {"chance": chance, "constant": {**chance, "ap_trapezoid": 0.6}, "feature_norm.rgb": chance}
    variants = [
        variant("as it is", "hl_net_xd", floors=floors),
        changed,
        variant("own", str(tmp_path / "plain.yaml")),
        variant("never", "ur_dmu_xd", runs=[FAILED], figures=[]),
    ]
    (tmp_path / "runs" / "0").mkdir(parents=True)
    recipes = {"rgb": {"backbone": "i3d"}, "audio": {"backbone": "vggish"}}
    (tmp_path / "runs" / "0" / "result.json").write_text(json.dumps({"recipes": recipes}))
    results = {"variants": variants, "machine": MACHINE, "measured_on": "36 videos", "notice": "made up"}
    (tmp_path / "results.json").write_text(json.dumps(results))
    return tmp_path


def test_figures_and_their_record_are_those_of_the_comparison(comparison: Path) -> None:
    out = comparison / "book"
    files, left_out = record(comparison, out, "My Set", load_plugins(), ("ap", "far"))
    assert left_out == [*(f"false alarm rate of '{name}' is not defined in every run" for name in ("as it is",
                        "Deep & wide", "own")), "'never' has no finished run"]  # fmt: skip
    found = {f"{file.parent.name}/{file.stem}": read_result(file) for file in files}
    plain, changed = (name for name in found if not name.startswith("plain/"))
    assert plain.startswith("hl_net/my_set_") and changed.endswith("_deep_wide_ap")
    first = found[plain]
    assert (first.graph, first.percent, first.modalities, first.level) == ("hl_net_xd", 55, ["rgb", "audio"], "frame")
    assert first.spread == pytest.approx(100 * statistics.stdev([0.5, 0.6]), abs=0.01)
    assert first.record is not None and first.note == "made up"
    assert (first.record.seeds, first.record.commit) == ([0, 1], "0123456789ab")
    assert (first.record.recipe, first.record.device) == ("rgb: i3d, audio: vggish", "CPU, torch 2.14.1")
    assert first.protocol["selection"] == "last" and first.protocol["smoothing"] == "none"
    assert first.floors == {"constant": 20, "chance": 20, "constant_trapezoid": 60}
    other = found[changed].record
    assert other is not None and list(other.changed) == ["nodes", "eval"]


def test_a_recipe_is_recorded_by_its_last_round(comparison: Path) -> None:
    results = json.loads((comparison / "results.json").read_text())
    results["variants"] = [variant("taught", "acf_xd", set=["train.steps=80", "eval.crops=first"])]
    (comparison / "results.json").write_text(json.dumps(results))
    (file,), _ = record(comparison, comparison / "book", "d", load_plugins(), ("ap",))
    found = read_result(file)
    assert (found.system, found.graph, found.variant) == ("acf", "acf_fusion_xd", "taught")
    assert found.record is not None and list(found.record.changed) == ["train", "eval"]


def test_nothing_is_written_if_a_variant_cannot_be(comparison: Path) -> None:
    results = json.loads((comparison / "results.json").read_text())
    results["variants"].append(variant("broken", "ur_dmu_xd", set=["nodes.attention.use=no_such_block"]))
    (comparison / "results.json").write_text(json.dumps(results))
    with pytest.raises(VadkitError, match="no_such_block"):
        record(comparison, comparison / "book", "d", load_plugins(), ("ap",))
    assert not (comparison / "book").exists()


def test_a_published_result_is_not_overwritten(comparison: Path) -> None:
    (file, *_), _ = record(comparison, comparison / "book", "d", load_plugins(), ("ap",))
    record(comparison, comparison / "book", "d", load_plugins(), ("ap",))
    text = file.read_text()
    source = "source: {paper: a, where: b, status: own_source}\n"
    published = "".join(line for line in text[: text.index("record:")].splitlines(True) if "graph" not in line)
    file.write_text(published + source)
    with pytest.raises(VadkitError, match="is a published result"):
        record(comparison, comparison / "book", "d", load_plugins(), ("ap",))


def test_what_states_no_commit_is_not_recorded(comparison: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = json.loads((comparison / "results.json").read_text())
    (comparison / "results.json").write_text(json.dumps({**results, "machine": None}))
    assert main(["models", "record", str(comparison), "--dataset", "d"]) == 2
    assert "does not say on which commit and machine it was measured" in capsys.readouterr().err
    assert main(["models", "record", str(comparison / "runs"), "--dataset", "d"]) == 2
    assert "is no comparison: there is no results.json" in capsys.readouterr().err
    assert main(["models", "record", str(comparison), "--dataset", "d", "--metrics", "app"]) == 2
    assert "unknown metric 'app'" in capsys.readouterr().err


def test_features_of_runs_that_are_gone(comparison: Path) -> None:
    (comparison / "runs" / "0" / "result.json").unlink()
    with pytest.raises(VadkitError, match="no run is left to say how its features were extracted"):
        record(comparison, comparison / "book", "d", load_plugins())
    (file, *_), _ = record(comparison, comparison / "book", "d", load_plugins(), recipe="by hand")
    own = read_result(file).record
    assert own is not None and own.recipe == "by hand"


MEASURED = [result for result in read_results([own_configs()]) if result.record is not None]


@pytest.mark.parametrize("file", sorted({result.record.file for result in MEASURED if result.record}))
def test_measured_results_that_come_with_vadkit_are_those_of_their_files(file: str) -> None:
    content = json.loads((ROOT / file).read_text())
    variants = {each["name"]: each for each in content["variants"]}
    for result in (each for each in MEASURED if each.record and each.record.file == file):
        assert result.record is not None
        own = variants[result.variant]
        values = [figures[result.metric] for figures in own["figures"]]
        assert result.percent == pytest.approx(100 * statistics.fmean(values), abs=0.0051)
        assert list(result.record.seeds) == [run["seed"] for run in own["runs"] if run["state"] == "finished"]
        assert result.record.commit == content["machine"]["commit"]


def test_measured_results_have_floors_beside_them() -> None:
    for result in MEASURED:
        assert {"label_only", "feature_norm", "constant", "chance"} <= set(result.floors), result.name


def test_floors_are_measured_where_a_comparison_has_none(comparison: Path) -> None:
    store = write_tiny_store(comparison / "store")
    (comparison / "tiny.yaml").write_text(json.dumps(tiny_config(comparison / "elsewhere")))
    own = variant("tiny", str(comparison / "tiny.yaml"))
    results = {"variants": [own], "machine": MACHINE, "measured_on": "8 videos", "notice": None}
    (comparison / "results.json").write_text(json.dumps(results))
    (file, *_), _ = record(comparison, comparison / "book", "d", load_plugins(), data=str(store))
    found = read_result(file).floors
    assert 0 < found["chance"] == found["constant"] < found["label_only"] <= 100


def test_a_measured_result_names_a_graph_of_its_system() -> None:
    from vadkit.systems.card import read_cards

    cards = read_cards([own_configs()])
    assert MEASURED
    wrong: list[Result] = [r for r in MEASURED if r.system in cards and r.graph not in cards[r.system].graphs]
    assert not wrong
