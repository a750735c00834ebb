"""Measure how much models lose when pictures or sound are corrupted, or streams are missing.

A RUN is the folder of a finished run, its model.safetensors, or a folder of such folders; NAME=RUN names its model, and
runs that differ in their seed are one model:

  vadkit bench robust runs/mine --with noise --with blur:1,3,5 --with noise+blur:3 --missing audio:50,100 --out robust

Without severities, all five are measured. The test videos are corrupted before features are extracted, with the recipe
of the model; only streams whose pictures or sound are damaged are extracted again. Tables, a page of curves and
results.json are written to DIR. Rerun the same command to resume: finished features are read from DIR.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vadkit.cli.options import add_device, add_weights, weight_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a finished run, or a folder of finished runs")
    parser.add_argument(
        "--with",
        dest="corruptions",
        action="append",
        default=[],
        metavar="NAME:1,3,5",
        help="a corruption and its severities, or several joined by +; may be repeated",
    )
    parser.add_argument(
        "--missing",
        action="append",
        default=[],
        metavar="STREAM",
        help="an input that is missing, or several joined by +; STREAM:25,50 for so many percent of the snippets; may "
        "be repeated",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the corruptions (default: 0)")
    parser.add_argument("--data", metavar="DIR", help="where the data set is now, if it has moved")
    parser.add_argument(
        "--videos", type=Path, metavar="DIR", help="folder of the test videos (default: as the data set says)"
    )
    add_weights(parser)
    parser.add_argument("--keep-media", action="store_true", help="keep the corrupted videos in DIR/media")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for features, tables and page")
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from vadkit.bench.robust.conditions import conditions_of
    from vadkit.bench.robust.run import Wanted, run_robust
    from vadkit.corrupt.chain import SEEDS
    from vadkit.devices import choose_device
    from vadkit.problems import fail
    from vadkit.terminal import console, one_line

    if not 0 <= args.seed < SEEDS:
        fail(f"--seed must be from 0 to {SEEDS - 1}, got {args.seed}")
    wanted = Wanted(
        args.runs,
        conditions_of(args.corruptions, args.missing),
        args.seed,
        str(choose_device(args.device)),
        args.data,
        args.videos,
        weight_files(args.weights),
        args.keep_media,
    )
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(), redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("", total=None)

        def progress(done: int, total: int, text: str) -> None:
            bar.update(task, completed=done, total=total, description=one_line(text))

        results = run_robust(wanted, args.out, progress)
    _print(results, args.out)
    return 0


def _print(results: dict[str, Any], out: Path) -> None:
    from vadkit.bench.robust.run import FILES, RESULTS
    from vadkit.bench.robust.table import LOSS_TITLE, loss_rows, rows, table_title
    from vadkit.cli.tables import print_table

    for table, title in ((rows(results), table_title(results)), (loss_rows(results), LOSS_TITLE)):
        if table:
            print_table(list(table[0]), [list(row.values()) for row in table])
            print(f"{title}\n")
    for text in results["notes"]:
        print(f"note: {text}")
    print("wrote " + ", ".join(str(out / name) for name in (RESULTS, *FILES)))
