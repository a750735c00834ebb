"""The comparison as a page: differences, figures, accuracy against cost, types of anomaly, and scores of a video."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from vadkit.bench.comparison import table
from vadkit.bench.comparison.curves import Curves, curves
from vadkit.bench.comparison.resampling import FIGURES
from vadkit.bench.comparison.statistics import Scores
from vadkit.report import Bar, Difference, Point, bar_chart, forest_chart, heat_table, render, scatter

BARS = tuple(key for key in FIGURES if key != "far")  # of the same scale
CHARTS = ("train_ms", "memory_mib", "parameters", "gflop", "energy_joule_per_step")  # of costs
SHOWN = ("better", "worse")


def comparison_page(results: Mapping[str, Any], scores: Scores | None = None) -> str:
    """Return the page as HTML; with the ``scores`` of the runs it also shows those of single videos."""
    drawn = curves(results, scores) if scores else Curves([], [], (0, 0), 0)
    differences = table.difference_rows(results)
    return render(
        "comparison.html",
        title=results["about"],
        notice=results["notice"],
        load=results["load"],
        base=results.get("base"),
        failed=[*table.failures(results), *table.dropped(results)],
        forest=_forest(results) if differences else "",
        difference_rows=differences,
        difference_caption=table.difference_title(results) if differences else "",
        bars=bar_chart(_bars(results), x_label="AP and AUC", x_bounds=(0.0, 1.0)),
        seeds=len(results["seeds"]),
        costs=_costs(results),
        classes=_classes(results),
        names=[variant["name"] for variant in results["variants"]],
        videos=drawn.videos,
        charts=drawn.charts,
        pair=drawn.pair,
        left_out=drawn.left_out,
        rows=[{name: cell.replace("+-", "\u00b1") for name, cell in row.items()} for row in table.rows(results)],
        caption=table.table_title(results),
        conditions=table.conditions(results),
    )


def _forest(results: Mapping[str, Any]) -> str:
    found = []
    for key, title in FIGURES.items():
        for entry in results["differences"]:
            part = entry["figures"][key]
            if part is None:
                found.append(Difference(entry["variant"], None, group=title))
                continue
            shown = part["verdict"].startswith(SHOWN)
            points = [pair["difference"] for pair in part["pairs"]] if len(part["pairs"]) > 1 else []
            word = part["verdict"].split()[0] if shown else ""
            values = part["mean"], part["low"], part["high"]
            found.append(Difference(entry["variant"], *values, points, title, shown, word))
    return forest_chart(found, x_label="difference from the base, 95 % interval")


def _bars(results: Mapping[str, Any]) -> list[Bar]:
    """Return a group of bars per figure, in which each variant has its place and colour."""
    bars = []
    for key in BARS:
        for series, variant in enumerate(results["variants"]):
            mean, deviation = table.spread(variant["figures"], key)
            runs = [run[key] for run in variant["figures"] if run.get(key) is not None]
            bars.append(Bar(variant["name"], mean, deviation, runs, group=FIGURES[key], series=series))
    return bars


def _costs(results: Mapping[str, Any]) -> Sequence[str]:
    """Return a chart of AP against each cost in which the variants differ."""
    charts = []
    for key in CHARTS:
        values = {variant[key] for variant in results["variants"] if variant.get(key) is not None}
        points = _points(results["variants"], key)
        if len(values) > 1 and points:
            charts.append(scatter(points, x_label=table.COSTS[key][0], y_label="AP", front=True))
    return charts


def _points(variants: Sequence[Mapping[str, Any]], key: str) -> list[Point]:
    found = []
    for variant in variants:
        mean, deviation = table.spread(variant["figures"], "ap")
        if mean is not None and variant.get(key) is not None:
            found.append(Point(variant["name"], variant[key], mean, deviation or 0.0))
    return found


def _classes(results: Mapping[str, Any]) -> str:
    """Return the mean AP of each variant over the videos of each class; nothing where there are no classes."""
    variants = [variant for variant in results["variants"] if variant.get("per_class")]
    names = sorted({name for variant in variants for name in variant["per_class"]})
    rows = {variant["name"]: [_mean(variant["per_class"].get(name)) for name in names] for variant in variants}
    caption = "AP over the videos of one class and all normal videos, mean over seeds"
    return heat_table(names, rows, caption=caption) if names else ""


def _mean(values: Sequence[float | None] | None) -> float | None:
    known = [value for value in values or () if value is not None]
    return statistics.fmean(known) if known else None
