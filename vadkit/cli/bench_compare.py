"""Put finished runs side by side: figures over seeds, and which differences are real.

A RUN is the folder of a run, its model.safetensors, or a folder of such folders; NAME=RUN names its variant. Runs of
the same graph but other seeds are one variant, and the first variant is the base that the others are compared with:

  vadkit bench compare runs/rgb runs/rgb_sound --out compared
  vadkit bench compare "before=old/seed*" "after=new/seed*"

Intervals are over seeds and over test videos. Scores of the test videos are read from the runs; where a run does not
hold them, they are computed from its model and its data.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from vadkit.cli.options import add_device


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a finished run, or a folder of finished runs")
    parser.add_argument("--names", metavar="A,B,...", help="names of the variants, in their order")
    parser.add_argument("--data", metavar="DIR", help="where the data set is now, if it has moved")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for results.json, table.csv, table.md and index.html"
    )
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    from vadkit import json_file
    from vadkit.bench.comparison.finished import compared
    from vadkit.bench.comparison.write import TABLES, write_comparison
    from vadkit.devices import choose_device
    from vadkit.files import make_folder
    from vadkit.results_folder import claim, writing

    if args.out is not None:
        make_folder(args.out)  # now, rather than after all is scored
        claim([args.out / name for name in ("results.json", *TABLES)])
    names = args.names.split(",") if args.names else []
    device = str(choose_device(args.device))
    results, scores = compared(args.runs, names, args.out, device, args.data)
    if args.out is not None:
        with writing(args.out / "results.json"):
            json_file.write(args.out / "results.json", results)
        write_comparison(results, args.out, scores)
    print_comparison(results, args.out)
    return 0


def print_comparison(results: dict[str, Any], out: Path | None) -> None:
    """Print the tables of a comparison, what does not count, and which files were written to ``out``."""
    from vadkit.bench.comparison.table import (
        FEW,
        difference_rows,
        difference_title,
        dropped,
        failures,
        rows,
        table_title,
    )
    from vadkit.bench.comparison.write import TABLES
    from vadkit.cli.tables import print_table

    print(results["about"])
    table = rows(results)
    print_table(list(table[0]), [list(row.values()) for row in table], right=list(table[0])[1:])
    print(table_title(results))
    differences = difference_rows(results, FEW)
    if differences:
        names = list(differences[0])
        right = [name for name in names if name not in ("figure", "variant", "verdict")]
        print()
        print_table(names, [list(row.values()) for row in differences], right=right)
        print(difference_title(results))
    for text in (*failures(results), *dropped(results)):
        sys.stderr.write(f"{text}\n")
    if out is not None:
        print("wrote " + ", ".join(str(out / name) for name in TABLES))
