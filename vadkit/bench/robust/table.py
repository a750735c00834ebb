"""A robustness benchmark as tables for the terminal, CSV and Markdown, from the contents of results.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vadkit.bench.comparison.table import spread
from vadkit.bench.robust.conditions import CLEAN
from vadkit.bench.robust.summary import SHOWN
from vadkit.problems import plural
from vadkit.tables import csv_text, markdown_table, markdown_text

Row = dict[str, str]
PARTS = ("mean", "low", "high", "p", "p_holm", "verdict")


def rows(results: Mapping[str, Any]) -> list[Row]:
    """Return a row for each model and condition, everything as text."""
    found = []
    for model in results["models"]:
        found.append({"model": model["name"], "condition": CLEAN, "amount": "", **_clean(model[CLEAN])})
        for row in model["conditions"]:
            about = {"model": model["name"], "condition": row["name"], "amount": amount(row)}
            found.append(about | {k: v for key in SHOWN for k, v in _figure(key, row).items()})
    return found


def _clean(figures: Mapping[str, Sequence[float | None]]) -> Row:
    return {
        name: text
        for key, title in SHOWN.items()
        for name, text in ((title, _pair(figures[key])), (f"{title}, change", ""), (f"{title}, verdict", ""))
    }


def _figure(key: str, row: Mapping[str, Any]) -> Row:
    part, title = row["differences"][key], SHOWN[key]
    change = "undefined" if part is None else f"{part['mean']:+.3f} ({part['low']:+.3f} to {part['high']:+.3f})"
    verdict = "" if part is None else part["verdict"]
    return {title: _pair(row["figures"][key]), f"{title}, change": change, f"{title}, verdict": verdict}


def amount(row: Mapping[str, Any]) -> str:
    """Return the amount of each corruption of a condition, in its unit."""
    return "; ".join(f"{one['level']:g} {one['unit']}".strip() for one in row["amounts"])


def _pair(values: Sequence[float | None]) -> str:
    mean, deviation = spread([{"value": value} for value in values], "value")
    if mean is None:
        return "undefined"
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} +- {deviation:.3f}"


def loss_rows(results: Mapping[str, Any]) -> list[Row]:
    """Return a row for each corruption, and one for all: the mean relative loss of each model, with its interval."""
    families = list(dict.fromkeys(family for model in results["models"] for family in model["families"]))
    found = []
    for key, title in SHOWN.items():
        for family in (*families, "all"):
            row = {"figure": title, "corruption": family}
            for model in results["models"]:
                parts = model["relative_loss"] if family == "all" else model["families"].get(family, {})
                row[model["name"]] = _loss(parts.get(key))
            found.append(row)
    return found if families else []


def _loss(part: Mapping[str, Any] | None) -> str:
    if part is None:
        return "undefined"
    return f"{100 * part['mean']:.1f} % ({100 * part['low']:.1f} to {100 * part['high']:.1f})"


def table_title(results: Mapping[str, Any]) -> str:
    """Return what the table shows, and how to read it."""
    runs = max(len(model["runs"]) for model in results["models"])
    return (
        f"Mean and standard deviation over {plural(runs, 'seed')}, {results['measured_on']}. Changes are from the "
        "clean videos, paired over seeds and test videos, with 95 % intervals; verdicts are by p after Holm's "
        "correction for the number of conditions"
    )


LOSS_TITLE = (
    "Mean relative loss, 1 - figure / figure on the clean videos, over the severities measured; in brackets its 95 % "
    "interval over seeds and test videos. 'all' is over all corruptions and severities, each of the same weight"
)


def as_csv(results: Mapping[str, Any]) -> str:
    """Return one line per model and condition: figures of every seed, and the changes from the clean videos."""
    seeds = list(dict.fromkeys(run["seed"] for model in results["models"] for run in model["runs"]))
    header = ["model", "condition", "severity", "amount"]
    header += [f"{key}_seed{seed}" for key in SHOWN for seed in seeds]
    header += [f"{key}_change_{part}" for key in SHOWN for part in PARTS]
    lines = []
    for model in results["models"]:
        places = [run["seed"] for run in model["runs"]]
        clean = {"name": CLEAN, "severity": 0, "amounts": [], "figures": model[CLEAN], "differences": {}}
        for row in (clean, *model["conditions"]):
            by_seed = {key: dict(zip(places, row["figures"][key], strict=True)) for key in SHOWN}
            values = [by_seed[key].get(seed) for key in SHOWN for seed in seeds]
            parts = [row["differences"].get(key) or {} for key in SHOWN]
            values += [part.get(name) for part in parts for name in PARTS]
            lines.append([model["name"], row["name"], row["severity"], amount(row), *values])
    return csv_text(header, lines)


def as_markdown(results: Mapping[str, Any]) -> str:
    """Return the tables for a README."""
    parts = [f"# {markdown_text(results['about'])}", markdown_text(conditions_text(results))]
    if results["notice"]:
        parts.append(markdown_text(results["notice"]))
    losses = loss_rows(results)
    if losses:
        parts += [markdown_text(LOSS_TITLE) + ".", _markdown(losses)]
    parts += [markdown_text(table_title(results)) + ".", _markdown(rows(results))]
    parts += [markdown_text(text) for text in results["notes"]]
    return "\n\n".join(parts) + "\n"


def _markdown(body: Sequence[Row]) -> str:
    return markdown_table(list(body[0]), [list(row.values()) for row in body])


def conditions_text(results: Mapping[str, Any]) -> str:
    """Return how it was measured, in sentences."""
    machine = results["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return (
        f"Videos were damaged before features were extracted, with seed {results['seed']}; only streams whose pictures "
        "or sound are damaged were extracted again, at the frame rate of the originals. 'Encoded again' is a copy "
        "without damage, in the same encoding. Scores are compared on the snippets and intervals of the originals. "
        f"Device: {machine['device']}, {plural(machine['threads'], 'thread')}. {machine['system']}, Python "
        f"{machine['python']}, {packages}; commit {machine['commit']}, {machine['date']}."
    )
