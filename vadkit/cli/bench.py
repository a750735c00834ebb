"""Compare variants of a graph: train, score and time each."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True, metavar="swap")
    swap = what.add_parser(
        "swap",
        help="swap components of a node, or compare the rows of a spec file",
        description="Train and score each variant with several seeds, time them side by side, "
        "and write a table (CSV, Markdown, HTML). Started again, it skips what is finished.",
    )
    swap.add_argument("config", metavar="CONFIG", nargs="?", help="name of a graph, or path of a YAML file")
    swap.add_argument("--node", help="the node whose component is swapped")
    swap.add_argument("--with", dest="components", metavar="A,B,...", help="the components to try")
    swap.add_argument("--spec", type=Path, metavar="FILE.yaml", help="a file with the variants instead")
    swap.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change every variant")
    swap.add_argument("--seeds", type=int, help="seeds per variant (default 3)")
    swap.add_argument("--out", type=Path, default=Path("vadkit-bench"), help="folder for runs and tables")
    swap.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (auto)")
    swap.add_argument("--bags", type=int, default=16, help="bags of the timed batch")
    swap.add_argument("--snippets", type=int, default=200, help="snippets per bag of the timed batch")
    swap.add_argument("--rounds", type=int, default=5, help="rounds of timing")


def run(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from vadkit.bench.comparison_table import rows
    from vadkit.bench.run_suite import run_suite
    from vadkit.bench.timing import Load
    from vadkit.bench.write_comparison import write_comparison
    from vadkit.devices import choose_device

    suite = _suite(args)
    console = Console(width=None if Console().is_terminal else 160)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=len(suite.variants) * len(suite.seeds))

        def progress(what: str, ended: bool) -> None:
            bar.update(task, description=what, advance=int(ended))

        load = Load(args.bags, args.snippets, args.rounds)
        results = run_suite(suite, args.out, str(choose_device(args.device)), load, progress)
    files = write_comparison(results, args.out)
    _print(console, suite.about, rows(results))
    console.print("wrote " + ", ".join(map(str, files)), highlight=False)
    return 0


def _suite(args: argparse.Namespace):  # type: ignore[no-untyped-def]  # Suite is imported late
    from vadkit.bench.suite import from_file, swap
    from vadkit.problems import fail

    for name in ("bags", "snippets", "rounds", "seeds"):
        value = getattr(args, name)
        if value is not None and value < (2 if name == "bags" else 1):
            fail(f"--{name} must be at least {2 if name == 'bags' else 1}, got {value}")
    if args.spec:
        if args.config or args.node or args.components:
            fail("--spec stands alone: leave out CONFIG, --node and --with", "or leave out --spec")
        return from_file(args.spec, args.set, args.seeds)
    if not (args.config and args.node and args.components):
        fail(
            "give CONFIG --node NODE --with A,B,..., or --spec FILE.yaml",
            "for example vadkit bench swap demo_rgb --node context --with tca,gl_mhsa",
        )
    return swap(args.config, args.node, args.components.split(","), args.set, args.seeds or 3)


def _print(console, about, body) -> None:  # type: ignore[no-untyped-def]  # rich is imported late
    from rich.table import Table

    shown = Table(title=about, title_justify="left")
    for name in body[0]:
        shown.add_column(name.strip(), justify="left" if name == "variant" else "right")
    for row in body:
        shown.add_row(*row.values())
    console.print(shown)
