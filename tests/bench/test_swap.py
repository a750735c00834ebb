"""``vadkit bench swap``: rows, figures over seeds, skipping finished runs, bad input."""

import csv
import json
import os

import pytest
import yaml
from tiny_runs import tiny_config
from tiny_store import write_tiny_store

import vadkit.bench.comparison.one_run as one_run
import vadkit.bench.comparison.runs as bench_run
from vadkit.bench.comparison.table import rows, spread
from vadkit.cli import main

# Memory is measured in fresh processes, seconds each: one test does it, the others skip it.
QUICK = ["--bags", "2", "--snippets", "20", "--rounds", "1", "--device", "cpu"]


@pytest.fixture
def no_memory(monkeypatch):
    monkeypatch.setattr(bench_run, "peak_memory", lambda spec, load: None)


@pytest.fixture
def config(tmp_path):
    root = write_tiny_store(tmp_path / "store")
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny_config(root), sort_keys=False))
    return path


def run_of(out, variant, seed=0):
    """Return the folder of a run."""
    rows = json.loads((out / "results.json").read_text())["variants"]
    return out / next(r["folder"] for v in rows if v["name"] == variant for r in v["runs"] if r["seed"] == seed)


def swap(config, out, *more, seeds="2"):
    arguments = [str(config), "--node", "context", "--with", "identity,layer_norm", "--seeds", seeds, "--out", str(out)]
    return main(["bench", "swap", *arguments, *QUICK, *more])


def test_the_table_holds_every_variant_and_seed(config, tmp_path, capsys):
    out = tmp_path / "bench"
    assert swap(config, out) == 0
    results = json.loads((out / "results.json").read_text())
    assert [v["name"] for v in results["variants"]] == ["identity", "layer_norm"]
    for variant in results["variants"]:
        assert len(variant["figures"]) == 2
        assert all(0 < run["auc"] <= 1 for run in variant["figures"])
        assert variant["memory_mib"] >= 0
        assert variant["train_ms"] > 0 and variant["score_ms"] > 0
        assert variant["parameters"] == (17 if variant["name"] == "identity" else 49)
    lines = list(csv.DictReader((out / "table.csv").open()))
    assert float(lines[0]["ap_seed0"]) == results["variants"][0]["figures"][0]["ap"]
    assert "| identity |" in (out / "table.md").read_text()
    assert "<svg" in (out / "index.html").read_text()


def test_an_interrupted_suite_resumes_to_the_same_table(no_memory, config, tmp_path, monkeypatch, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert swap(config, whole) == 0
    done, train = [], one_run.train

    def counted(*args, **kwargs):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(kwargs["out"])
        return train(*args, **kwargs)

    monkeypatch.setattr(one_run, "train", counted)
    assert swap(config, parts) == 130
    monkeypatch.setattr(one_run, "train", train)
    before = {path: path.stat().st_mtime_ns for path in parts.glob("runs/*/result.json")}
    assert len(before) == 2
    assert swap(config, parts) == 0
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())  # not repeated
    figures = [[v["figures"] for v in json.loads((o / "results.json").read_text())["variants"]] for o in (whole, parts)]
    assert figures[0] == figures[1]


def test_a_changed_graph_is_retrained(no_memory, config, tmp_path, capsys):
    out = tmp_path / "bench"
    assert swap(config, out, seeds="1") == 0
    assert swap(config, out, "--set", "train.steps=2", seeds="1") == 0
    assert len(list(out.glob("runs/*"))) == 4


