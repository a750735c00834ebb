"""Train on one data set and test on another, without tuning and with a few videos of it: a matrix with intervals.

  vadkit bench transfer demo_rgb --store day=DIR --store night=DIR --shots 1,5,20 --out transfer

Each store is a data set with training and test videos of both labels, whose features are of the same recipe. A graph is
trained on each with several seeds; every model is tested on every store, as it is and after a short training on K
training videos of each label of that store. Where these have clicks (glance labels), it is also tuned with them. Of a
--normal store only the normal videos count: for false alarms.

Rerun the same command to resume: only missing runs are trained.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vadkit.cli.options import add_config, add_device, add_set

BOUNDS = {"seeds": (1, 100), "steps": (1, 10**6)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_config(parser)
    parser.add_argument(
        "--store", action="append", default=[], metavar="NAME=DIR", help="a data set; give two or more of them"
    )
    parser.add_argument(
        "--normal", action="append", default=[], metavar="NAME=DIR", help="a store whose normal videos count"
    )
    parser.add_argument(
        "--shots", default="1,5,20", metavar="K,...", help="videos of each label to tune on (default: 1,5,20)"
    )
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds of each model (default: 3)")
    parser.add_argument("--steps", type=int, default=50, metavar="N", help="steps of tuning (default: 50)")
    parser.add_argument("--no-clicks", action="store_true", help="do not tune with clicks")
    add_set(parser, "train.epochs=5, in every training", short=("--batch", "--epochs", "--lr"))
    parser.add_argument(
        "--tune",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one value in tuning; may be repeated",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("vadkit-transfer"), metavar="DIR", help="folder (default: vadkit-transfer)"
    )
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from vadkit.bench.transfer.run import Matrix
    from vadkit.bench.transfer.write import results_of, write
    from vadkit.devices import choose_device
    from vadkit.files import make_folder
    from vadkit.plugin_manager import load_plugins
    from vadkit.terminal import console, one_line

    plan = _plan(args)
    device = str(choose_device(args.device))
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(), redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("", total=None)

        def on_job(what: str, ended: bool) -> None:
            bar.update(task, description=one_line(what), advance=int(ended))

        matrix = Matrix(plan, args.out, load_plugins(), device, on_job)
        make_folder(args.out)
        bar.update(task, total=matrix.jobs)
        results = results_of(matrix, *matrix.run())
    files = write(results, args.out)
    _print(results)
    print("wrote " + ", ".join(map(str, files)))
    return 0


def _plan(args: argparse.Namespace) -> Any:
    from vadkit.bench.transfer.cells import Transfer
    from vadkit.problems import fail

    for name, (least, most) in BOUNDS.items():
        if not least <= getattr(args, name) <= most:
            fail(f"--{name} must be from {least} to {most}, got {getattr(args, name)}")
    shots = [text.strip() for text in args.shots.split(",") if text.strip()]
    if not all(text.isdecimal() for text in shots):
        fail(f"--shots is '{args.shots}'", "give whole numbers, as --shots 1,5,20")
    return Transfer(
        args.config,
        _named(args.store, "--store"),
        _named(args.normal, "--normal"),
        tuple(sorted({int(text) for text in shots})),
        args.seeds,
        tuple(args.set),
        tuple(args.tune),
        args.steps,
        not args.no_clicks,
    )


def _named(given: list[str], option: str) -> dict[str, Path]:
    from vadkit.problems import fail

    found: dict[str, Path] = {}
    for text in given:
        name, equals, folder = text.partition("=")
        if not (name and equals and folder):
            fail(f"{option} is '{text}'", f"give a name and a folder, as {option} street=DIR")
        if name in found:
            fail(f"{option} names '{name}' twice")
        found[name] = Path(folder)
    return found


def _print(results: dict[str, Any]) -> None:
    from vadkit.bench.transfer.table import column_rows, conditions, matrix_rows, normal_rows
    from vadkit.cli.tables import print_table

    tables = [("", matrix_rows(results))]
    tables += [(f"tested on {column['test']}", column_rows(column)) for column in results["columns"]]
    tables += [("false alarms", normal_rows(results))] if results["normal"] else []
    for title, rows in tables:
        if title:
            print(f"\n{title}")
        print_table(list(rows[0]), [list(row.values()) for row in rows])
    print(f"\n{conditions(results)}")
