"""The README's table of measured figures is that of the result files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import measured
from speed_runs import run as drawn_run

from vadkit.bench.speed.result import Growth, Size, write


def test_the_tables_are_those_of_the_result_files() -> None:
    text = measured.README.read_text(encoding="utf-8")
    shown = measured.between(text, measured.BEGIN, measured.END)
    assert shown == measured.table().strip(), "run python benchmarks/measured.py to rewrite it"
    demo = measured.between(text, measured.DEMO_BEGIN, measured.DEMO_END)
    assert demo == measured.demo_table().strip() and "+-" in demo, "run python benchmarks/measured.py to rewrite it"


def test_a_figure_without_its_result_file_is_in_no_table(tmp_path: Path) -> None:
    for file in measured.FOLDER.glob("*.json"):
        shutil.copy(file, tmp_path)
    whole = measured.table(tmp_path)
    assert whole == measured.table()
    for file in tmp_path.glob("tvl1-*.json"):
        file.unlink()
    assert "TV-L1 of a pair" in whole and "TV-L1 of a pair" not in measured.table(tmp_path)
    for file in tmp_path.glob("*.json"):
        file.unlink()
    assert measured.table(tmp_path) == measured.demo_table(tmp_path) == "Nothing was measured."


def test_the_newest_file_counts(tmp_path: Path) -> None:
    for month, ours in (("2026-11", 100), ("2027-01", 50)):
        machine = {"device": "CPU, 2 cores, X Processor", "threads": 1}
        rows = [{"scene": "film", "ours, ms": ours, "OpenCV, ms": 1000}]
        data = {"rows": rows, "machine": machine, "conditions": {}}
        (tmp_path / f"tvl1-cpu-{month}.json").write_text(json.dumps(data))
    assert measured.table(tmp_path).splitlines()[2] == (
        "| TV-L1 of a pair, 256 x 340, one thread | 0.05 s | OpenCV: 1 s | X, 1 thread |"
    )


def test_a_run_of_bench_speed_is_in_the_table(tmp_path: Path) -> None:
    run = drawn_run(1, count=3)
    run.rows["g0"].subject = measured.NAMED[0]
    run.growth["g1"] = Growth("g1", 500.0, [Size(20_000, 4000.0, 3072.0)])
    write(run, tmp_path / "speed-cpu.json")
    text = measured.table(tmp_path)
    assert f"train step of `{measured.NAMED[0]}`, 4 bags of 200, fp32" in text and "the limit:" in text
    assert "over 2 graphs" in text
    assert "| scoring a video of 20,000 snippets, 2 of 2 graphs | 0.9 s to 4 s, at most 3.0 GiB |" in text

    run.growth["g1"] = Growth("g1", 500.0, [Size(20_000, 8000.0, 2048.0), Size(60_000, 24_000.0, 2048.0)])
    write(run, tmp_path / "speed-long-videos-cpu.json")
    assert "| 0.9 s to 8 s, at most 2.0 GiB |" in measured.table(tmp_path), "the longest of each graph counts"
