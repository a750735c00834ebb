"""Write the figures of a finished comparison as results of the book, with the record of their runs.

  vadkit bench swap --spec benchmarks/specs/temporal.yaml --out temporal
  vadkit models record temporal --dataset "vadkit demo" --out my_results

'vadkit models list', 'compare' and 'page' show them with --results my_results. An existing measured result is replaced.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("comparison", type=Path, metavar="DIR", help="folder of a 'vadkit bench swap'")
    parser.add_argument("--dataset", required=True, metavar="NAME", help="the data set, as the book calls it")
    parser.add_argument(
        "--metrics", default="ap,auc", metavar="A,B,...", help="the figures to record (default: ap,auc)"
    )
    parser.add_argument("--recipe", metavar="TEXT", help="how the features were extracted, if the runs are gone")
    parser.add_argument("--data", metavar="DIR", help="the features, to measure floors where the comparison has none")
    parser.add_argument(
        "--out", type=Path, default=Path("results"), metavar="DIR", help="folder for results (default: results)"
    )


def run(args: argparse.Namespace) -> int:
    from vadkit.bench.record import record
    from vadkit.plugin_manager import load_plugins
    from vadkit.problems import VadkitError, plural, unknown
    from vadkit.systems.result import METRICS

    metrics = args.metrics.split(",")
    wrong = [name for name in metrics if name not in METRICS]
    if wrong:
        raise VadkitError([unknown(name, METRICS, "metric", "in --metrics") for name in wrong])
    files, left_out = record(args.comparison, args.out, args.dataset, load_plugins(), metrics, args.recipe, args.data)
    for text in left_out:
        print(f"left out: {text}")
    print(f"wrote {plural(len(files), 'result')} to {args.out}")
    return 0 if files else 1
