"""The comparison as a page: figures as bars with every seed, accuracy against cost, and the table."""

from __future__ import annotations

from typing import Any

from vadkit.bench.comparison_table import FIGURES, conditions, notes, rows, spread
from vadkit.report import Bar, Point, bar_chart, render, scatter


def comparison_page(results: dict[str, Any]) -> str:
    """Return the page as HTML."""
    points = _points(results)
    return render(
        "comparison.html",
        title=results["about"],
        notes=notes(results),
        bars=bar_chart(_bars(results), x_label="AP and AUC", x_bounds=(0.0, 1.0)),
        seeds=len(results["seeds"]),
        scatter=scatter(points, x_label="train step, ms", y_label="AP") if points else "",
        rows=[{name: cell.replace("+-", "\u00b1") for name, cell in row.items()} for row in rows(results)],
        conditions=conditions(results),
    )


def _bars(results: dict[str, Any]) -> list[Bar]:
    bars = []
    for variant in results["variants"]:
        for series, (key, title) in enumerate(FIGURES.items()):
            mean, deviation = spread(variant["figures"], key)
            runs = [run[key] for run in variant["figures"] if run[key] is not None]
            bars.append(Bar(title, mean, deviation, runs, group=variant["name"], series=series))
    return bars


def _points(results: dict[str, Any]) -> list[Point]:
    found = []
    for variant in results["variants"]:
        mean, deviation = spread(variant["figures"], "ap")
        if mean is not None:
            found.append(Point(variant["name"], variant["train_ms"], mean, deviation or 0.0))
    return found
