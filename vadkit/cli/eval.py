"""Score a data set with a trained model and report AP, AUC and related figures.

The data set, its split and the smoothing of scores are those the model was trained with, unless
--set changes them, for example: --set data.args.root=DIR --set eval.threshold=0.3
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadkit.cli.options import add_device, add_set
from vadkit.problems import plural

if TYPE_CHECKING:
    from vadkit.api.evaluate import Evaluation

# The figures of the table, in order; results.json has all.
SHOWN = (
    "ap",
    "ap_trapezoid",
    "auc",
    "ap_abnormal",
    "auc_abnormal",
    "gain_ap",
    "gain_auc",
    "far",
    "video_ap",
    "video_auc",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", metavar="FILE", required=True, help="a .safetensors file of vadkit train")
    add_set(parser, "eval.threshold=0.3 (only keys of data and eval)", short=("--data",))
    parser.add_argument(
        "--split", choices=("train", "val", "test"), help="videos to score (default: the model's eval.split)"
    )
    parser.add_argument("--out", metavar="DIR", help="folder for results.json and scores.csv")
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
        sys.stderr.write("".join(f"wrote {Path(args.out, name)}\n" for name in ("results.json", "scores.csv")))
    return 0


def _print(result: Evaluation) -> None:
    from vadkit.cli.tables import print_table

    figures, protocol = result.figures, result.protocol
    counts = f"{plural(figures['videos'], 'video')} ({figures['abnormal_videos']} abnormal), {figures['frames']} frames"
    unlabelled = f"; {figures['unlabelled_videos']} more of unknown label" if figures["unlabelled_videos"] else ""
    print(
        f"{protocol['data_set']}, split {protocol['split']}: {counts}, {figures['positives']} of them positive"
        f"{unlabelled}\n"
    )
    rows = [(key, _number(figures[key]), _meaning(key, figures)) for key in SHOWN]
    print_table(("figure", "value", "what it is"), rows, right=("value",))
    if figures["per_class"]:
        print()
        classes = [
            (name, _number(c["auc"]), _number(c["ap"]), str(c["positives"])) for name, c in figures["per_class"].items()
        ]
        columns = ("class (with all normal videos)", "auc", "ap", "positive frames")
        print_table(columns, classes, right=columns[1:])
    print("\nprotocol")
    for key in ("crops", "alignment", "truth", "tail"):
        print(f"  {key}: {protocol[key]}")
    post = "; ".join(f"{p['use']} {p['args']}" for p in protocol["post"]) or "none"
    print(f"  post: {post}\n  threshold: {protocol['threshold']}\n  weights selected by: {protocol['select']}")
    for text in dict.fromkeys(filter(None, [*result.warnings, result.note])):
        print(f"note: {text}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _meaning(key: str, figures: dict[str, Any]) -> str:
    from vadkit.evaluate.scorebook import MEANINGS

    reason = figures["undefined"].get(key)
    return f"not defined: {reason}" if reason else MEANINGS[key]
