"""The comparison as CSV and Markdown, from the contents of results.json."""

from __future__ import annotations

import math
import statistics
from typing import Any

from vadkit.problems import plural
from vadkit.tables import csv_text, markdown_table, markdown_text

FIGURES = {"ap": "AP", "auc": "AUC", "auc_abnormal": "AUC, abnormal videos"}


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
        row = {"variant": variant["name"], **_seeds(variant, results)}
        for key, title in FIGURES.items():
            row[title] = _pair(*spread(variant["figures"], key))
        row |= {
            "parameters": f"{variant['parameters']:,}",
            "GFLOP": _number(variant["gflop"], 3),
        }
        if results["load"] is not None:
            row |= {
                "train step, ms": _number(variant["train_ms"], 1),
                "ratio": _number(variant["train_ms"] / first["train_ms"], 2),
                "scoring, ms": _number(variant["score_ms"], 1),
                "ratio ": _number(variant["score_ms"] / first["score_ms"], 2),
                "peak memory, MiB": _number(variant["memory_mib"], 0),
            }
        found.append(row)
    return found


def _seeds(variant: dict[str, Any], results: dict[str, Any]) -> dict[str, str]:
    """Return how many runs count, where some of the comparison do not."""
    if all(run["state"] == "finished" for each in results["variants"] for run in each["runs"]):
        return {}
    why = [run["why"] for run in variant["runs"] if run["state"] == "failed"]
    of = f"{len(variant['figures'])} of {plural(len(variant['runs']), 'seed')}"
    return {"runs": of + (f", {len(why)} failed: {'; '.join(dict.fromkeys(why))}" if why else "")}


def table_title(results: dict[str, Any]) -> str:
    """Return what the table shows and, if the features call for it, why the figures mean little."""
    title = f"Mean and standard deviation over {plural(len(results['seeds']), 'seed')}, {results['measured_on']}"
    return f"{title}. {results['notice']}" if results["notice"] else title


def as_csv(results: dict[str, Any]) -> str:
    """Return one line per variant with every seed's figures and plain numbers."""
    seeds = results["seeds"]
    names = [f"{key}_seed{seed}" for key in FIGURES for seed in seeds]
    means = [f"{key}_{what}" for key in FIGURES for what in ("mean", "std")]
    costs = ["parameters", "gflop", "train_ms", "score_ms", "memory_mib"]
    body = []
    for variant in results["variants"]:
        pairs = [value for key in FIGURES for value in spread(variant["figures"], key)]
        figures = [run["figures"] or {} for run in variant["runs"]]
        single = [run.get(key) for key in FIGURES for run in figures]
        machine = results["machine"]
        body.append(
            [
                variant["name"],
                *pairs,
                *single,
                *(variant[c] for c in costs),
                machine["device"],
                machine["commit"],
                variant.get("note"),
            ]
        )
    return csv_text(["variant", *means, *names, *costs, "device", "commit", "note"], body)


def as_markdown(results: dict[str, Any]) -> str:
    """Return the table for a README."""
    body = rows(results)
    head = [name.strip() for name in body[0]]
    notice = f"{markdown_text(results['notice'])}\n\n" if results["notice"] else ""
    table = markdown_table(head, [list(row.values()) for row in body])
    return f"# {markdown_text(results['about'])}\n\n{markdown_text(conditions(results))}\n\n{notice}{table}\n"


def conditions(results: dict[str, Any]) -> str:
    """Return how the figures and times were measured, in sentences."""
    machine, load = results["machine"], results["load"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return (
        f"{plural(len(results['seeds']), 'seed')} ({', '.join(map(str, results['seeds']))}); figures are mean and "
        f"standard deviation over them. GFLOP for one bag of 200 snippets."
        f"{'' if load is None else _times(load, machine)} "
        f"Device: {machine['device']}, {plural(machine['threads'], 'thread')}. {machine['system']}, "
        f"Python {machine['python']}, {packages}; commit {machine['commit']}, {machine['date']}."
    )


def _times(load: dict[str, Any], machine: dict[str, Any]) -> str:
    memory = "allocated on the device" if "CPU," not in machine["device"] else "growth of a fresh process"
    return (
        f" Times are medians of {plural(load['rounds'], 'round')} in which the variants took turns, for "
        f"{plural(load['bags'], 'bag')} of {plural(load['snippets'], 'snippet')} (train step: forward, backward, "
        f"Adam); ratios are to the first row; peak memory of a train step: {memory}."
    )


def _pair(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return "undefined"
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} +- {deviation:.3f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
