"""What results.json says of a variant and of a run of it, in a comparison as in finished runs side by side."""

from __future__ import annotations

from typing import Any

import msgspec

from vadkit.engine.results import FiguresJson
from vadkit.graph.cost import costs, parameters
from vadkit.graph.module import VadModel

TIMES = ("train_ms", "score_ms", "memory_mib", "score_rate", "energy_joule_per_step")
NOT_TIMED: dict[str, None] = dict.fromkeys(TIMES)


def run_entry(seed: int, folder: str, failed: str | None, figures: FiguresJson | None) -> dict[str, Any]:
    """Return a run. ``failed`` says why it does not count; then its figures are not stated."""
    return {
        "seed": seed,
        "folder": folder,
        "state": "finished" if failed is None else "failed",
        "why": failed,
        "figures": None if failed is not None or figures is None else msgspec.structs.asdict(figures),
    }


def figures_of(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the figures of the runs that count."""
    return [run["figures"] for run in runs if run["figures"] is not None]


def counted_costs(model: VadModel) -> dict[str, Any]:
    """Return what is counted and not measured: parameters, and 10^9 operations, None if they cannot be counted."""
    flops = [cost.flops for cost in costs(model).values()]
    return {
        "parameters": parameters(model),
        "gflop": None if None in flops else sum(f for f in flops if f) / 1e9,
    }
