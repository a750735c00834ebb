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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from vadkit.opencv import load_opencv

    load_opencv()  # the demo draws with it: without, the modules of the next lines cannot be imported
    from vadkit.demo.study import PAGE, free_space, run_study
    from vadkit.demo.study_page import study_page
    from vadkit.files import write_text_atomic
    from vadkit.problems import fail
    from vadkit.results_folder import writing
    from vadkit.terminal import console

    if not 1 <= args.seeds <= 100:
        fail(f"--seeds must be from 1 to 100, got {args.seeds}")
    if free_space(args.out) < NEEDED:
        fail(f"{args.out}: the demo needs {NEEDED >> 20} MiB of free disk space", "choose another --out")
    screen = console()
    name = TextColumn("{task.description:<20}", markup=False)
    columns = (name, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, redirect_stdout=False, redirect_stderr=False) as bar:
        tasks: dict[str, Any] = {step: bar.add_task(what, total=None) for step, what in STEPS.items()}

        def progress(step: str, done: int, total: int) -> None:
            bar.update(tasks[step], completed=done, total=total)

        def report(text: str) -> None:
            screen.print(text, soft_wrap=True)

        study = run_study(args.out, args.seeds, args.quick, progress, report)
    with writing(args.out / PAGE):
        write_text_atomic(args.out / PAGE, study_page(study, args.out))
    _print(study)
    print(f"wrote {args.out / PAGE}")
    return 0


def _print(study: dict[str, Any]) -> None:
    from vadkit.cli.tables import print_table
    from vadkit.demo.study_table import COLUMNS, heading, rows, table_title, text, verdict

    print(table_title(study))
    headings = [heading(column) for column in COLUMNS]
    body = [[title, *(text(row[column]) for column in COLUMNS)] for title, row in rows(study).items()]
    print_table(["system", *headings], body, right=headings)
    print(verdict(study))
