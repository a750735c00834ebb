"""How hard the rendered set is, and how fast it renders: the demo's three systems on scenes that training lacks.

    python benchmarks/rendered.py --out DIR [--hours 2] [--scenes 8] [--seed 0] [--workers 2]

renders the set, extracts it with the demo's backbones, trains the systems of benchmarks/specs/rendered.yaml, and writes
benchmarks/results/rendered-cpu-MONTH.json and .md. Rerun the same command to resume; the CPU time of rendering is that
of the videos that are rendered in this call, and is left out if there are none. A set of two hours takes about half an
hour on 2 cores.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from results import write

from vadkit.rendered.generate import RenderedSet
from vadkit.rendered.plan import KINDS, Wanted

SPEC = Path(__file__).parent / "specs" / "rendered.yaml"


def vadkit(*arguments: str | Path) -> tuple[float, float]:
    """Run a command; return the seconds that it took and the CPU seconds of it and its processes."""
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "vadkit", *map(str, arguments)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - begun, cpu


def render(args: argparse.Namespace) -> str:
    """Render the set; return what it took a minute of video."""
    rendered = RenderedSet(args.out / "videos", Wanted(args.hours, args.scenes, args.seed))
    minutes = sum(recording.seconds for recording in rendered.missing()) / 60
    sizes = [f"--{name}={getattr(args, name)}" for name in ("hours", "scenes", "seed", "workers")]
    wall, cpu = vadkit("store", "generate", "rendered", *sizes, "--out", args.out / "videos")
    if minutes < 1:
        return "not measured, as the videos existed"
    return f"{cpu / minutes:.1f} CPU s and {wall / minutes:.1f} s a minute of video with {args.workers} processes"


def rows(folder: Path) -> list[dict[str, Any]]:
    """Return a row for each system, mean and deviation over seeds, from the results of the comparison."""
    found = json.loads((folder / "results.json").read_text())
    table = []
    for variant in found["variants"]:
        row = {"system": variant["name"]}
        row |= {key.upper(): spread([run[key] for run in variant["figures"]]) for key in ("ap", "auc")}
        row |= {f"AP, {kind}": spread(variant.get("per_class", {}).get(kind, [])) for kind in KINDS}
        table.append(row)
    return table


def spread(given: list[float | None]) -> str:
    values = [value for value in given if value is not None]
    if not values:
        return "-"
    deviation = f" +- {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3f}{deviation}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of videos, store and runs")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    took = render(args)
    store, runs = args.out / "store", args.out / "runs"
    listed = ["--list", args.out / "videos" / "LABELS.csv", "--config", "demo_three_stream", "--snippet", "8"]
    vadkit("extract", *listed, "--out", store, "--workers", str(args.workers))
    vadkit("bench", "swap", "--spec", SPEC, "--data", store, "--no-timing", "--out", runs, "--workers", "2")
    conditions = {
        "set": f"{args.hours:g} hours, {args.scenes} scenes, seed {args.seed}; no scene is in training and in test",
        "rendering": took,
    }
    write("rendered", "The demo's systems on a rendered set", rows(runs), conditions, "cpu")


if __name__ == "__main__":
    main()
