"""Compare a run of 'vadkit bench speed' with an earlier one of the same device, and say what got slower.

Figures are compared as ratios to what took turns with them: the authors' way, or the limit. The exit code is 1 if
something got slower by more than the tolerance and the spread, or takes more memory.
"""

from __future__ import annotations

import argparse
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"  # of a checkout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("new", type=Path, metavar="NEW.json", help="the result file to judge")
    parser.add_argument(
        "--against",
        type=Path,
        default=RESULTS,
        metavar="FILE.json|DIR",
        help="the earlier result, or a folder with results (default: benchmarks/results of a checkout)",
    )
    parser.add_argument(
        "--tolerance", type=float, default=0.05, metavar="X", help="slowdown that is accepted (default: 0.05)"
    )


def run(args: argparse.Namespace) -> int:
    from vadkit.bench.speed import check
    from vadkit.bench.speed.result import read
    from vadkit.cli.tables import print_table
    from vadkit.problems import fail, plural

    if not 0 <= args.tolerance <= 10:
        fail(f"--tolerance must be from 0 to 10, got {args.tolerance}")
    new = read(args.new)
    path, old = check.other_run(new, args.new, args.against)
    found = check.changes(new, old)
    if not found:
        fail(f"{args.new} and {path} have no figure in common", "measure the same graphs, sizes and precisions")
    slower = [change for change in found if change.is_slower(args.tolerance)]
    memory = list(check.more_memory(new, old, args.tolerance))
    shown = sorted((c for c in found if c in slower or c.is_faster(args.tolerance)), key=lambda c: -c.change)
    if shown:
        rows = [[c.key, f"{c.change:+.0%}", f"{c.error:.0%}", c.against] for c in shown]
        print_table(["figure", "time", "error", "against"], rows, right=("time", "error"))
    for line in memory:
        print(line)
    missing = sorted(key for key in old.rows if key not in new.rows)
    blind = sum(change.threshold(args.tolerance) > check.PLANTED for change in found)
    print(f"{plural(len(found), 'figure')} compared with {path}, tolerance {args.tolerance:.0%}: {len(slower)} slower")
    if blind:
        print(f"{plural(blind, 'figure')} varied too much to show a slowdown of {check.PLANTED:.0%}")
    if missing:
        print(f"{plural(len(missing), 'figure')} of the earlier run not measured: {missing[0]}, ...")
    return 1 if slower or memory else 0
