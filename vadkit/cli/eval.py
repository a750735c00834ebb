"""Score a data set with a trained model and measure: AP, AUC and what is behind them.

The data set, its split and the smoothing of scores are those the model was trained with, unless
--set says otherwise, for example: --set data.args.root=FOLDER --set eval.threshold=0.3
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vadkit.files import make_folder
from vadkit.problems import fail

if TYPE_CHECKING:
    from vadkit.evaluate.evaluation import Evaluation

# What the table shows, in this order; results.json has all.
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
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="sets", help="change a key of data or eval"
    )
    parser.add_argument("--split", choices=("train", "val", "test"), help="the videos to score (the model's: test)")
    parser.add_argument("--out", metavar="DIR", help="folder for results.json and scores.csv")
    parser.add_argument("--json", action="store_true", help="print everything as JSON instead of tables")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (auto)")


def run(args: argparse.Namespace) -> int:
    result, note = _evaluate(args)
    if args.json:
        print(json.dumps({**result.as_json(), "note": note}, indent=1, allow_nan=False))
    else:
        _tell(result, note)
    if args.out:
        paths = result.save(args.out)
        sys.stderr.write("".join(f"wrote {path}\n" for path in paths))
    return 0


def _evaluate(args: argparse.Namespace) -> tuple[Evaluation, str | None]:
    """Return the result, and the sentence that goes with the model's figures, if any."""
    from vadkit.api import load
    from vadkit.data.from_config import open_dataset
    from vadkit.devices import choose_device
    from vadkit.evaluate.score import evaluate_as_configured
    from vadkit.graph.model_file import read_header
    from vadkit.store.recipes import other_recipes

    header = read_header(args.model)
    sections = configured(header, args.sets)
    dataset = open_dataset(sections["data"])
    device = choose_device(args.device)
    model = load(args.model, str(device))
    if args.out:
        make_folder(args.out)  # now, rather than when all is scored
    with _progress() as tell:
        result = evaluate_as_configured(
            model, dataset, sections["eval"], split=args.split, device=device, on_progress=tell
        )
    extra = header.get("extra") or {}
    result.warnings.extend(other_recipes(extra.get("recipes") or {}, getattr(dataset, "recipes", {})))
    return result, extra.get("note")


def configured(header: dict[str, Any], sets: Sequence[str]) -> dict[str, Any]:
    """Return the spec of a model file with changes to its data and eval sections.

    Raises VadkitError for changes to anything else, unknown keys and values that do not fit.
    """
    from vadkit.graph.load import load_config
    from vadkit.graph.schema import with_defaults
    from vadkit.graph.schema_check import check_keys
    from vadkit.problems import VadkitError

    for written in sets:
        if written.partition("=")[0].partition(".")[0].strip() not in ("data", "eval"):
            fail(
                f"--set {written}: only keys of data and eval can be changed for a trained model",
                hint="for example --set data.args.root=FOLDER",
            )
    source = load_config(header["spec"], sets)
    problems = check_keys(source)
    if problems:
        raise VadkitError(problems)
    return with_defaults(source.data)


class _progress:
    """A bar on the terminal's error stream; gone when it is done."""

    def __enter__(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.bar.start()
        task = self.bar.add_task("scoring", total=None)
        return lambda done, total, name: self.bar.update(task, completed=done, total=total)

    def __exit__(self, *error: object) -> None:
        self.bar.stop()


def _tell(result: Evaluation, note: str | None) -> None:
    from vadkit.cli.tables import print_table

    figures, protocol = result.figures, result.protocol
    counts = f"{figures['videos']} videos ({figures['abnormal_videos']} abnormal), {figures['frames']} frames"
    print(f"{protocol['data_set']}, split {protocol['split']}: {counts}, {figures['positives']} of them positive\n")
    rows = [(key, _number(figures[key]), _say(key, figures)) for key in SHOWN]
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
    for text in [*result.warnings, *([note] if note else [])]:
        print(f"note: {text}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _say(key: str, figures: dict[str, Any]) -> str:
    from vadkit.evaluate.scorebook import MEANINGS

    reason = figures["undefined"].get(key)
    return f"not defined: {reason}" if reason else MEANINGS[key]
