"""The figures of a transfer matrix with their intervals, as plain data.

The interval of a figure is over seeds and test videos, and that of a difference over pairs of runs of one seed, both
as in ``vadkit.bench.comparison.statistics``. Legend: s seeds, b resamples of the test videos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from vadkit.bench.comparison.resampling import counted, ranked, resamples
from vadkit.bench.comparison.scores import RunScores
from vadkit.bench.comparison.statistics import differences, interval, spread_of
from vadkit.bench.transfer.cells import Cell
from vadkit.bench.transfer.run import Scored

FIGURES = ("ap", "auc")


def column(test: str, scored: Scored, tuned_on: Mapping[Cell, int]) -> dict[str, Any]:
    """Return a test set: its base, the model of its own, and a row for each cell."""
    listed = list(dict.fromkeys(cell for cell, _ in scored))
    runs = {cell: [scored[cell, seed] for other, seed in sorted(scored) if other == cell] for cell in listed}
    own = Cell(test, test)
    apart = _differences(listed, own, scored)
    rows = [_row(cell, runs, own, apart, tuned_on) for cell in listed]
    return {"test": test, "base": own.name, "rows": rows}


def _row(
    cell: Cell,
    runs: Mapping[Cell, Sequence[RunScores]],
    own: Cell,
    apart: Mapping[str, Mapping[str, Any]],
    tuned_on: Mapping[Cell, int],
) -> dict[str, Any]:
    untuned = Cell(cell.test, cell.source)
    is_gap = cell.shots and apart[untuned.name]["ap"]["verdict"].startswith("worse")  # else it is a share of luck
    return {
        "name": cell.name,
        "source": cell.source,
        "shots": cell.shots,
        "tuned_on": tuned_on.get(cell, 0),
        "clicks": cell.clicks,
        "figures": {key: figure(runs[cell], key) for key in FIGURES},
        "differences": {key: apart[cell.name][key] if cell.name in apart else None for key in FIGURES},
        "recovered": _recovered(*(_mean(runs[each], "ap") for each in (untuned, cell, own))) if is_gap else None,
    }


def _mean(runs: Sequence[RunScores], key: str) -> float | None:
    values = [run.figures[key] for run in runs]
    return None if None in values else fmean(values)


def _recovered(untuned: float | None, tuned: float | None, own: float | None) -> float | None:
    """Return the share of the gap to a model of its own that tuning closes; None where there is no gap."""
    if untuned is None or tuned is None or own is None or own <= untuned:
        return None
    return (tuned - untuned) / (own - untuned)


def _differences(listed: Sequence[Cell], own: Cell, scored: Scored) -> dict[str, dict[str, Any]]:
    """Return the differences of each cell from the model of the test set's own, by the cell's name."""
    seeds = {cell: sorted(seed for other, seed in scored if other == cell) for cell in listed}
    variants = [
        {"name": cell.name, "runs": [{"seed": seed, "state": "finished", "why": None} for seed in seeds[cell]]}
        for cell in listed
    ]
    found = differences(
        {"variants": variants}, own.name, {(cell.name, seed): run for (cell, seed), run in scored.items()}
    )
    return {entry["variant"]: entry["figures"] for entry in found}


def figure(runs: Sequence[RunScores], key: str) -> dict[str, Any] | None:
    """Return mean, 95 % interval and values of a figure over runs (s); None where it is undefined."""
    values = [run.figures[key] for run in runs]
    if None in values:
        return None
    labels = [video.label or 0 for video in counted(runs[0])]
    drawn = resamples(labels)
    resampled = np.stack([ranked(run).figures(drawn)[key] for run in runs])
    if not np.isfinite(resampled).any():
        return None
    strata = [labels.count(label) for label in sorted(set(labels))]
    low, high, _ = interval(fmean(values), spread_of(np.array(values, float), resampled, strata))
    return {"mean": fmean(values), "low": max(0.0, low), "high": min(1.0, high), "values": values}


# -- false alarms ----------------------------------------------------------------------------------
def normal_rows(name: str, by_source: Mapping[str, Sequence[RunScores]]) -> list[dict[str, Any]]:
    """Return the false alarms of each source's models on a normal set."""
    return [
        {
            "test": name,
            "source": source,
            "hours": hours(runs[0]),
            "threshold": runs[0].threshold,
            "far": figure(runs, "far"),
            "alarms_per_hour": _per_hour(runs),
        }
        for source, runs in by_source.items()
    ]


def _per_hour(runs: Sequence[RunScores]) -> list[float] | None:
    """Return the alarms an hour of each run; None where the threshold or the length is unknown."""
    length = hours(runs[0])
    if not length or any(run.threshold is None for run in runs):
        return None
    return [alarms(run) / length for run in runs]


def hours(run: RunScores) -> float | None:
    """Return the length of all videos; None if the frame rate of one is unknown."""
    seconds = [None if video.fps is None else float(video.frames.sum()) / video.fps for video in run.videos]
    return None if None in seconds else sum(s for s in seconds if s) / 3600


def alarms(run: RunScores) -> int:
    """Return how many stretches of snippets reach the threshold."""
    above = [np.asarray(video.scores) >= (run.threshold or 0.0) for video in run.videos]
    return sum(int(on[0]) + int((on[1:] & ~on[:-1]).sum()) for on in above if len(on))
