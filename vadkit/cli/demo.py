"""Render a small data set, train the paper's systems on it and compare them.

Rerun the same command to resume: what is finished is used again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

NEEDED = 400 << 20  # bytes on the disk
STEPS = {"render": "rendering clips", "extract": "extracting features", "train": "training", "predict": "scoring clips"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("vadkit-demo"),
        metavar="DIR",
        help="folder of the study (default: vadkit-demo)",
    )
    parser.add_argument("--seeds", type=int, default=3, help="training runs of each system (default: 3)")
    parser.add_argument("--quick", action="store_true", help="fewer clips and steps, to see that everything works")


def run(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from vadkit.opencv import load_opencv

    load_opencv()  # the demo draws with it: without, the modules of the next lines cannot be imported
    from vadkit.demo.study import PAGE, free_space, run_study
    from vadkit.demo.study_page import study_page
    from vadkit.files import write_text_atomic
    from vadkit.problems import fail
    from vadkit.results_folder import writing

    if not 1 <= args.seeds <= 100:
        fail(f"--seeds must be from 1 to 100, got {args.seeds}")
    if free_space(args.out) < NEEDED:
        fail(f"{args.out}: the demo needs {NEEDED >> 20} MiB of free disk space", "choose another --out")
    console = Console(width=None if Console().is_terminal else 160)
    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, Any] = {step: bar.add_task(what, total=None) for step, what in STEPS.items()}

        def progress(step: str, done: int, total: int) -> None:
            bar.update(tasks[step], completed=done, total=total)

        def report(text: str) -> None:
            console.print(text, markup=False, highlight=False, soft_wrap=True)

        study = run_study(args.out, args.seeds, args.quick, progress, report)
    with writing(args.out / PAGE):
        write_text_atomic(args.out / PAGE, study_page(study, args.out))
    _print(console, study)
    console.print(f"wrote {args.out / 'index.html'}", highlight=False)
    return 0


def _print(console: Any, study: dict[str, Any]) -> None:
    from rich.table import Table

    from vadkit.demo.study_table import COLUMNS, heading, rows, table_title, text, verdict

    table = Table(title=table_title(study), title_justify="left")
    table.add_column("system")
    for column in COLUMNS:
        table.add_column(heading(column), justify="right")
    for title, row in rows(study).items():
        table.add_row(title, *(text(row[column]) for column in COLUMNS))
    console.print(table)
    console.print(verdict(study), highlight=False, markup=False)
