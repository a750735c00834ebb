"""Train and score every variant with every seed; a finished run is never repeated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from vadkit.bench.machine import machine
from vadkit.bench.suite import Suite, Variant, folder_name
from vadkit.bench.timing import Load, Timing, measure, peak_memory
from vadkit.devices import current
from vadkit.engine.train import train
from vadkit.files import write_atomically
from vadkit.graph.cost import costs, parameters
from vadkit.graph.module import model_of
from vadkit.graph.plan import Plan
from vadkit.problems import fail

Progress = Callable[[str, bool], None]  # what is running, and whether it has just ended


def run_suite(suite: Suite, out: Path, device: str, load: Load, progress: Progress) -> dict[str, Any]:
    """Return everything the table shows as plain data, which is also written to OUT/results.json.

    Each run is in OUT/runs/VARIANT-FINGERPRINT/seedN and complete once it has a result.json; an
    interrupted run is resumed from its last checkpoint.
    """
    plans = suite.check()
    target = torch.device(device)
    for seed in suite.seeds:  # the outer loop: with three seeds, every variant has a figure after a third of the time
        for variant in suite.variants:
            _run(variant, plans[variant.name], seed, out, device, progress)
    timings = _timings(suite, plans, out, target, load, progress)
    results = {
        "about": suite.about,
        "seeds": list(suite.seeds),
        "machine": machine(target),
        "load": asdict(load),
        "variants": [_row(v, plans[v.name], suite, out, timings[v.name]) for v in suite.variants],
    }
    write_atomically(out / "results.json", (json.dumps(results, indent=1) + "\n").encode())
    return results


def _folder(variant: Variant, plan: Plan, seed: int, out: Path) -> Path:
    return out / "runs" / folder_name(variant, plan) / f"seed{seed}"


def _run(variant: Variant, plan: Plan, seed: int, out: Path, device: str, progress: Progress) -> None:
    folder = _folder(variant, plan, seed, out)
    progress(f"{variant.name}, seed {seed}", False)
    if not (folder / "result.json").is_file():
        sets = [*(text.replace("{seed}", str(seed)) for text in variant.sets), f"train.seed={seed}"]
        result = train(variant.config, sets, out=folder, resume=folder.is_dir(), device=device)
        if result.signal is not None:  # the training has saved its state; the suite stops with it
            raise KeyboardInterrupt
    progress(f"{variant.name}, seed {seed}", True)


def read_figures(folder: Path) -> dict[str, Any]:
    """Return the figures of a finished run."""
    try:
        figures: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))["figures"]
    except (OSError, ValueError, KeyError) as error:
        fail(f"{folder / 'result.json'} cannot be read ({error})", "delete the folder and rerun the same command")
    return figures


def _timings(
    suite: Suite, plans: Mapping[str, Plan], out: Path, device: torch.device, load: Load, progress: Progress
) -> dict[str, Timing]:
    """Return the timings, measured once for this list of variants, load and machine."""
    key = {
        "variants": [folder_name(v, plans[v.name]) for v in suite.variants],
        "load": asdict(load),
        "machine": machine(device),
    }
    path = out / "timings.json"
    known = json.loads(path.read_text()) if path.is_file() else {}
    if known.get("key") != key:
        progress("timing", False)
        torch.manual_seed(0)
        models = {name: model_of(plan) for name, plan in plans.items()}
        with current(device):  # events of CUDA belong to the current device
            measured = measure(models, load, device, lambda: progress("timing", False))
        values = {name: asdict(timing) for name, timing in measured.items()}
        if device.type == "cpu":
            for name, plan in plans.items():
                progress(f"memory of {name}", False)
                values[name]["memory_mib"] = peak_memory(plan.spec, load)
        known = {"key": key, "timings": values}
        write_atomically(path, (json.dumps(known, indent=1) + "\n").encode())
    return {name: Timing(**value) for name, value in known["timings"].items()}


def _row(variant: Variant, plan: Plan, suite: Suite, out: Path, timing: Timing) -> dict[str, Any]:
    model = model_of(plan)
    flops = [cost.flops for cost in costs(model).values()]
    runs = [read_figures(_folder(variant, plan, seed, out)) for seed in suite.seeds]
    return {
        "name": variant.name,
        "config": variant.config,
        "set": list(variant.sets),
        "parameters": parameters(model),
        "gflop": None if None in flops else sum(f for f in flops if f) / 1e9,
        "figures": [{key: run.get(key) for key in ("ap", "auc", "auc_abnormal", "ap_abnormal")} for run in runs],
        **asdict(timing),
    }