def test_spec_file(no_memory, config, tmp_path, capsys):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        yaml.safe_dump(
            {
                "about": "two rows",
                "config": config.name,
                "seeds": 1,
                "variants": {"plain": None, "wide": {"set": ["nodes.score.args.kernel=5"]}},
            }
        )
    )
    assert main(["bench", "swap", "--spec", str(spec), "--out", str(tmp_path / "o"), *QUICK]) == 0
    results = json.loads((tmp_path / "o" / "results.json").read_text())
    assert [row["variant"] for row in rows(results)] == ["plain", "wide"]
    assert rows(results)[1]["parameters"] == "81"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["swap"], "give CONFIG --node NODE"),
        (["swap", "tiny.yaml", "--node", "context", "--with", "identiti"], "unknown component 'identiti'"),
        (["swap", "tiny.yaml", "--node", "contxt", "--with", "identity"], "unknown node 'contxt'"),
        (["swap", "tiny.yaml", "--node", "context", "--with", ","], "--with lists no component"),
        (["swap", "--spec", "nothing.yaml"], "cannot read nothing.yaml"),
        (
            ["swap", "tiny.yaml", "--node", "context", "--with", "identity", "--bags", "1"],
            "--bags must be from 2 to 10000",
        ),
    ],
)
def test_bad_input_trains_nothing(config, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(config.parent)
    assert main(["bench", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (config.parent / "vadkit-bench").exists()


def test_spread_over_seeds():
    assert spread([{"ap": 0.5}, {"ap": 0.7}], "ap") == (0.6, pytest.approx(0.1414, abs=1e-4))
    assert spread([{"ap": 0.5}], "ap") == (0.5, None)
    assert spread([{"ap": None}, {"ap": 0.7}], "ap") == (None, None)


def test_each_run_of_a_variant_can_start_from_the_model_of_its_seed(no_memory, config, tmp_path, capsys):
    assert swap(config, tmp_path / "first") == 0
    for seed in (0, 1):
        run_of(tmp_path / "first", "identity", seed).rename(tmp_path / f"identity{seed}")
    base = tmp_path / "identity{seed}" / "model.safetensors"
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        yaml.safe_dump(
            {
                "config": "tiny.yaml",
                "seeds": 2,
                "set": ["train.steps=1", "train.optimizer.lr=1e-12"],
                "variants": {"warm": {"set": [f"train.warm_start={{file: '{base}'}}"]}},
            }
        )
    )
    assert main(["bench", "swap", "--spec", str(spec), "--out", str(tmp_path / "second"), *QUICK]) == 0
    first = json.loads((tmp_path / "first" / "results.json").read_text())["variants"][0]["figures"]
    second = json.loads((tmp_path / "second" / "results.json").read_text())["variants"][0]["figures"]
    assert [run["ap"] for run in second] == [run["ap"] for run in first]
    assert first[0]["ap"] != first[1]["ap"]


def test_memory_of_a_step_does_not_depend_on_the_size_of_the_parent_process():
    from vadkit.bench.timing import Load, peak_memory
    from vadkit.graph.compiler import compile_plan
    from vadkit.graph.load import load_config
    from vadkit.plugin_manager import load_plugins

    plugins = load_plugins()
    spec = compile_plan(load_config("demo_rgb", (), plugins.config_folders), plugins).spec
    small = peak_memory(spec, Load(8, 50))
    ballast = bytearray(800 << 20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    large = peak_memory(spec, Load(8, 50))
    assert len(ballast) and small > 5
    assert large == pytest.approx(small, rel=0.5)


def test_damaged_results_and_timings_are_reported_and_computed_again(no_memory, config, tmp_path, capsys):
    out = tmp_path / "bench"
    assert swap(config, out, seeds="1") == 0
    before = json.loads((out / "results.json").read_text())
    result = run_of(out, "identity") / "result.json"
    whole = json.loads(result.read_text())
    result.write_text(json.dumps({**whole, "figures": {"ap": "x"}}))
    (out / "timings.json").write_text('{"key": ')
    capsys.readouterr()
    assert swap(config, out, seeds="1") == 0
    printed = capsys.readouterr().out
    assert f'{result}: figures.ap must be a number, got "x"; the run is finished again' in printed
    assert "timings.json:1:" in printed and "the variants are timed again" in printed
    after = json.loads((out / "results.json").read_text())
    assert [v["figures"] for v in after["variants"]] == [v["figures"] for v in before["variants"]]


@pytest.mark.guards("D17", "5.7")
@pytest.mark.parametrize("what", [b"", b"5", b"\xff", b'{"a": ', b"[]", "folder", "pipe"])
def test_state_that_is_damaged_in_every_way(no_memory, config, tmp_path, what):
    out = tmp_path / "bench"
    assert swap(config, out, seeds="1") == 0
    before = json.loads((out / "results.json").read_text())
    run = run_of(out, "identity")
    for path in (run / "result.json", out / "timings.json", out / "results.json"):
        path.unlink()
        if isinstance(what, bytes):
            path.write_bytes(what)
        else:
            path.mkdir() if what == "folder" else os.mkfifo(path)
    assert swap(config, out, seeds="1") == 0
    after = json.loads((out / "results.json").read_text())
    assert [v["figures"] for v in after["variants"]] == [v["figures"] for v in before["variants"]]
