"""Swap components of a node, or compare the variants of a spec file: train, score and time each.

Each variant is trained with several seeds and timed in turn with the others; the result is a table as CSV, Markdown and
HTML. Rerun the same command to resume, also after a variant or a seed was added: only missing runs are trained.
Several processes, also of machines that share DIR, share the work: each takes runs that no other holds.
A run whose loss becomes NaN or whose scores are constant is reported as failed and does not count.

Exit code: 0 if all runs finished, 1 if some failed, 2 if all did.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from vadkit.cli.options import add_config, add_device, add_set

BOUNDS = {"bags": (2, 10**4), "snippets": (1, 10**6), "rounds": (1, 1000), "seeds": (1, 100), "workers": (1, 1000)}
LARGEST = 10**6  # snippets of the timed batch; of 1024 numbers each they take 4 GB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_config(parser, nargs="?")
    parser.add_argument("--node", metavar="NODE", help="the node whose component is swapped")
    parser.add_argument("--with", dest="components", metavar="A,B,...", help="the components to try")
    parser.add_argument("--spec", type=Path, metavar="FILE.yaml", help="a file that describes the comparison instead")
    add_set(parser, "train.epochs=5, in every variant", short=("--data", "--batch", "--epochs", "--lr"))
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds per variant (default: 3)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("vadkit-bench"),
        metavar="DIR",
        help="folder for runs and tables (default: vadkit-bench)",
    )
    add_device(parser)
    parser.add_argument("--bags", type=int, default=16, metavar="N", help="bags of the timed batch (default: 16)")
    parser.add_argument(
        "--snippets", type=int, default=200, metavar="N", help="snippets per bag of the timed batch (default: 200)"
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of timing (default: 5)")
    parser.add_argument("--no-timing", action="store_true", help="measure no times, memory and energy")
    parser.add_argument("--executor", default="local", metavar="WHERE", help="local or ray (default: local)")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes that train, with one thread each (default: this one alone)"
    )
    parser.add_argument("--retry-failed", action="store_true", help="retry failed runs")


def run(args: argparse.Namespace) -> int:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from vadkit.bench.comparison.queue import Means
    from vadkit.bench.comparison.runs import run_suite
    from vadkit.bench.timing import Load
    from vadkit.devices import choose_device
    from vadkit.extract.executors import find_executor
    from vadkit.terminal import console, one_line

    find_executor(args.executor)
    suite = _suite(args)
    screen = console()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("", total=None)

        def progress(what: str, ended: bool) -> None:
            bar.update(task, description=one_line(what), advance=int(ended))

        def counted(runs: int) -> None:
            bar.update(task, total=runs)

        def report(text: str) -> None:
            screen.print(text, soft_wrap=True, markup=False)

        load = None if args.no_timing else Load(args.bags, args.snippets, args.rounds)
        means = Means(args.executor, args.workers or 0)
        device = str(choose_device(args.device))
        results = run_suite(suite, args.out, device, load, progress, report, means, args.retry_failed, counted)
    return _print(results, args.out)


def _print(results: dict[str, Any], out: Path) -> int:
    from vadkit.bench.comparison.table import failures
    from vadkit.cli.bench_compare import print_comparison

    print_comparison(results, out)
    if failures(results):
        sys.stderr.write("hint: fix the cause, and rerun the command with --retry-failed\n")
        return 1
    return 0


def _suite(args: argparse.Namespace):  # type: ignore[no-untyped-def]  # Suite is imported late
    from vadkit.bench.comparison.spec import swap
    from vadkit.bench.comparison.spec_file import from_file
    from vadkit.problems import fail

    for name, (least, most) in BOUNDS.items():
        value = getattr(args, name)
        if value is not None and not least <= value <= most:
            fail(f"--{name} must be from {least} to {most}, got {value}")
    if args.bags * args.snippets > LARGEST:
        fail(f"--bags times --snippets must be at most {LARGEST}, got {args.bags * args.snippets}")
    if args.spec:
        if args.config or args.node or args.components:
            fail("--spec cannot be combined with CONFIG, --node or --with", "leave out these, or --spec")
        return from_file(args.spec, args.set, args.seeds)
    if not (args.config and args.node and args.components):
        fail(
            "give CONFIG --node NODE --with A,B,..., or --spec FILE.yaml",
            "for example vadkit bench swap demo_rgb --node context --with tca,gl_mhsa",
        )
    return swap(args.config, args.node, args.components.split(","), args.set, args.seeds or 3)
