"""What the table and the page show of a robustness benchmark, as plain data: figures, differences, relative losses.

The clean videos are the base of all differences, which are paired over seeds and test videos as in any comparison;
Holm's correction is over the conditions of a model. A relative loss is 1 - figure / figure on the clean videos; its
mean is over all corruptions and their severities, each of the same weight, and its interval over seeds and videos.

Legend: s seeds, c conditions, b resamples.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vadkit.bench.comparison.scores import RunScores
from vadkit.bench.comparison.statistics import Values, differences, interval, measured, spread_of, strata_of
from vadkit.bench.robust.conditions import CLEAN, Condition

SHOWN = {"ap": "AP", "auc": "AUC"}
Scored = Mapping[tuple[str, int], RunScores]  # of one model, by condition and seed


def summarised(
    name: str, runs: Sequence[Mapping[str, Any]], conditions: Sequence[Condition], scored: Scored
) -> dict[str, Any]:
    """Return the part of results.json about one model.

    Args:
        runs: ``seed`` and ``folder`` of each.
        scored: also of ``CLEAN``.
    """
    seeds = [int(run["seed"]) for run in runs]
    variants = [
        {"name": each, "runs": [{"seed": seed, "state": "finished", "why": None} for seed in seeds]}
        for each in (CLEAN, *(condition.name for condition in conditions))
    ]
    values = measured(scored)
    found = {entry["variant"]: entry for entry in differences({"variants": variants}, CLEAN, scored, values=values)}
    rows = [_row(condition, found[condition.name]["figures"], values, seeds) for condition in conditions]
    corrupted = [condition for condition in conditions if condition.damages]
    return {
        "name": name,
        "runs": [dict(run) for run in runs],
        CLEAN: {key: [values[CLEAN, seed].figures.get(key) for seed in seeds] for key in SHOWN},
        "conditions": rows,
        "relative_loss": {key: _loss(key, corrupted, values, seeds, strata_of(scored)) for key in SHOWN},
        "families": {
            family: {key: _loss(key, members, values, seeds, strata_of(scored)) for key in SHOWN}
            for family, members in _families(corrupted).items()
        },
    }


def _families(conditions: Sequence[Condition]) -> dict[str, list[Condition]]:
    found: dict[str, list[Condition]] = {}
    for condition in conditions:
        found.setdefault(condition.family, []).append(condition)
    return found


def _row(
    condition: Condition,
    figures: Mapping[str, Any],
    values: Mapping[tuple[str, int], Values],
    seeds: Sequence[int],
) -> dict[str, Any]:
    return {
        "name": condition.name,
        "family": condition.family,
        "severity": condition.severity,
        "missing": list(condition.missing),
        "amounts": condition.amounts(),
        "figures": {key: [values[condition.name, seed].figures.get(key) for seed in seeds] for key in SHOWN},
        "differences": {key: figures[key] for key in SHOWN},
    }


def _loss(
    key: str,
    conditions: Sequence[Condition],
    values: Mapping[tuple[str, int], Values],
    seeds: Sequence[int],
    strata: Sequence[int],
) -> dict[str, Any] | None:
    """Return the mean relative loss with its 95 % interval; None where a figure is undefined."""
    own = np.array([_loss_of(key, conditions, values, seed) for seed in seeds])
    if not np.isfinite(own).all():
        return None
    resampled = np.stack([_resampled_loss(key, conditions, values, seed) for seed in seeds])
    if np.isfinite(resampled).all(0).sum() < 2:
        return None
    low, high, _ = interval(float(own.mean()), spread_of(own, resampled, strata))
    return {"mean": float(own.mean()), "low": low, "high": high, "runs": own.tolist()}


def _loss_of(key: str, conditions: Sequence[Condition], values: Mapping[tuple[str, int], Values], seed: int) -> float:
    """Return the mean relative loss of a run; NaN where it is undefined."""
    base = values[CLEAN, seed].figures.get(key)
    worse = [values[condition.name, seed].figures.get(key) for condition in conditions]
    known = [value for value in worse if value is not None]
    if not base or not known or len(known) < len(worse):
        return math.nan
    return 1 - statistics.fmean(known) / float(base)


def _resampled_loss(
    key: str, conditions: Sequence[Condition], values: Mapping[tuple[str, int], Values], seed: int
) -> np.ndarray:
    """Return the mean relative loss of a run over each resample (b,)."""
    base = values[CLEAN, seed].resampled[key]
    mean = np.mean([values[condition.name, seed].resampled[key] for condition in conditions], axis=0)
    loss: np.ndarray = 1 - np.divide(mean, base, out=np.full(len(base), np.nan), where=base > 0)
    return loss
