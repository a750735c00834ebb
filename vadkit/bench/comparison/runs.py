"""Train and score every variant with every seed; a finished run is never repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import torch

from vadkit import json_file
from vadkit.bench.comparison.provenance import provenance
from vadkit.bench.comparison.spec import Suite, Variant, folder_name
from vadkit.bench.machine import machine
from vadkit.bench.timing import Load, Timing, measure, peak_memory
from vadkit.devices import current
from vadkit.engine.results import FiguresJson, ResultJson
from vadkit.engine.run_folder import RESULT
from vadkit.engine.train import train
from vadkit.graph.cost import costs, parameters
from vadkit.graph.module import model_of
from vadkit.graph.plan import Plan
from vadkit.problems import VadkitError
from vadkit.results_folder import claim, own

Progress = Callable[[str, bool], None]  # what is running, and whether it has just ended
Report = Callable[[str], None]
TABLES = ("table.csv", "table.md", "index.html")
AGAIN = "delete the folder and rerun the same command"


class TimingsJson(msgspec.Struct):
    """timings.json: what was timed on which machine, and the timings by variant."""

    key: dict[str, Any]
    timings: dict[str, Timing]


def run_suite(
    suite: Suite, out: Path, device: str, load: Load, progress: Progress, report: Report = lambda text: None
) -> dict[str, Any]:
    """Return everything the table shows as plain data, which is also written to OUT/results.json.

    Each run is in OUT/runs/VARIANT-FINGERPRINT/seedN and complete once it has a result.json; an
    interrupted run is resumed from its last checkpoint. ``report`` is called about each damaged file; what it held is
    computed again.
    """
    plans = suite.check()
    claim([out / name for name in TABLES], suite.inputs)
    own([out / "results.json", out / "timings.json"], report)
    target = torch.device(device)
    for seed in suite.seeds:  # the outer loop: with three seeds, every variant has a figure after a third of the time
        for variant in suite.variants:
            _run(variant, plans[variant.name], seed, out, device, progress, report)
    timings = _timings(suite, plans, out, target, load, progress, report)
    measured_on, notice = provenance(
        _folder(v, plans[v.name], seed, out) / RESULT for v in suite.variants for seed in suite.seeds
    )
    results = {
        "about": suite.about,
        "measured_on": measured_on,
        "notice": notice,
        "seeds": list(suite.seeds),
        "machine": machine(target),
        "load": asdict(load),
        "variants": [_row(v, plans[v.name], suite, out, timings[v.name]) for v in suite.variants],
    }
    json_file.write(out / "results.json", results)
    return results


def _folder(variant: Variant, plan: Plan, seed: int, out: Path) -> Path:
    return out / "runs" / folder_name(variant, plan) / f"seed{seed}"


def _run(variant: Variant, plan: Plan, seed: int, out: Path, device: str, progress: Progress, report: Report) -> None:
    folder = _folder(variant, plan, seed, out)
    progress(f"{variant.name}, seed {seed}", False)
    if not _is_finished(folder, report):
        sets = [*(text.replace("{seed}", str(seed)) for text in variant.sets), f"train.seed={seed}"]
        result = train(variant.config, sets, out=folder, resume=folder.is_dir(), device=device)
        if result.signal is not None:  # the training has saved its state; the suite stops with it
            raise KeyboardInterrupt
    progress(f"{variant.name}, seed {seed}", True)


def _is_finished(folder: Path, report: Report) -> bool:
    if not (folder / RESULT).is_file():
        return False
    try:
        read_figures(folder)
    except VadkitError as error:
        report(f"{error.first}; the run is finished again from its last checkpoint")
        return False
    return True


def read_figures(folder: Path) -> FiguresJson:
    """Return the figures of a finished run. Raises VadkitError."""
    return read_result(folder).figures


def read_result(folder: Path) -> ResultJson:
    """Return the result of a finished run. Raises VadkitError."""
    return json_file.read(folder / RESULT, ResultJson, "the result of a run", AGAIN)


def _timings(
    suite: Suite,
    plans: Mapping[str, Plan],
    out: Path,
    device: torch.device,
    load: Load,
    progress: Progress,
    report: Report,
) -> dict[str, Timing]:
    """Return the timings, measured once for this list of variants, load and machine."""
    key = {
        "variants": [folder_name(v, plans[v.name]) for v in suite.variants],
        "load": asdict(load),
        "machine": machine(device),
    }
    path = out / "timings.json"
    known = _known_timings(path, report)
    if known is not None and known.key == key and known.timings.keys() == plans.keys():
        return known.timings
    timings = _measured(plans, device, load, progress)
    json_file.write(path, {"key": key, "timings": timings})
    return timings


def _known_timings(path: Path, report: Report) -> TimingsJson | None:
    if not path.is_file():
        return None
    try:
        return json_file.read(path, TimingsJson)
    except VadkitError as error:
        report(f"{error.first}; the variants are timed again")
        return None


def _measured(plans: Mapping[str, Plan], device: torch.device, load: Load, progress: Progress) -> dict[str, Timing]:
    progress("timing", False)
    torch.manual_seed(0)
    models = {name: model_of(plan) for name, plan in plans.items()}
    with current(device):  # events of CUDA belong to the current device
        measured = measure(models, load, device, lambda: progress("timing", False))
    if device.type == "cpu":
        for name, plan in plans.items():
            progress(f"memory of {name}", False)
            measured[name] = replace(measured[name], memory_mib=peak_memory(plan.spec, load))
    return measured


def _row(variant: Variant, plan: Plan, suite: Suite, out: Path, timing: Timing) -> dict[str, Any]:
    model = model_of(plan)
    flops = [cost.flops for cost in costs(model).values()]
    runs = [read_result(_folder(variant, plan, seed, out)) for seed in suite.seeds]
    return {
        "name": variant.name,
        "config": variant.config,
        "set": list(variant.sets),
        "parameters": parameters(model),
        "gflop": None if None in flops else sum(f for f in flops if f) / 1e9,
        "figures": [msgspec.structs.asdict(run.figures) for run in runs],
        "note": runs[0].note,
        **asdict(timing),
    }
