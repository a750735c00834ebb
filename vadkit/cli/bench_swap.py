"""Swap components of a node, or compare the rows of a spec file: train, score and time each variant.

Each variant is trained with several seeds and timed in turn with the others; the result is a table as CSV, Markdown and
HTML. Rerun the same command to resume: finished runs are skipped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vadkit.cli.options import add_config, add_device, add_set

BOUNDS = {"bags": (2, 10**4), "snippets": (1, 10**6), "rounds": (1, 1000), "seeds": (1, 100)}
LARGEST = 10**6  # snippets of the timed batch; of 1024 numbers each they take 4 GB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser, nargs="?")
    parser.add_argument("--node", metavar="NODE", help="the node whose component is swapped")
    parser.add_argument("--with", dest="components", metavar="A,B,...", help="the components to try")
    parser.add_argument("--spec", type=Path, metavar="FILE.yaml", help="a file that lists the variants instead")
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


def run(args: argparse.Namespace) -> int:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from vadkit.bench.comparison.runs import run_suite
    from vadkit.bench.comparison.table import rows, table_title
    from vadkit.bench.comparison.write import write_comparison
    from vadkit.bench.timing import Load
    from vadkit.cli.tables import print_table
    from vadkit.devices import choose_device
    from vadkit.terminal import console, one_line

    suite = _suite(args)
    screen = console()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("", total=len(suite.variants) * len(suite.seeds))

        def progress(what: str, ended: bool) -> None:
            bar.update(task, description=one_line(what), advance=int(ended))

        load = Load(args.bags, args.snippets, args.rounds)

        def report(text: str) -> None:
            screen.print(text, soft_wrap=True)

        results = run_suite(suite, args.out, str(choose_device(args.device)), load, progress, report)
    files = write_comparison(results, args.out)
    table = rows(results)
    names = [name.strip() for name in table[0]]
    print(suite.about)
    print_table(names, [list(row.values()) for row in table], right=names[1:])
    print(table_title(results))
    print("wrote " + ", ".join(map(str, files)))
    return 0


def _suite(args: argparse.Namespace):  # type: ignore[no-untyped-def]  # Suite is imported late
    from vadkit.bench.comparison.spec import from_file, swap
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
