"""Students of the demo's three-stream system: accuracy, parameters and operations, distilled and trained alone.

    python benchmarks/students.py --demo vadkit-demo --out students

trains the teacher with each seed on the features of a finished `vadkit demo`, each student on what the teacher of its
seed says, and the same student, with the same seed, without a teacher. Differences in AP have the intervals of
`vadkit bench compare`, over seeds and test clips. Rerun the same command to resume. The bar: a student at most 1 AP
(of 100) below its teacher, with at most a tenth of the operations, and one with at most 50,000 parameters.

Takes about 6 minutes on one core. Writes benchmarks/results/students-cpu-MONTH.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from results import write

import vadkit
from vadkit.bench.comparison.scores import of_run
from vadkit.bench.comparison.statistics import Scores
from vadkit.bench.comparison.statistics import differences as pairwise
from vadkit.distill.run import TRAINING, Size, size_of

TEACHER, BASE = "demo_three_stream", "demo_rgb"
STUDENTS = ("demo_student", "demo_student_small")
OPERATIONS, PARAMETERS, BAR = 0.1, 50_000, 0.01


def trained(config: str, store: Path, out: Path, seed: int, *more: str) -> Path:
    """Train a config on the demo's features, unless it is trained already, and return the folder of the run."""
    if not (out / "result.json").is_file():
        vadkit.train(config, out=out, set=[f"data.args.root={store}", *more], seed=seed, device="cpu", resume=True)
    return out


def teacher(store: Path, out: Path, seed: int) -> Path:
    """Return the run of the teacher, which starts from the RGB system of the same seed, as in the demo."""
    base = trained(BASE, store, out / BASE / f"seed{seed}", seed)
    start = f"train.warm_start.file={base / 'model.safetensors'}"
    return trained(TEACHER, store, out / TEACHER / f"seed{seed}", seed, start)


def distilled(name: str, taught_by: Path, store: Path, out: Path, seed: int) -> Path:
    """Return the training of a student."""
    if not (out / "model.safetensors").is_file():
        vadkit.distill(taught_by, student=name, data=store, out=out, seed=seed, device="cpu", resume=True)
    return out / TRAINING


def train_all(store: Path, out: Path, seeds: int) -> dict[str, list[Path]]:
    """Return the runs of each row, seed by seed."""
    runs: dict[str, list[Path]] = {}
    for seed in range(seeds):
        known = teacher(store, out, seed)
        runs.setdefault("teacher", []).append(known)
        for name in STUDENTS:
            print(f"seed {seed}, {name}", flush=True)
            alone = trained(name, store, out / "alone" / name / f"seed{seed}", seed)
            taught = distilled(name, known, store, out / "distilled" / name / f"seed{seed}", seed)
            runs.setdefault(f"{name}, alone", []).append(alone)
            runs.setdefault(f"{name}, distilled", []).append(taught)
    return runs


# -- figures -----------------------------------------------------------------------------------------
def differences(runs: dict[str, list[Path]], scores: Scores, base: str, names: list[str]) -> dict[str, Any]:
    """Return the difference in AP of each row from ``base``, as `vadkit bench compare` has it.

    Not by that command itself: each seed of a student has a teacher of its own, and so is another graph to it.
    """
    of = [{"seed": seed, "state": "finished", "why": None} for seed in range(len(runs[base]))]
    variants = [{"name": name, "runs": of} for name in (base, *names)]
    wanted = {who: run for who, run in scores.items() if who[0] in (base, *names)}
    return {each["variant"]: each["figures"]["ap"] for each in pairwise({"variants": variants}, base, wanted)}


def row(name: str, found: list[Path], size: Size, whole: Size) -> dict[str, Any]:
    """Return what is counted of a row, and its AP over seeds."""
    values = [figures_of(folder)["ap"] for folder in found]
    assert size.flops is not None and whole.flops is not None
    return {
        "system": name,
        "parameters": size.parameters,
        "operations per snippet": round(size.flops),
        "of the teacher's": f"{size.flops / whole.flops:.1%}",
        "AP": f"{fmean(values):.3f} +- {stdev(values):.3f}" if len(values) > 1 else f"{values[0]:.3f}",
    }


def figures_of(folder: Path) -> dict[str, float]:
    return dict(json.loads((folder / "result.json").read_text())["figures"])


def shown(part: dict[str, Any]) -> str:
    return f"{part['mean']:+.3f} ({part['low']:+.3f} to {part['high']:+.3f}), {part['verdict']}"


def measured(runs: dict[str, list[Path]]) -> list[dict[str, Any]]:
    """Return the rows of the table."""
    whole = size_of(vadkit.load(runs["teacher"][0]))
    rows = [row("teacher", runs["teacher"], whole, whole)]
    scores = {(name, seed): of_run(run) for name, found in runs.items() for seed, run in enumerate(found)}
    against = differences(runs, scores, "teacher", [name for name in runs if name != "teacher"])
    for name in STUDENTS:
        alone, taught = f"{name}, alone", f"{name}, distilled"
        size = size_of(vadkit.load(runs[alone][0]))
        gain = differences(runs, scores, alone, [taught])[taught]
        for each in (alone, taught):
            found = row(each, runs[each], size, whole)
            found["AP against the teacher"] = shown(against[each])
            if each == taught:
                found["AP against alone"] = shown(gain)
                found["bars"] = bars(size, whole, against[each]["mean"])
            rows.append(found)
    return rows


def bars(size: Size, whole: Size, difference: float) -> str:
    """Return which bars of the issue are met."""
    assert size.flops is not None and whole.flops is not None
    kept = {
        "a tenth of the operations": size.flops <= OPERATIONS * whole.flops,
        "50,000 parameters": size.parameters <= PARAMETERS,
        "within 1 AP of the teacher": difference >= -BAR,
    }
    return "; ".join(f"{name}: {'met' if met else 'FAILED'}" for name, met in kept.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, default=Path("vadkit-demo"), help="folder of a finished vadkit demo")
    parser.add_argument("--out", type=Path, default=Path("students"), help="folder for the runs")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--no-write", action="store_true", help="print the table only")
    args = parser.parse_args()
    torch.set_num_threads(1)
    runs = train_all(Path(os.path.realpath(args.demo / "features")), args.out, args.seeds)
    rows = measured(runs)
    conditions = {
        "data": "features of vadkit demo, 112 training and 36 test clips",
        "seeds": args.seeds,
        "intervals": "95 %, over seeds and test clips",
        "operations": "multiply-adds count as two, a bag of 200 snippets, without extraction",
    }
    if args.no_write:
        for each in rows:
            print(each)
    else:
        write("students", "Students of the demo's three-stream system", rows, conditions, "cpu")


if __name__ == "__main__":
    main()
