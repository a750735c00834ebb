"""Runs of a comparison: killed and continued, shared by processes, extended, changed, and failed."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from forked_comparison import steps
from tiny_runs import tiny_config
from tiny_store import write_tiny_store

from vadkit.bench.comparison.claim import claimed, waiting_for
from vadkit.cli import main

TABLES = ("table.csv", "table.md")
VARIANTS: dict[str, Any] = {
    "plain": None,
    "norm": {"set": ["nodes.context.use=layer_norm"]},
    "from plain": {"set": ["nodes.context.use=mine", "train.warm_start.nodes=[score]"], "start": "plain"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a store, a graph and specs of two and of three variants."""
    root = write_tiny_store(tmp_path / "store")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny_config(root), sort_keys=False))
    write_spec(tmp_path / "three.yaml", VARIANTS)
    write_spec(tmp_path / "two.yaml", dict(list(VARIANTS.items())[:2]))
    return tmp_path


def write_spec(path: Path, variants: dict[str, Any], **more: Any) -> None:
    spec = {"about": "some variants", "config": "tiny.yaml", "seeds": 2, **more, "variants": variants}
    path.write_text(yaml.safe_dump(spec, sort_keys=False))


def spec(name: str, out: str, *more: str) -> list[str]:
    return ["--spec", f"{name}.yaml", "--out", out, *more]


def tables(out: Path) -> list[bytes]:
    return [(out / name).read_bytes() for name in TABLES]


def variants_of(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "results.json").read_text())["variants"]
    return found


def test_killed_shared_or_extended_the_table_is_the_same(folder: Path) -> None:
    three = spec("three", "killed")
    done = steps(
        folder,
        {"run": [spec("three", "whole")]},
        {"run": [three], "kill": ["step", 2]},
        {"run": [three], "kill": ["trained", 2]},
        {"run": [three], "kill": ["table", 1]},
        {"run": [three]},
        {"run": [three]},
        {"run": [spec("three", "shared")] * 2},
        {"run": [spec("two", "added")]},
        {"run": [spec("three", "added")]},
    )
    assert [each["codes"] for each in done] == [[0], [-9], [-9], [-9], [0], [0], [0, 0], [0], [0]], done
    whole, killed, shared = tables(folder / "whole"), done[1:5], done[6]
    assert [tables(folder / name) for name in ("killed", "shared", "added")] == [whole] * 3
    # The run that was killed in its training is trained again, the one killed after it is not.
    assert [len(each["trained"]) for each in killed] == [2, 2, 3, 0] and not done[5]["trained"]
    assert len(set(shared["trained"])) == len(shared["trained"]) == 6
    assert len(done[7]["trained"]) == 4 and len(done[8]["trained"]) == 2
    results = json.loads((folder / "whole" / "results.json").read_text())
    assert results["base"] == "plain" and results["load"] is None
    for variant in results["variants"]:
        assert [run["seed"] for run in variant["runs"]] == [0, 1] and len(variant["figures"]) == 2
        assert {run["state"] for run in variant["runs"]} == {"finished"}
        assert all((folder / "whole" / run["folder"] / "scores.safetensors").is_file() for run in variant["runs"])
        assert variant["train_ms"] is None and variant["energy_joule_per_step"] is None


def test_a_changed_component_repeats_the_variants_that_use_it(folder: Path) -> None:
    three = spec("three", "out")
    first, edited, started = steps(
        folder,
        {"run": [three]},
        {"run": [three], "edit": "\nFACTOR = 2.0\n"},
        {"run": [spec("three", "out", "--set", "train.optimizer.lr=0.04")]},
    )
    assert [each["codes"] for each in (first, edited, started)] == [[0], [0], [0]], edited
    assert len(first["trained"]) == 6
    assert len(edited["trained"]) == 2 and not set(edited["trained"]) & set(first["trained"])
    assert len(started["trained"]) == 6


def test_failed_runs_stop_nothing_and_do_not_count(folder: Path) -> None:
    wrong = {
        "plain": None,
        "wild": {"set": ["train.optimizer.lr=1e38"]},
        "flat": {"set": ["nodes.context.use=flat"]},
        "trap": {"set": ["nodes.context.use=trap"]},
        "after": {"set": ["train.warm_start.nodes=[score]"], "start": "trap"},
    }
    write_spec(folder / "wrong.yaml", wrong)
    write_spec(folder / "none.yaml", {"trap": wrong["trap"]})
    mixed, again, retried, none = steps(
        folder,
        {"run": [spec("wrong", "out")]},
        {"run": [spec("wrong", "out")]},
        {"run": [spec("wrong", "out", "--retry-failed")]},
        {"run": [spec("none", "none")]},
    )
    assert [each["codes"] for each in (mixed, again, retried, none)] == [[1], [1], [1], [2]], mixed
    rows = {variant["name"]: variant for variant in variants_of(folder / "out")}
    why = {name: {run["why"] for run in row["runs"]} for name, row in rows.items()}
    assert why["plain"] == {None} and len(rows["plain"]["figures"]) == 2
    assert all("not finite" in text and "training stopped" in text for text in why["wild"])
    assert all(text.startswith("the scores are constant: 0.") for text in why["flat"])
    assert why["trap"] == {"RuntimeError: the trap has sprung"}
    assert why["after"] == {"the run that it starts from failed"}
    assert not any(rows[name]["figures"] for name in ("wild", "flat", "trap", "after"))
    assert "trap: 0 of 2 seeds, 2 failed (0, 1): RuntimeError: the trap has sprung" in mixed["output"][0]
    assert not again["trained"] and len(retried["trained"]) == 4  # what is constant is trained, but cannot count
    assert "trap, seed 0 and 1 more: RuntimeError: the trap has sprung" in none["output"][0]


def test_other_processes_train_the_same(folder: Path) -> None:
    here, spread = steps(folder, {"run": [spec("two", "here")]}, {"run": [spec("two", "spread", "--workers", "2")]})
    assert here["codes"] == spread["codes"] == [0], spread
    assert tables(folder / "here") == tables(folder / "spread")
    assert len(here["trained"]) == 4 and not spread["trained"]


def test_ray_trains_the_same(folder: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'vadkit[ray]'")
    arguments = spec("three", "spread", "--workers", "2", "--executor", "ray")
    done = steps(folder, {"run": [spec("three", "here")]}, {"run": [arguments]})
    assert [each["codes"] for each in done] == [[0], [0]], done
    assert tables(folder / "here") == tables(folder / "spread")


@pytest.mark.parametrize("executor, message", [("ray", "Ray is not installed"), ("rai", "there is no executor 'rai'")])
def test_an_executor_that_does_not_exist(
    folder: Path, executor: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.chdir(folder)
    command = ["bench", "swap", "tiny.yaml", "--node", "context", "--with", "identity", "--executor", executor]
    assert main(command) == 2
    assert message in capsys.readouterr().err


def test_a_holder_is_named_until_it_ends(tmp_path: Path) -> None:
    said: list[str] = []
    with claimed(tmp_path / "a") as nobody, claimed(tmp_path / "a") as holder:
        assert nobody is None and holder == f"process {os.getpid()} on {socket.gethostname()}"
    with claimed(tmp_path / "a") as nobody:
        assert nobody is None
    with waiting_for(tmp_path / "a", said.append, "writes the tables"):
        assert not said
