"""Score a data set with a trained model and report AP, AUC and related figures.

The data set, its split and the smoothing of scores are those the model was trained with, unless
--set changes them, for example: --set data.args.root=DIR --set eval.threshold=0.3

Next to the figures are those of scores without a model: the label of each video, the length of its features, one
constant, chance. Where names show the film, channel or camera of a video, those that training lacks are measured
apart: see sources in 'vadkit info feature_store'.

--out writes results.json (all figures and choices), scores.csv (the score of every snippet) and
index.html (curves, thresholds, and the videos that cost most). --json prints results.json alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vadkit.cli.options import add_device, add_set

if TYPE_CHECKING:
    from vadkit.api.evaluate import Evaluation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--model", metavar="FILE", required=True, help="a model of vadkit train: its file, or the folder of the run"
    )
    add_set(parser, "eval.threshold=0.3 (only keys of data and eval)", short=("--data",))
    parser.add_argument(
        "--split", choices=("train", "val", "test"), help="videos to score (default: the model's eval.split)"
    )
    parser.add_argument("--out", metavar="DIR", help="folder for results.json, scores.csv and index.html")
    parser.add_argument("--json", action="store_true", help="print everything as JSON instead of tables")
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    from vadkit.api.evaluate import evaluate

    result = evaluate(args.model, set=args.set, split=args.split, out=args.out, device=args.device, progress=True)
    if args.json:
        print(json.dumps(result.as_json(), indent=1, allow_nan=False))
    else:
        _print(result)
    if args.out:
        from vadkit.evaluate.evaluation import FILES

        sys.stderr.write("".join(f"wrote {Path(args.out, name)}\n" for name in FILES))
    return 0


def _print(result: Evaluation) -> None:
    from vadkit.cli.tables import print_table
    from vadkit.evaluate.evaluation_table import (
        SHOWN,
        floor_rows,
        meaning,
        measured_on,
        number,
        other_notes,
        source_rows,
    )

    figures, protocol = result.figures, result.protocol
    if result.notice:
        print(f"notice: {result.notice}")
    print(f"{measured_on(result)}\n")
    rows = [(key, number(figures[key]), meaning(key, figures)) for key in SHOWN]
    print_table(("figure", "value", "what it is"), rows, right=("value",))
    if floors := floor_rows(result.floors):
        print("\nscores without a model, on the same snippets")
        print_table([*floors[0]], [[*row.values()] for row in floors], right=[*floors[0]][1:-1])
    if parts := source_rows(result):
        print()
        print_table([*parts[0]], [[*row.values()] for row in parts], right=[*parts[0]][1:])
    if figures["per_class"]:
        print()
        classes = [
            (name, number(c["auc"]), number(c["ap"]), str(c["positives"])) for name, c in figures["per_class"].items()
        ]
        columns = ("class (with all normal videos)", "auc", "ap", "positive frames")
        print_table(columns, classes, right=columns[1:])
    print("\nprotocol")
    for key in ("crops", "alignment", "truth", "tail"):
        print(f"  {key}: {protocol[key]}")
    post = "; ".join(f"{p['use']} {p['args']}" for p in protocol["post"]) or "none"
    sampler = protocol["sampler"]
    print("  scored in: " + (f"pieces of {sampler['use']} {sampler['args']}" if sampler else "whole videos"))
    print(f"  post: {post}\n  threshold: {protocol['threshold']}\n  weights selected by: {protocol['select']}")
    for text in other_notes(result.notice, *result.warnings, result.note):
        print(f"note: {text}")
