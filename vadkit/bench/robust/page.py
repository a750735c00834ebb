"""A robustness benchmark as a page: curves over severity, missing streams, losses, and the whole table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from vadkit.bench.robust import table
from vadkit.bench.robust.conditions import CLEAN
from vadkit.bench.robust.summary import SHOWN
from vadkit.report import Bar, Difference, Line, bar_chart, forest_chart, line_chart, render

HEIGHT = 190  # pixels of a curve


def robust_page(results: Mapping[str, Any]) -> str:
    """Return the page as HTML."""
    single = any(row["severity"] == 0 for model in results["models"] for row in model["conditions"])
    return render(
        "robust.html",
        title=results["about"],
        notice=results["notice"],
        notes=results["notes"],
        families=_families(results),
        losses=_losses(results),
        loss_rows=table.loss_rows(results),
        loss_caption=table.LOSS_TITLE,
        forest=_forest(results) if single else "",
        rows=[{name: cell.replace("+-", "\u00b1") for name, cell in row.items()} for row in table.rows(results)],
        caption=table.table_title(results),
        texts=("condition", "amount", *(f"{title}, verdict" for title in SHOWN.values())),
        conditions=table.conditions_text(results),
    )


# -- curves ----------------------------------------------------------------------------------------
def _families(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return for each corruption its name, what its severities mean, and a chart for each figure."""
    names = dict.fromkeys(
        row["family"] for model in results["models"] for row in model["conditions"] if row["severity"]
    )
    return [
        {"name": name.replace("+", " + "), "amounts": _amounts(results, name),
         "charts": [_chart(results, name, key) for key in SHOWN]}
        for name in names
    ]  # fmt: skip


def _amounts(results: Mapping[str, Any], family: str) -> str:
    """Return the amounts of each corruption of a family, in the order of the severities."""
    rows = [row for row in results["models"][0]["conditions"] if row["family"] == family and row["severity"]]
    parts = []
    for number, one in enumerate(rows[0]["amounts"] if rows else ()):
        listed = ", ".join(f"{row['amounts'][number]['level']:g}" for row in rows)
        name = f"{one['use']} " if len(rows[0]["amounts"]) > 1 else ""
        parts.append(f"{name}{listed} {one['unit']}")
    severities = ", ".join(str(row["severity"]) for row in rows)
    return f"Severity {severities}: {'; '.join(parts)}."


def _chart(results: Mapping[str, Any], family: str, key: str) -> str:
    lines = [line for model in results["models"] if (line := _line(model, family, key)) is not None]
    bounds = _bounds(results, key)
    return line_chart(
        lines, x_label="severity, 0 is clean", y_label=SHOWN[key], x_bounds=(0.0, 5.0), y_bounds=bounds, height=HEIGHT
    )


def _line(model: Mapping[str, Any], family: str, key: str) -> Line | None:
    """Return the mean over seeds; the band is the 95 % interval of the change from the clean videos."""
    rows = [row for row in model["conditions"] if row["family"] == family and row["severity"]]
    places = [0.0, *(float(row["severity"]) for row in rows)]
    values = [_mean(model[CLEAN][key]), *(_mean(row["figures"][key]) for row in rows)]
    bands = [0.0, *(_half(row["differences"][key]) for row in rows)]
    return Line(model["name"], places, values, bands, dots=True) if rows else None


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else math.nan


def _half(part: Mapping[str, Any] | None) -> float:
    return math.nan if part is None else (part["high"] - part["low"]) / 2


def _bounds(results: Mapping[str, Any], key: str) -> tuple[float, float]:
    """Return the ends of the axis, which all curves of a figure share."""
    lowest = 1.0
    for model in results["models"]:
        for row in model["conditions"]:
            half = _half(row["differences"][key])
            low = _mean(row["figures"][key]) - (half if math.isfinite(half) else 0.0)
            lowest = min(lowest, low if math.isfinite(low) else 1.0)
    return max(0.0, math.floor(10 * lowest) / 10), 1.0


# -- losses ----------------------------------------------------------------------------------------
def _losses(results: Mapping[str, Any]) -> str:
    """Return bars of the mean relative loss of AP, grouped by corruption; all of them first."""
    bars = []
    families = list(dict.fromkeys(family for model in results["models"] for family in model["families"]))
    for family in ("all", *families):
        for series, model in enumerate(results["models"]):
            parts = model["relative_loss"] if family == "all" else model["families"].get(family, {})
            part = parts.get("ap")
            group = "all corruptions" if family == "all" else family.replace("+", " + ")
            bars.append(_bar(model["name"], part, group, series))
    return bar_chart(bars, x_label="mean relative loss of AP, %", decimals=1) if families else ""


def _bar(name: str, part: Mapping[str, Any] | None, group: str, series: int) -> Bar:
    if part is None:
        return Bar(name, None, group=group, series=series)
    half, runs = 50 * (part["high"] - part["low"]), [100 * run for run in part["runs"]]
    return Bar(name, 100 * part["mean"], half, runs if len(runs) > 1 else (), group, series)


# -- missing streams -------------------------------------------------------------------------------
def _forest(results: Mapping[str, Any]) -> str:
    """Return the changes of conditions without severities: streams that are missing, and the second encoding."""
    found = []
    for key, title in SHOWN.items():
        for model in results["models"]:
            group = title if len(results["models"]) == 1 else f"{title}, {model['name']}"
            for row in (row for row in model["conditions"] if not row["severity"]):
                found.append(_difference(row["name"], row["differences"][key], group))
    return forest_chart(found, x_label="change from the clean videos, 95 % interval")


def _difference(name: str, part: Mapping[str, Any] | None, group: str) -> Difference:
    if part is None:
        return Difference(name, None, group=group)
    shown = part["verdict"].startswith(("better", "worse"))
    points = [pair["difference"] for pair in part["pairs"]] if len(part["pairs"]) > 1 else []
    word = part["verdict"].split()[0] if shown else ""
    return Difference(name, part["mean"], part["low"], part["high"], points, group, shown, word)
