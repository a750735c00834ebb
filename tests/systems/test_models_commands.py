"""``vadkit models list`` and ``compare``: filters, tables, and what is said of a wrong name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from quick_costs import quick_costs

from vadkit.cli import book_rows, main
from vadkit.cli.book_rows import cell, short_title
from vadkit.cli.completion import system_names
from vadkit.plugin_manager import own_configs
from vadkit.systems.book import Entry
from vadkit.systems.result import Record, Result, Source


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_rows, "snippet_costs", quick_costs)


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["models", *arguments, "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_filters(capsys: pytest.CaptureFixture[str]) -> None:
    whole = listed(capsys, "list")
    assert {entry["level"] for entry in whole} >= {"frame"}
    asked: dict[tuple[str, str], Callable[[dict[str, Any]], bool]] = {
        ("--dataset", "xd"): lambda e: e["dataset"] == "XD-Violence",
        ("--modality", "flow,audio"): lambda e: {"flow", "audio"} <= set(e["modalities"]),
        ("--level", "frame"): lambda e: e["level"] == "frame",
    }
    for arguments, holds in asked.items():
        left = listed(capsys, "list", *arguments)
        assert left == [entry for entry in whole if holds(entry)] and left
    assert main(["models", "list", "--fidelity", "ours", "--modality", "text"]) == 0
    assert capsys.readouterr().out == "no graph is left by the filters\n"


def test_an_entry_has_its_card_and_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    (entry,) = [e for e in listed(capsys, "list") if e["graph"] == "hl_net_xd"]
    assert Path(entry["card"]).is_file() and entry["fidelity"] == "official"
    assert [(f["figure"], f["source"]["status"]) for f in entry["published"]] == [(78.64, "quoted_by_seed")]
    assert all("record" in f and "source" not in f for f in entry["measured"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("list", "--dataset", "kinetics"), "unknown data set 'kinetics' of the book"),
        (("list", "--modality", "rgb,sound"), "unknown modality 'sound'"),
        (("list", "--results", "nowhere"), "there is no folder nowhere"),
        (("compare", "ur_dmu", "ur_dm"), "unknown system or graph 'ur_dm'\n  hint: did you mean 'ur_dmu'?"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_systems_next_to_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "compare", "ur_dmu", "seed_xd_three_stream", "bn_wvad"]) == 0
    facts, published, measured = capsys.readouterr().out.split("\n\n")
    order = ["ur_dmu_xd", "ur_dmu_ucf", "seed_xd_three_stream", "bn_wvad_xd"]
    assert [line.split()[0] for line in facts.splitlines()[1:]] == order
    assert published.startswith("published figures") and "88.28 / 88.32" in published and "+-" not in published
    assert measured.startswith("measured figures") and "+-" in measured and "XD-Violence" not in measured
    entries = listed(capsys, "compare", "bn_wvad", "ur_dmu")
    assert [entry["graph"] for entry in entries] == ["bn_wvad_xd", "ur_dmu_xd", "ur_dmu_ucf"]


def test_results_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "results" / "bn_wvad"
    folder.mkdir(parents=True)
    text = (own_configs() / "results" / "bn_wvad" / "O12_xd_ap.yaml").read_text()
    text = text[: text.index("source:")].replace("dataset: XD-Violence", "dataset: Camera 7")
    own = "graph: bn_wvad_xd\nrecord: {commit: a, seeds: [0], recipe: b, device: c, measured_on: d, file: e, " + (
        "floors: {label_only: 30.5, chance: 10}}\n"
    )
    (folder / "mine.yaml").write_text(text + own)
    assert main(["models", "compare", "bn_wvad", "--results", str(tmp_path / "results")]) == 0
    shown = capsys.readouterr().out
    assert "Camera 7 AP (frame)" in shown
    assert "bn_wvad_xd, mine: scores that know nothing reach label only 30.50, chance 10.00" in shown


def entry(figure: float, status: str = "own_source", changed: tuple[str, ...] | None = None) -> Entry:
    protocol = dict.fromkeys(("selection", "length", "crops", "smoothing", "decision_period"), "unknown")
    origin: dict[str, Any] = {"source": Source("a", "b", status)}
    if changed is not None:
        origin = {"record": Record("a", (0,), "b", "c", "d", "e", changed=changed)}
    facts = ("x", "d", ["rgb"], "ap", figure, "percent", "frame", "video")
    return Entry(Result("n", *facts, protocol, **origin), "x_xd")


@pytest.mark.parametrize(
    ("entries", "shown"),
    [
        ([], ""),
        ([entry(80), entry(80, "third_party"), entry(81)], "80.00 / 81.00"),
        ([entry(70, changed=("data",)), entry(60, changed=("nodes",))], "70.00"),
        ([entry(60, changed=("inputs", "nodes"))], "60.00 (nodes changed)"),
        ([entry(60, changed=("nodes",)), entry(61, changed=("losses",))], "2 variants"),
    ],
)
def test_what_a_cell_shows(entries: list[Entry], shown: str) -> None:
    assert cell(entries) == shown
    assert short_title(("D", "far", "video", "measured")) == "D false alarm rate (video)"


def test_completion() -> None:
    assert {"ur_dmu", "ur_dmu_xd", "ur_dmu_ucf"} == set(system_names("ur_dmu"))
