"""What results.json says beyond the figures of single runs: differences from the base, and figures per class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vadkit.bench.comparison.scores import RunScores, of_run
from vadkit.bench.comparison.statistics import Scores, differences


def scores_of(
    results: Mapping[str, Any],
    out: Path,
    device: str = "cpu",
    root: str | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> dict[tuple[str, int], RunScores]:
    """Return the scores of the finished runs, whose folders are relative to ``out``. Raises VadkitError."""
    found = {}
    for variant in results["variants"]:
        for run in variant["runs"]:
            if run["state"] == "finished":
                report(f"scores of {variant['name']}, seed {run['seed']}")
                found[variant["name"], run["seed"]] = of_run(out / run["folder"], device, root)
    return found


def summarised(results: Mapping[str, Any], scores: Scores) -> dict[str, Any]:
    """Return the results with ``differences`` from the base, and ``per_class`` of each variant, by finished run."""
    variants = []
    for variant in results["variants"]:
        runs = [scores[variant["name"], run["seed"]] for run in variant["runs"] if run["state"] == "finished"]
        classes = dict.fromkeys(name for run in runs for name in run.figures["per_class"])
        per_class = {name: [run.figures["per_class"][name]["ap"] for run in runs] for name in classes}
        variants.append({**variant, "per_class": per_class})
    return {**results, "variants": variants, "differences": differences(results, results["base"], scores)}
