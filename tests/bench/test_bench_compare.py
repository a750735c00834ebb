"""``vadkit bench compare``: which runs are of one variant, what cannot be compared, and what is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tiny_runs import tiny_run

from vadkit.bench.comparison.finished import compared, grouped
from vadkit.bench.comparison.scores import SCORES
from vadkit.cli import main
from vadkit.problems import VadkitError, fail

pytestmark = pytest.mark.guards("3")
WIDE = "nodes.score.args.kernel=5"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two variants of three seeds on one store."""
    folder = tmp_path_factory.mktemp("trained")
    for seed in range(3):
        tiny_run(folder / "plain" / f"seed{seed}", folder / "store", seed=seed)
        tiny_run(folder / "wide" / f"seed{seed}", folder / "store", WIDE, seed=seed)
    return folder


@pytest.fixture
def runs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("plain", "wide"):
        shutil.copytree(trained / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compare(*arguments: str) -> int:
    return main(["bench", "compare", *arguments, "--device", "cpu"])


def changed(folder: Path, **values: object) -> None:
    result = json.loads((folder / "result.json").read_text())
    for key, value in values.items():
        result[key] = {**result[key], **value} if isinstance(value, dict) else value
    (folder / "result.json").write_text(json.dumps(result))


@pytest.mark.parametrize("change", ["train.capture=off", "data.workers=0", "train.log=[]"])
def test_what_changes_no_figure_makes_no_variant(change: str, tmp_path: Path) -> None:
    tiny_run(tmp_path / "seed0", tmp_path / "store", seed=0)
    tiny_run(tmp_path / "seed1", tmp_path / "store", change, seed=1)
    with pytest.raises(VadkitError, match="the runs are all of one variant"):
        grouped([str(tmp_path / "seed0"), str(tmp_path / "seed1")])


def test_runs_are_compared_and_written(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("plain", "wide", "--out", "out") == 0
    results = json.loads((runs / "out" / "results.json").read_text())
    assert [variant["name"] for variant in results["variants"]] == ["plain", "wide"]
    assert [variant["parameters"] for variant in results["variants"]] == [17, 81]
    assert results["seeds"] == [0, 1, 2] and results["base"] == "plain"
    (found,) = results["differences"]
    assert found["variant"] == "wide" and found["seeds"] == [0, 1, 2]
    ap = [json.loads((runs / n / f"seed{s}" / "result.json").read_text())["figures"]["ap"]
          for n in ("plain", "wide") for s in range(3)]  # fmt: skip
    assert [pair["difference"] for pair in found["figures"]["ap"]["pairs"]] == [b - a for a, b in zip(ap[:3], ap[3:])]
    printed = capsys.readouterr().out
    assert "plain against wide" in printed and "Holm" in printed and found["figures"]["ap"]["verdict"] in printed
    assert "train step" not in printed
    page = (runs / "out" / "index.html").read_text()
    assert 'id="differences"' in page and 'id="curves"' in page
    assert str(runs) not in page + (runs / "out" / "results.json").read_text()


def test_the_same_runs_give_the_same_files_and_nothing_is_scored_twice(runs: Path) -> None:
    assert compare("plain", "wide", "--out", "out") == 0
    first = {path.name: path.read_bytes() for path in (runs / "out").iterdir() if path.name[0] != "."}
    kept = {path: path.stat().st_mtime_ns for path in runs.glob(f"*/*/{SCORES}")}
    assert len(kept) == 6
    assert compare("plain", "wide", "--out", "out") == 0
    assert {path.name: path.read_bytes() for path in (runs / "out").iterdir() if path.name[0] != "."} == first
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())


def test_runs_are_grouped_by_their_graph_or_their_name(runs: Path) -> None:
    def shape(*arguments: str) -> list[tuple[str, list[int]]]:
        return [(group.name, sorted(group.runs)) for group in grouped(arguments)]

    both = [("plain", [0, 1, 2]), ("wide", [0, 1, 2])]
    assert shape("plain", "wide") == both
    assert shape("plain/seed2", "wide/seed1/model.safetensors", "plain/seed0") == [("plain", [0, 2]), ("wide", [1])]
    assert shape("plain/seed*", "wide/seed[01]") == [("plain", [0, 1, 2]), ("wide", [0, 1])]
    assert shape("a=plain", "b=wide/seed*") == [("a", [0, 1, 2]), ("b", [0, 1, 2])]
    assert shape("a=plain/seed0", "b=plain/seed0") == [("a", [0]), ("b", [0])]
    assert shape("a=plain/seed0", "b=wide", "a=plain/seed1") == [("a", [0, 1]), ("b", [0, 1, 2])]
    (runs / "plain" / "seed0" / "key.json").write_text('{"variant": "context: tca"}')
    assert shape("plain", "wide")[0][0] == "context: tca"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none", "wide"], "there is no 'none'"),
        (["none=none", "wide"], "there is no 'none'"),
        (["store", "wide"], "'store' is not a finished run: there is no result.json"),
        (["plain"], "the runs are all of one variant, 'plain': a comparison takes two"),
        (["plain/seed0", "plain/seed0", "wide"], "plain/seed0 and plain/seed0 are of the same graph and seed 0"),
        (
            ["a=plain", "a=wide", "b=wide"],
            "wide/seed0 is not of the same graph as plain/seed0: nodes.score.args.kernel",
        ),
        (["plain", "wide", "--names", "a"], "--names has 1 for 2 variants: plain, wide"),
        (["plain", "wide", "--names", "a,a"], "2 variants are named 'a': plain/seed0, wide/seed0"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    runs: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    (runs / "store").mkdir()
    assert compare(*arguments, "--out", "out") == 2
    assert words in capsys.readouterr().err
    assert not (runs / "out" / "results.json").exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"protocol": {"split": "val"}}, "the split is not the same"),
        ({"protocol": {"tail": "every snippet counts in full"}}, "the tail is not the same"),
        ({"protocol": {"data_set": "other", "truth": "x"}}, "the data set, the truth are not the same"),
        ({"data": {"sha256": "0"}}, "the training videos is not the same"),
        ({"protocol": None}, "was not measured"),
    ],
)
def test_runs_of_other_data_or_protocol_are_refused(
    runs: Path, capsys: pytest.CaptureFixture[str], values: dict[str, object], words: str
) -> None:
    changed(runs / "wide" / "seed1", **values)
    assert compare("plain", "wide") == 2
    assert words in capsys.readouterr().err


