"""The files of a transfer matrix: results.json, tables and a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from vadkit import json_file
from vadkit.bench.comparison.scores import RunScores
from vadkit.bench.machine import machine
from vadkit.bench.transfer import summary, table
from vadkit.bench.transfer.cells import Transfer
from vadkit.bench.transfer.run import Matrix, Scored
from vadkit.files import write_text_atomic
from vadkit.report import Bar, Difference, bar_chart, forest_chart, heat_table, render
from vadkit.results_folder import writing

FILES = ("results.json", "table.csv", "table.md", "index.html")


def results_of(matrix: Matrix, scored: Scored, normal: Mapping[str, Mapping[str, list[RunScores]]]) -> dict[str, Any]:
    """Return what results.json holds."""
    plan: Transfer = matrix.plan
    columns = []
    for test in plan.stores:
        own = {(cell, seed): run for (cell, seed), run in scored.items() if cell.test == test}
        columns.append(summary.column(test, own, matrix.tuned_on))
    return {
        "about": f"{plan.config}: trained on one data set, tested on another",
        "config": plan.config,
        "stores": list(plan.stores),
        "shots": list(plan.shots),
        "seeds": plan.seeds,
        "tuning_steps": plan.steps,
        "notice": matrix.notice,
        "machine": machine(torch.device(matrix.device)),
        "columns": columns,
        "normal": [row for name, runs in normal.items() for row in summary.normal_rows(name, runs)],
    }


def write(results: Mapping[str, Any], out: Path) -> list[Path]:
    """Write the files and return their paths."""
    texts = (table.as_csv(results), table.as_markdown(results), page(results))
    with writing(*(out / name for name in FILES)):
        json_file.write(out / FILES[0], results)
        for name, text in zip(FILES[1:], texts, strict=True):
            write_text_atomic(out / name, text)
    return [out / name for name in FILES]


# -- the page --------------------------------------------------------------------------------------
def page(results: Mapping[str, Any]) -> str:
    """Return the page as HTML."""
    return render(
        "transfer.html",
        title=results["about"],
        notice=results["notice"],
        matrix=_heat(results),
        matrix_rows=table.matrix_rows(results),
        forest=_forest(results),
        columns=[(column["test"], _bars(column), table.column_rows(column)) for column in results["columns"]],
        normal=table.normal_rows(results),
        conditions=table.conditions(results),
    )


def _heat(results: Mapping[str, Any]) -> str:
    tests = [column["test"] for column in results["columns"]]
    rows = {source: [_untuned(column, source) for column in results["columns"]] for source in results["stores"]}
    return heat_table(tests, rows, caption="AP: a row for each store of training, a column for each of testing")


def _untuned(column: Mapping[str, Any], source: str) -> float | None:
    found = next(row["figures"]["ap"] for row in column["rows"] if row["source"] == source and not row["shots"])
    return None if found is None else float(found["mean"])


def _forest(results: Mapping[str, Any]) -> str:
    found = []
    for column in results["columns"]:
        for row in column["rows"]:
            part, group = row["differences"]["ap"], f"tested on {column['test']}"
            if row["name"] == column["base"]:
                continue
            if part is None:
                found.append(Difference(row["name"], None, group=group))
                continue
            shown = part["verdict"].startswith(("better", "worse"))
            points = [pair["difference"] for pair in part["pairs"]] if len(part["pairs"]) > 1 else []
            word = part["verdict"].split()[0] if shown else ""
            found.append(Difference(row["name"], part["mean"], part["low"], part["high"], points, group, shown, word))
    return forest_chart(found, x_label="difference in AP from the store's own model, 95 % interval")


def _bars(column: Mapping[str, Any]) -> str:
    bars = []
    for row in column["rows"]:
        part = row["figures"]["ap"]
        if part is not None:
            bars.append(Bar(row["name"], part["mean"], None, part["values"]))
    return bar_chart(bars, x_label=f"AP on {column['test']}", x_bounds=(0.0, 1.0))
