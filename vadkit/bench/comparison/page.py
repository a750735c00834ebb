"""The comparison as a page: variants side by side in each figure, accuracy against cost, and the table."""

from __future__ import annotations

from typing import Any

from vadkit.bench.comparison.statistics import Scores
from vadkit.bench.comparison.table import FIGURES, conditions, rows, spread, table_title
from vadkit.report import Bar, Point, bar_chart, render, scatter


def comparison_page(results: dict[str, Any], scores: Scores | None = None) -> str:
    """Return the page as HTML."""
    points = _points(results)
    return render(
        "comparison.html",
        title=results["about"],
        notice=results["notice"],
        bars=bar_chart(_bars(results), x_label="AP and AUC", x_bounds=(0.0, 1.0)),
        seeds=len(results["seeds"]),
        scatter=scatter(points, x_label="train step, ms", y_label="AP") if points else "",
        rows=[{name: cell.replace("+-", "\u00b1") for name, cell in row.items()} for row in rows(results)],
        caption=table_title(results),
        conditions=conditions(results),
    )


def _bars(results: dict[str, Any]) -> list[Bar]:
    """Return a group of bars per figure, in which each variant has its place and colour."""
    bars = []
    for key, title in FIGURES.items():
        for series, variant in enumerate(results["variants"]):
            mean, deviation = spread(variant["figures"], key)
            runs = [run[key] for run in variant["figures"] if run[key] is not None]
            bars.append(Bar(variant["name"], mean, deviation, runs, group=title, series=series))
    return bars


def _points(results: dict[str, Any]) -> list[Point]:
    found = []
    for variant in results["variants"]:
        mean, deviation = spread(variant["figures"], "ap")
        if mean is not None and variant["train_ms"] is not None:
            found.append(Point(variant["name"], variant["train_ms"], mean, deviation or 0.0))
    return found