def test_a_run_that_does_not_count_is_named(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "wide" / "seed1" / "outcome.json").write_text('{"why": "the scores are constant"}')
    assert compare("plain", "wide", "--names", "one,two") == 0
    printed = capsys.readouterr()
    assert "two: 2 of 3 seeds, 1 failed (1): the scores are constant" in printed.err
    assert "2 of 3" in printed.out and "over videos only" in printed.out


def test_without_a_run_that_counts_there_is_nothing_but_the_causes(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in runs.glob("*/seed*"):
        (folder / "outcome.json").write_text('{"why": "the loss ended in NaN"}')
    assert compare("plain", "wide", "--out", "out") == 0
    printed = capsys.readouterr()
    assert "plain: 0 of 3 seeds, 3 failed (0, 1, 2): the loss ended in NaN" in printed.err
    assert "undefined" in printed.out and (runs / "out" / "index.html").is_file()


def test_one_run_each_is_compared_over_videos(runs: Path) -> None:
    results, _ = compared(["plain/seed0", "wide/seed2", "wide/seed0"])
    (found,) = results["differences"]
    assert found["seeds"] == [0] and found["dropped"] == [{"seed": 2, "why": "plain has no run"}]
    assert found["figures"]["ap"]["over"] == "videos"


def test_data_that_have_moved_are_said_where(trained: Path, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vadkit.bench.comparison.scores.open_dataset", _gone)
        assert compare("plain", "wide") == 2
    printed = capsys.readouterr().err
    assert "there is no such folder" in printed and "say where they are with --data" in printed
    assert compare("plain", "wide", "--data", str(trained / "store")) == 0


def _gone(*_: object) -> None:
    fail("there is no such folder")


def test_runs_whose_scores_cannot_be_kept_are_compared_all_the_same(runs: Path) -> None:
    for folder in runs.glob("*/seed*"):
        (folder / SCORES).mkdir()  # in the way
    results, _ = compared(["plain", "wide"])
    assert len(results["differences"]) == 1
    assert all((folder / SCORES).is_dir() for folder in runs.glob("*/seed*"))
