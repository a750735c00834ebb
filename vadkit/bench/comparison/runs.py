"""A comparison from its spec to results.json and the tables; what is there already is not done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import torch

from vadkit import json_file
from vadkit.bench.comparison.claim import waiting_for
from vadkit.bench.comparison.energy import counter_of, energy_of_step
from vadkit.bench.comparison.one_run import Job, Report, outcome_of, read_result
from vadkit.bench.comparison.provenance import provenance
from vadkit.bench.comparison.queue import Means, Progress, jobs_of, run_all
from vadkit.bench.comparison.rows import NOT_TIMED, counted_costs, figures_of, run_entry
from vadkit.bench.comparison.spec import Checked, Suite
from vadkit.bench.comparison.summary import scores_of, summarised
from vadkit.bench.comparison.write import TABLES, write_comparison
from vadkit.bench.machine import machine
from vadkit.bench.timing import Load, Timing, measure, peak_memory
from vadkit.devices import current
from vadkit.engine.run_folder import RESULT
from vadkit.graph.module import model_of
from vadkit.problems import Problem, VadkitError
from vadkit.results_folder import claim, own

RETRY = "fix the cause, and rerun the command with --retry-failed"


class VariantTiming(msgspec.Struct):
    """The cost of a variant; energy in joules per train step, None where the device does not say."""

    timing: Timing
    energy: float | None = None


class TimingsJson(msgspec.Struct):
    """timings.json: what was timed on which machine, and the timings by variant."""

    key: dict[str, Any]
    timings: dict[str, VariantTiming]


def run_suite(
    suite: Suite,
    out: Path,
    device: str,
    load: Load | None,
    progress: Progress,
    report: Report = lambda text: None,
    means: Means = Means(),  # noqa: B008 - it is frozen
    retry: bool = False,
    counted: Callable[[int], None] = lambda runs: None,
) -> dict[str, Any]:
    """Return everything the table shows as plain data, which is also written to OUT/results.json, and the tables.

    Each run is in OUT/runs/KEY, see ``keys``; an interrupted one is resumed from its last checkpoint.

    Args:
        load: what is timed; None times nothing.
        report: called about each damaged file, and about waiting for other processes.
        retry: do failed runs again.
        counted: called with the number of runs.
    """
    checked = suite.check()
    claim([out / name for name in TABLES], suite.inputs)
    own([out / "results.json", out / "timings.json"], report)
    jobs = jobs_of(suite, checked, out, device)
    counted(len(jobs))
    run_all(jobs, means, progress, report, retry)
    _refuse_nothing(jobs)
    with waiting_for(out, report, "writes the tables"):
        timings = {} if load is None else _timings(checked, jobs, out, torch.device(device), load, progress, report)
        results = _results(suite, checked, jobs, out, torch.device(device), load, timings)
        scores = scores_of(results, out, device)
        results = summarised(results, scores)
        json_file.write(out / "results.json", results)
        write_comparison(results, out, scores)
    return results


def _failure(job: Job) -> str | None:
    """Return why a run that has ended does not count, or None."""
    outcome = outcome_of(job)
    return None if outcome is None else outcome.why


def _refuse_nothing(jobs: Sequence[Job]) -> None:
    """Raise VadkitError, with each cause once, if every run failed."""
    causes: dict[str, list[Job]] = {}
    for job in jobs:
        if (failed := _failure(job)) is None:
            return
        causes.setdefault(failed, []).append(job)
    raise VadkitError(
        Problem(f"{jobs[0].title}" + (f" and {len(jobs) - 1} more" if len(jobs) > 1 else "") + f": {why}", hint=RETRY)
        for why, jobs in causes.items()
    )


def _results(
    suite: Suite,
    checked: Mapping[str, Checked],
    jobs: Sequence[Job],
    out: Path,
    device: torch.device,
    load: Load | None,
    timings: Mapping[str, VariantTiming],
) -> dict[str, Any]:
    files = dict.fromkeys(job.result / RESULT for job in jobs if _failure(job) is None)
    measured_on, notice = provenance(files)
    rows = []
    for name, each in checked.items():
        own_jobs = [job for job in jobs if job.variant == name]
        rows.append({**_row(each, own_jobs, out), **_costs(each, load, timings.get(name))})
    return {
        "about": suite.about,
        "base": suite.base_of(checked),
        "measured_on": measured_on,
        "notice": notice,
        "seeds": list(suite.seeds),
        "machine": machine(device),
        "load": None if load is None else asdict(load),
        "variants": rows,
    }


def _row(each: Checked, jobs: Sequence[Job], out: Path) -> dict[str, Any]:
    """Return a variant with its runs. ``figures`` are those of its finished runs."""
    failures = [_failure(job) for job in jobs]
    results = [read_result(job.result) if failed is None else None for job, failed in zip(jobs, failures)]
    runs = [
        run_entry(job.seed, job.result.relative_to(out).as_posix(), failed, result.figures if result else None)
        for job, failed, result in zip(jobs, failures, results, strict=True)
    ]
    first = next(filter(None, results), None)
    return {
        "name": each.variant.name,
        "config": each.variant.config,
        "set": list(each.variant.sets),
        "start": each.variant.start,
        "runs": runs,
        "figures": figures_of(runs),
        "note": first.note if first else None,
        "floors": first.floors if first else {},
    }


def _costs(each: Checked, load: Load | None, found: VariantTiming | None) -> dict[str, Any]:
    own = counted_costs(model_of(each.plan))
    if found is None or load is None:
        return {**own, **NOT_TIMED}
    rate = load.bags * load.snippets / found.timing.score_ms * 1e3
    return {**own, **asdict(found.timing), "score_rate": rate, "energy_joule_per_step": found.energy}


# -- times -----------------------------------------------------------------------------------------
def _timings(
    checked: Mapping[str, Checked],
    jobs: Sequence[Job],
    out: Path,
    device: torch.device,
    load: Load,
    progress: Progress,
    report: Report,
) -> dict[str, VariantTiming]:
    """Return the timings, measured once for this list of variants, load and machine."""
    keys = {name: next(job for job in jobs if job.variant == name).folder.name for name in checked}
    key = {"variants": keys, "load": asdict(load), "machine": _machine(device)}
    path = out / "timings.json"
    known = _known_timings(path, report)
    if known is not None and known.key == key and known.timings.keys() == checked.keys():
        return known.timings
    timings = _measured(checked, device, load, progress)
    json_file.write(path, {"key": key, "timings": timings})
    return timings


def _machine(device: torch.device) -> dict[str, Any]:
    """Return what times depend on; another day is no reason to time again."""
    return {key: value for key, value in machine(device).items() if key != "date"}


def _known_timings(path: Path, report: Report) -> TimingsJson | None:
    if not path.is_file():
        return None
    try:
        return json_file.read(path, TimingsJson)
    except VadkitError as error:
        report(f"{error.first}; the variants are timed again")
        return None


def _measured(
    checked: Mapping[str, Checked], device: torch.device, load: Load, progress: Progress
) -> dict[str, VariantTiming]:
    progress("timing", False)
    torch.manual_seed(0)
    models = {name: model_of(each.plan) for name, each in checked.items()}
    with current(device):  # events of CUDA belong to the current device
        measured = measure(models, load, device, lambda: progress("timing", False))
        counter = counter_of(device)
        energies = {name: energy_of_step(model, load, device, counter) for name, model in models.items()}
    if device.type == "cpu":
        for name, each in checked.items():
            progress(f"memory of {name}", False)
            measured[name] = replace(measured[name], memory_mib=peak_memory(each.plan.spec, load))
    return {name: VariantTiming(timing, energies[name]) for name, timing in measured.items()}
