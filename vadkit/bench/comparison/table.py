"""The comparison as tables for the terminal, CSV and Markdown, from the contents of results.json."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from vadkit.bench.comparison.resampling import FIGURES
from vadkit.problems import plural
from vadkit.tables import csv_text, markdown_table, markdown_text

# Costs: title, digits, and the value by which the table multiplies it.
COSTS = {
    "parameters": ("parameters", 0),
    "gflop": ("GFLOP", 3),
    "train_ms": ("train step, ms", 1),
    "score_rate": ("snippets/s", 0),
    "memory_mib": ("peak memory, MiB", 0),
    "energy_joule_per_step": ("energy, J/step", 2),
}
FEW = ("ap", "auc")  # figures whose differences the terminal shows
PARTS = ("difference", "low", "high", "p", "p_holm", "verdict", "seeds_needed")
Row = dict[str, str]


def spread(runs: Sequence[Mapping[str, Any]], key: str) -> tuple[float | None, float | None]:
    """Return mean and sample standard deviation over the seeds; None where a figure is undefined."""
    values = [run.get(key) for run in runs]
    known = [float(v) for v in values if v is not None and math.isfinite(v)]
    if not known or len(known) < len(values):
        return None, None
    return statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None


# -- variants ------------------------------------------------------------------------------------
def rows(results: Mapping[str, Any]) -> list[Row]:
    """Return the table, one row per variant, everything as text. A cost that is known of none has no column."""
    known = [key for key in COSTS if any(variant.get(key) is not None for variant in results["variants"])]
    some_failed = bool(failures(results))
    return [_row(variant, results["variants"][0], known, some_failed) for variant in results["variants"]]


def _row(variant: Mapping[str, Any], first: Mapping[str, Any], costs: Sequence[str], some_failed: bool) -> Row:
    row = {"variant": variant["name"]}
    if some_failed:
        row["runs"] = f"{len(variant['figures'])} of {len(variant['runs'])}"
    for key, title in FIGURES.items():
        row[title] = _pair(*spread(variant["figures"], key))
    for key in costs:
        title, digits = COSTS[key]
        row[title] = _number(variant.get(key), digits)
        if key == "train_ms":
            row["ratio"] = _ratio(variant["train_ms"], first["train_ms"])
    return row


def failures(results: Mapping[str, Any]) -> list[str]:
    """Return a sentence about each variant of whose runs some failed: these count in no figure."""
    found = []
    for variant in results["variants"]:
        bad = [run for run in variant.get("runs", ()) if run["state"] == "failed"]
        if bad:
            good = len(variant["runs"]) - len(bad)
            causes = "; ".join(dict.fromkeys(run["why"] or "no reason is known" for run in bad))
            of = f"{good} of {plural(len(variant['runs']), 'seed')}, {len(bad)} failed"
            found.append(f"{variant['name']}: {of} ({', '.join(str(run['seed']) for run in bad)}): {causes}")
    return found


# -- differences ---------------------------------------------------------------------------------
def difference_rows(results: Mapping[str, Any], keys: Sequence[str] = tuple(FIGURES)) -> list[Row]:
    """Return a row for each figure and variant: its difference from the base, and what that shows."""
    found = []
    for key in keys:
        for entry in results.get("differences", ()):
            part = entry["figures"][key]
            row = {"figure": FIGURES[key], "variant": entry["variant"], "pairs": str(len(entry["seeds"]))}
            found.append(row | (_undefined() if part is None else _shown(part)))
    return found


def _undefined() -> Row:
    return {"difference": "undefined", "95 % interval": "-", "p, Holm": "-", "verdict": "-", "seeds": "-"}


def _shown(part: Mapping[str, Any]) -> Row:
    return {
        "difference": f"{part['mean']:+.3f}",
        "95 % interval": f"{part['low']:+.3f} to {part['high']:+.3f}",
        "p, Holm": _p(part["p_holm"]),
        "verdict": part["verdict"],
        "seeds": _needed(part),
    }


def _needed(part: Mapping[str, Any]) -> str:
    """Return how many seeds would show a difference of this size."""
    if part["sd_seeds"] is None or part["mean"] == 0:
        return "-"
    return "more videos" if part["seeds_needed"] is None else str(part["seeds_needed"])


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def difference_title(results: Mapping[str, Any]) -> str:
    """Return what the rows of differences are."""
    return (
        f"Differences from '{results['base']}', paired over seeds. The interval holds for each difference by itself; "
        f"the verdict is by p after Holm's correction for {plural(len(results['differences']), 'variant')}. Seeds: as "
        "many would show a difference of this size (power 0.8); more videos: not even 1,000 seeds would on these"
    )


def dropped(results: Mapping[str, Any]) -> list[str]:
    """Return a sentence about each pair of runs that does not count."""
    return [
        f"{entry['variant']}: seed {pair['seed']} has no pair, {pair['why']}"
        for entry in results.get("differences", ())
        for pair in entry["dropped"]
    ]


# -- texts ---------------------------------------------------------------------------------------
def table_title(results: Mapping[str, Any]) -> str:
    """Return what the table shows and, if the features call for it, why the figures mean little."""
    title = f"Mean and standard deviation over {plural(len(results['seeds']), 'seed')}, {results['measured_on']}"
    return f"{title}. {results['notice']}" if results["notice"] else title


def as_csv(results: Mapping[str, Any]) -> str:
    """Return one line per variant: figures of every seed, costs, and the differences from the base."""
    seeds = results["seeds"]
    header = ["variant", "finished", "failed"]
    header += [f"{key}_{what}" for key in FIGURES for what in ("mean", "std")]
    header += [f"{key}_seed{seed}" for key in FIGURES for seed in seeds]
    header += [*COSTS, "score_ms", *(f"{key}_{part}" for key in FIGURES for part in PARTS), "device", "commit", "note"]
    return csv_text(header, [_line(results, variant) for variant in results["variants"]])


def _line(results: Mapping[str, Any], variant: Mapping[str, Any]) -> list[Any]:
    by_seed = {run["seed"]: run["figures"] or {} for run in variant["runs"]}
    own: Mapping[str, Any] = next(
        (d["figures"] for d in results.get("differences", ()) if d["variant"] == variant["name"]), {}
    )
    machine = results["machine"] or {}
    values = [value for key in FIGURES for value in spread(variant["figures"], key)]
    values += [by_seed.get(seed, {}).get(key) for key in FIGURES for seed in results["seeds"]]
    values += [variant.get(key) for key in (*COSTS, "score_ms")]
    for key in FIGURES:
        part = own.get(key) or {}
        values += [part.get("mean" if name == "difference" else name) for name in PARTS]
    finished = len(variant["figures"])
    tail = [machine.get("device"), machine.get("commit"), variant.get("note")]
    return [variant["name"], finished, len(variant["runs"]) - finished, *values, *tail]


def as_markdown(results: Mapping[str, Any]) -> str:
    """Return the tables for a README."""
    parts = [f"# {markdown_text(results['about'])}", markdown_text(conditions(results))]
    if results["notice"]:
        parts.append(markdown_text(results["notice"]))
    parts.append(_markdown(rows(results)))
    if results.get("differences"):
        parts += [markdown_text(difference_title(results)) + ".", _markdown(difference_rows(results))]
    parts += [markdown_text(text) + "." for text in (*failures(results), *dropped(results))]
    return "\n\n".join(parts) + "\n"


def _markdown(body: Sequence[Row]) -> str:
    return markdown_table(list(body[0]), [list(row.values()) for row in body])


def conditions(results: Mapping[str, Any]) -> str:
    """Return how the figures and times were measured, in sentences."""
    load = results["load"]
    text = (
        f"{plural(len(results['seeds']), 'seed')} ({', '.join(map(str, results['seeds']))}); figures are mean and "
        "standard deviation over them. Intervals of differences are over seeds and over test videos, which were "
        "resampled 1,000 times, the same for all runs. GFLOP for one bag of 200 snippets."
    )
    if load is not None:
        text += _times(load, results["machine"])
    if results["machine"] is None:
        return f"{text} Trained on: {results['trained_on']}."
    machine = results["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return (
        f"{text} Device: {machine['device']}, {plural(machine['threads'], 'thread')}. {machine['system']}, "
        f"Python {machine['python']}, {packages}; commit {machine['commit']}, {machine['date']}."
    )


def _times(load: Mapping[str, Any], machine: Mapping[str, Any]) -> str:
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


def _ratio(value: float | None, first: float | None) -> str:
    return "-" if value is None or not first else f"{value / first:.2f}"
