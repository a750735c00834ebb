"""The comparison as CSV, Markdown and a page with a plot. All three are made from results.json."""

from __future__ import annotations

import csv
import io
import math
import statistics
from pathlib import Path
from typing import Any

from vadkit.files import write_atomically
from vadkit.report import Bar, Point, bar_chart, page, scatter, section, table

FIGURES = {"ap": "AP", "auc": "AUC", "auc_abnormal": "AUC, abnormal videos"}


def write_tables(results: dict[str, Any], out: Path) -> list[Path]:
    """Write table.csv, table.md and index.html to ``out`` and return their paths."""
    texts = {"table.csv": as_csv(results), "table.md": as_markdown(results), "index.html": as_page(results)}
    for name, text in texts.items():
        write_atomically(out / name, text.encode())
    return [out / name for name in texts]


def spread(runs: list[dict[str, Any]], key: str) -> tuple[float | None, float | None]:
    """Return mean and sample standard deviation over the seeds; None where a figure is undefined."""
    values = [run[key] for run in runs]
    if not values or any(v is None or not math.isfinite(v) for v in values):
        return None, None
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def rows(results: dict[str, Any]) -> list[dict[str, str]]:
    """Return the table, one row per variant, everything as text."""
    first = results["variants"][0]
    found = []
    for variant in results["variants"]:
        row = {"variant": variant["name"]}
        for key, title in FIGURES.items():
            row[title] = _pair(*spread(variant["figures"], key))
        row |= {
            "parameters": f"{variant['parameters']:,}",
            "GFLOP": _number(variant["gflop"], 3),
            "train step, ms": _number(variant["train_ms"], 1),
            "ratio": _number(variant["train_ms"] / first["train_ms"], 2),
            "scoring, ms": _number(variant["score_ms"], 1),
            "ratio ": _number(variant["score_ms"] / first["score_ms"], 2),
            "peak memory, MiB": _number(variant["memory_mib"], 0),
        }
        found.append(row)
    return found


def as_csv(results: dict[str, Any]) -> str:
    """Return one line per variant with every seed's figures and plain numbers."""
    stream = io.StringIO()
    seeds = results["seeds"]
    names = [f"{key}_seed{seed}" for key in FIGURES for seed in seeds]
    means = [f"{key}_{what}" for key in FIGURES for what in ("mean", "std")]
    costs = ["parameters", "gflop", "train_ms", "score_ms", "memory_mib"]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["variant", *means, *names, *costs, "device", "commit"])
    for variant in results["variants"]:
        pairs = [value for key in FIGURES for value in spread(variant["figures"], key)]
        single = [run[key] for key in FIGURES for run in variant["figures"]]
        machine = results["machine"]
        writer.writerow(
            [variant["name"], *pairs, *single, *(variant[c] for c in costs), machine["device"], machine["commit"]]
        )
    return stream.getvalue()


def as_markdown(results: dict[str, Any]) -> str:
    """Return the table for a README."""
    body = rows(results)
    head = [name.strip() for name in body[0]]
    lines = [
        f"# {results['about']}",
        "",
        _conditions(results),
        "",
        "| " + " | ".join(head) + " |",
        "|---" + "|---:" * (len(head) - 1) + "|",
    ]
    lines += ["| " + " | ".join(row.values()) + " |" for row in body]
    return "\n".join(lines) + "\n"


def as_page(results: dict[str, Any]) -> str:
    """Return the page: the figures as bars with every seed, accuracy against cost, and the table."""
    bars = []
    for variant in results["variants"]:
        for i, (key, title) in enumerate(FIGURES.items()):
            mean, deviation = spread(variant["figures"], key)
            points = [run[key] for run in variant["figures"] if run[key] is not None]
            bars.append(Bar(title, mean, deviation, points, group=variant["name"], series=i))
    points = [
        Point(v["name"], v["train_ms"], mean, 0.0, deviation or 0.0)
        for v in results["variants"]
        for mean, deviation in [spread(v["figures"], "ap")]
        if mean is not None
    ]
    many = f"mean, bar: standard deviation, ticks: the {len(results['seeds'])} seeds"
    body = [
        section("Figures", bar_chart(bars, x_label=f"area from 0 to 1 ({many})", x_bounds=(0.0, 1.0))),
        section("AP against the time of a train step", scatter(points, x_label="train step, ms", y_label="AP"))
        if points
        else "",
        section("Table", table(rows(results))),
        section("How it was measured", _conditions(results)),
    ]
    return page(results["about"], body, subtitle="Every variant trained and scored by the same code.")


def _conditions(results: dict[str, Any]) -> str:
    machine, load = results["machine"], results["load"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    memory = "allocated on the device" if "CPU," not in machine["device"] else "growth of a fresh process"
    return (
        f"{len(results['seeds'])} seeds ({', '.join(map(str, results['seeds']))}); figures are mean and standard "
        f"deviation over them. Times are medians of {load['rounds']} rounds in which the variants took turns, for "
        f"{load['bags']} bags of {load['snippets']} snippets (train step: forward, backward, Adam); ratios are "
        f"to the first row; GFLOP for one bag of 200 snippets; peak memory of a train step: {memory}. "
        f"Device: {machine['device']}, {machine['threads']} threads. {machine['system']}, Python "
        f"{machine['python']}, {packages}; commit {machine['commit']}, {machine['date']}."
    )


def _pair(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return "undefined"
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} +- {deviation:.3f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
