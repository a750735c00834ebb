"""The transfer matrix as tables for the terminal, CSV and Markdown, from the contents of results.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from vadkit.problems import plural
from vadkit.tables import csv_text, markdown_table, markdown_text

Row = dict[str, str]
TITLES = {"ap": "AP", "auc": "AUC"}


def matrix_rows(results: Mapping[str, Any], key: str = "ap") -> list[Row]:
    """Return a row for each store of training, a column for each of testing, without tuning."""
    found = []
    for source in results["stores"]:
        row = {"trained on": source}
        for column in results["columns"]:
            cell = next(r for r in column["rows"] if r["source"] == source and not r["shots"])
            row[f"{TITLES[key]} on {column['test']}"] = with_interval(cell["figures"][key])
        found.append(row)
    return found


def column_rows(column: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a test set: figures, differences from its own model, and what tuning recovers."""
    return [
        {
            "trained on": row["name"],
            "AP": with_interval(row["figures"]["ap"]),
            "from its own": _difference(row["differences"]["ap"]),
            "AUC": with_interval(row["figures"]["auc"]),
            "gap closed": "-" if row["recovered"] is None else f"{row['recovered']:.0%}",
        }
        for row in column["rows"]
    ]


def normal_rows(results: Mapping[str, Any]) -> list[Row]:
    """Return the false alarms on stores of normal videos."""
    return [
        {
            "trained on": row["source"],
            "normal videos of": row["test"],
            "hours": "unknown" if row["hours"] is None else f"{row['hours']:.2f}",
            "frames that alarm": with_interval(row["far"]),
            "alarms an hour": "-" if row["alarms_per_hour"] is None else f"{fmean(row['alarms_per_hour']):.1f}",
        }
        for row in results["normal"]
    ]


def with_interval(part: Mapping[str, Any] | None) -> str:
    """Return a figure and its interval."""
    return "undefined" if part is None else f"{part['mean']:.3f} ({part['low']:.3f} to {part['high']:.3f})"


def _difference(part: Mapping[str, Any] | None) -> str:
    if part is None:
        return "-"
    return f"{part['mean']:+.3f} ({part['low']:+.3f} to {part['high']:+.3f}), {part['verdict']}"


# -- texts -----------------------------------------------------------------------------------------
def conditions(results: Mapping[str, Any]) -> str:
    """Return how it was measured, in sentences."""
    machine = results["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return (
        f"{plural(results['seeds'], 'seed')}; intervals are 95 %, over seeds and over test videos, which were "
        f"resampled 1,000 times. 'A + K' is the model of A after {plural(results['tuning_steps'], 'step')} on K "
        "training videos of each label of the test set's store, others for each seed; 'clicked' learns from their "
        "clicks, too. Gap closed: the share of the difference in AP to a model of the store's own, where one is shown. "
        "Device: "
        f"{machine['device']}, {plural(machine['threads'], 'thread')}. {machine['system']}, Python "
        f"{machine['python']}, {packages}; commit {machine['commit']}, {machine['date']}."
    )


def as_csv(results: Mapping[str, Any]) -> str:
    """Return one line per test set and model."""
    parts = ("mean", "low", "high")
    header = ["test", "trained_on", "shots", "tuned_on", "clicks"]
    header += [f"{key}_{part}" for key in TITLES for part in parts]
    header += [f"{key}_difference_{part}" for key in TITLES for part in (*parts, "verdict")]
    header += ["gap_closed", "hours", "far_mean", "alarms_per_hour"]
    lines: list[list[Any]] = []
    for column in results["columns"]:
        for row in column["rows"]:
            values = [(row["figures"][key] or {}).get(part) for key in TITLES for part in parts]
            apart = [(row["differences"][key] or {}).get(part) for key in TITLES for part in (*parts, "verdict")]
            own = [column["test"], row["source"], row["shots"], row["tuned_on"], int(row["clicks"])]
            lines.append([*own, *values, *apart, row["recovered"], None, None, None])
    for row in results["normal"]:
        rate = row["alarms_per_hour"] and fmean(row["alarms_per_hour"])
        empty = [None] * (len(header) - 8)
        lines.append([row["test"], row["source"], 0, 0, 0, *empty, row["hours"], (row["far"] or {}).get("mean"), rate])
    return csv_text(header, lines)


def as_markdown(results: Mapping[str, Any]) -> str:
    """Return the tables for a README."""
    parts = [f"# {markdown_text(results['about'])}", markdown_text(conditions(results))]
    parts += [markdown_text(results["notice"])] if results["notice"] else []
    parts.append(_markdown(matrix_rows(results)))
    for column in results["columns"]:
        parts += [f"## Tested on {markdown_text(column['test'])}", _markdown(column_rows(column))]
    if results["normal"]:
        parts += ["## False alarms on normal videos", _markdown(normal_rows(results))]
    return "\n\n".join(parts) + "\n"


def _markdown(body: Sequence[Row]) -> str:
    return markdown_table(list(body[0]), [list(row.values()) for row in body])
